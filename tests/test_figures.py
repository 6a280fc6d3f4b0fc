"""Figures by their contents: axes, units, lines, gaps, and what is drawn on top."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from support.family_contract import fitted
from support.spectra import fit, spectra

from anomvae import figures
from anomvae.detector.card import Training
from anomvae.errors import ConfigError
from anomvae.explaining import CodeSpectra, LatentSample, project, traverse
from anomvae.models.families import FAMILIES
from anomvae.pixels.band import Band
from anomvae.pixels.bands import Bands, unnamed_bands

FIGURES = (
    "latent_figure",
    "spectra_figure",
    "generated_figure",
    "history_figure",
    "traversal_figure",
)


def training(**changed):
    first = Training(("a.tif",), 0, 100, 40, 10, 0.05, 1.0, (9.0, 5.0), -4.0, 0.0)
    return replace(first, **changed)


def sample(n=80, marked=12, **changed):
    rng = np.random.default_rng(0)
    marks = np.zeros(n, int)
    marks[:marked] = 1
    codes = rng.normal(size=(n, 3)).astype(np.float32) * [5, 2, 0.5]
    made = LatentSample(
        codes, rng.uniform(1, 99, n), marks, np.arange(n) % 2, np.zeros((n, 2), int), (500, marked)
    )
    return replace(made, **changed)


def texts(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_a_history_has_elbo_reconstruction_and_kl_over_the_steps():
    figure = figures.history_figure(training(reconstruction=(7.0, 4.0), kl=(2.0, 1.0)))

    bound, error, kl = figure.axes
    lines = [axes.lines[0].get_data() for axes in (bound, error, kl)]
    assert [line[0].tolist() for line in lines] == [[10, 30]] * 3
    assert [line[1].tolist() for line in lines] == [[-9, -5], [7, 4], [2, 1]]
    assert bound.lines[-1].get_ydata() == [-4.0]  # of held-out pixels
    assert all("(nats per pixel)" in axes.get_ylabel() for axes in figure.axes)
    assert "ELBO = \N{MINUS SIGN}loss (β = 1)" in texts(figure)


def test_a_history_names_the_weights_of_a_loss_that_is_not_the_elbo():
    parts = {"reconstruction": (7.0, 1.0), "kl": (0.5, 1.0)}

    figure = figures.history_figure(training(beta=4.0, warm_up=0.5, free_bits=1.0, **parts))

    assert "\N{MINUS SIGN}loss (β = 4, warm-up 50 %, free bits 1 nats)" in texts(figure)


def test_the_history_of_an_older_model_has_the_loss_alone():
    (axes,) = figures.history_figure(training()).axes

    assert axes.lines[0].get_ydata().tolist() == [9, 5]
    assert axes.get_ylabel() == "Loss (nats per pixel)"


@pytest.mark.parametrize("family", [name for name in FAMILIES if name not in {"ae", "vq-vae"}])
def test_a_traversal_moves_one_unit_of_the_prior_at_a_time(family):
    detector = fitted(family)

    units = traverse(detector, range(1, len(detector.code_names) + 1))

    assert [unit.name for unit in units] == list(detector.code_names)
    centres = [unit.spectra[3] for unit in units]
    assert all(np.array_equal(centre, centres[0]) for centre in centres)
    assert all(np.isfinite(unit.spectra).all() for unit in units)
    moved = [np.abs(unit.spectra[0] - unit.spectra[-1]).max() for unit in units]
    assert max(moved) > 0


def test_a_traversal_of_a_vae_decodes_its_units():
    detector = fitted("vae")

    (unit,) = traverse(detector, [2])

    z = np.zeros((1, detector.card.latent), np.float32)
    z[0, 1] = -3
    np.testing.assert_array_equal(unit.spectra[:1], detector.decode(z))
    assert unit.kl == detector.card.training.latent.units[1]


def test_a_traversal_has_the_active_units_first_and_a_panel_for_each():
    detector = fitted("vae")
    kl = detector.card.training.latent.units

    figure = figures.traversal_figure(detector, [1, 2])
    first = traverse(detector, most=1)[0]

    assert first.kl == max(kl)
    assert [len(axes.lines) for axes in figure.axes[:2]] == [7, 7]
    assert figure.axes[0].get_title() == f"$z_{{1}}$, KL {kl[0]:.2f} nats"


def test_a_traversal_of_a_codebook_has_its_most_frequent_codes():
    detector = fitted("vq-vae")

    codes = traverse(detector, most=4)

    assert isinstance(codes, CodeSpectra)
    usage = detector.model.bottleneck.usage.numpy()
    assert (codes.shares[:-1] >= codes.shares[1:]).all()
    assert usage[codes.numbers[0]] == usage.max()
    (axes,) = figures.traversal_figure(detector, most=4).axes
    assert [line.get_ydata().tolist() for line in axes.lines] == codes.spectra.tolist()


@pytest.mark.parametrize(
    ("family", "units", "message"),
    [
        ("ae", [], "'ae' has no prior"),
        ("vae", [99], "no 99 among the . latent units of this model. Give one of 1 to"),
        ("vq-vae", [64], "no 64 among the 64 codes of this model. Give one of 0 to 63"),
    ],
)
def test_a_unit_that_is_not_there_is_refused_in_one_line(family, units, message):
    with pytest.raises(ConfigError, match=message) as refused:
        figures.traversal_figure(fitted(family), units)

    assert "\n" not in str(refused.value)


def test_spectra_have_a_panel_each_with_original_and_reconstruction():
    bands, values = unnamed_bands(6), spectra(5)

    figure = figures.spectra_figure(bands, values, values + 1, [f"pixel {n}$" for n in range(5)])

    assert len(figure.axes) == 5
    for axes, spectrum in zip(figure.axes, values, strict=True):
        original, made = (line.get_ydata() for line in axes.lines)
        np.testing.assert_array_equal(original, spectrum)
        np.testing.assert_array_equal(made, spectrum + 1)
    assert texts(figure) == ["original", "reconstruction"]
    assert figures.axes.to_bytes(figure, "png")  # a dollar begins no formula


def test_generated_spectra_lie_beside_real_ones_with_gaps_left_open():
    nm = [*range(400, 900, 10), *range(1100, 1300, 10)]
    bands = Bands(tuple(Band(i, f"b{i}", x) for i, x in enumerate(nm, 1)), len(nm), named=True)
    real = np.random.default_rng(0).normal(nm, 5, (400, len(nm)))

    figure = figures.generated_figure(bands, real, real[:100] + 50)

    (axes,) = figure.axes
    mean, made = (line.get_ydata() for line in axes.lines[:2])
    assert np.isnan(mean).sum() == 1
    np.testing.assert_allclose(np.delete(mean, 50), real.mean(0))
    low = axes.lines[2].get_ydata()
    np.testing.assert_allclose(np.delete(low, 50), np.percentile(real[:100] + 50, 5, axis=0))
    assert made.shape == mean.shape
    assert {"real, mean of 400", "generated, mean of 100"} < set(texts(figure))


def test_the_latent_space_has_marked_pixels_on_top_and_scores_in_nats():
    made = sample()

    figure = figures.latent_figure(made)

    axes, bar = figure.axes
    others, marked = axes.collections
    assert (len(others.get_offsets()), len(marked.get_offsets())) == (68, 12)
    assert marked.get_zorder() > others.get_zorder()
    np.testing.assert_allclose(marked.get_array(), made.scores[:12])
    assert bar.get_ylabel() == "Score (nats, log scale)"
    assert axes.get_xlabel().startswith("PC 1 (")
    assert texts(figure) == [
        "below the threshold (68 of 500 pixels)",
        "above the threshold (12 of 12 pixels)",
    ]


def test_principal_components_are_those_of_unmarked_pixels():
    made = sample()
    points = project(made.codes, "pca", fitted=made.marks == 0).points

    normal = points[made.marks == 0]
    assert normal.mean(0) == pytest.approx(0, abs=1e-6)
    assert np.corrcoef(normal.T)[0, 1] == pytest.approx(0, abs=1e-6)
    assert np.abs(points[:, 0]).max() == pytest.approx(np.abs(made.codes[:, 0]).max(), rel=0.2)


def test_tsne_repeats_and_its_axes_have_no_numbers():
    made = sample(30, marks=np.arange(30) % 3, names=("none", "roof", "car"))

    first, second = (figures.latent_figure(made, "tsne", "mark", seed=4) for _ in range(2))

    (axes,) = first.axes
    assert (axes.get_xlabel(), len(axes.get_xticks())) == ("t-SNE 1", 0)
    for one, other in zip(axes.collections, second.axes[0].collections, strict=True):
        np.testing.assert_array_equal(one.get_offsets(), other.get_offsets())
    assert texts(first)[1:] == ["roof (10 pixels)", "car (10 pixels)"]
    assert len({line.get_facecolor().tobytes() for line in axes.collections}) == 3


def test_scenes_are_named_whatever_their_files_are_called():
    made = sample(scene_names=("_$\\frac$", "<b>" * 40))

    named = texts(figures.latent_figure(made, colour="scene"))

    assert named[0].startswith("scene _$\\frac$ (")
    assert max(map(len, named)) < 60


def test_pixels_of_equal_codes_are_spread_so_that_their_number_shows():
    made = sample()
    made = replace(made, codes=np.repeat(made.codes[:8], 10, axis=0))

    points = np.concatenate(
        [c.get_offsets() for c in figures.latent_figure(made).axes[0].collections]
    )

    assert len(np.unique(points, axis=0)) == 80


@pytest.mark.parametrize(
    ("changed", "method", "colour", "message"),
    [
        ({}, "umap", "score", "give pca or tsne"),
        ({}, "pca", "hue", "give score, mark or scene"),
        ({"codes": np.zeros((80, 1))}, "pca", "score", "one latent unit"),
        ({"codes": np.full((80, 2), 0.3)}, "tsne", "score", "All 80 codes are equal"),
        ({"scene_names": ("a",) * 8}, "pca", "scene", "8 scenes cannot be drawn apart"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(changed, method, colour, message):
    with pytest.raises(ConfigError, match=message) as refused:
        figures.latent_figure(sample(**changed), method, colour)

    assert "\n" not in str(refused.value)


def test_figures_neither_import_nor_need_pyplot():
    code = f"""
import sys, matplotlib
from anomvae import figures
settings = lambda: {{k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != 'backend'}}
before = settings()
for name in {FIGURES}: getattr(figures, name)
from anomvae.pixels.bands import unnamed_bands
import numpy as np
figures.spectra_figure(unnamed_bands(3), np.zeros((1, 3)), np.ones((1, 3)))
assert 'matplotlib.pyplot' not in sys.modules
assert settings() == before
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_figure_of_a_detector_of_any_size_can_be_saved(tmp_path):
    detector = fit(spectra(60, bands=1), training={"max_steps": 3}, model={"latent": 1})

    figures.save(figures.traversal_figure(detector), tmp_path / "one.svg")
    figures.save(figures.history_figure(detector.card.training), tmp_path / "two.svg")

    for name in ("one.svg", "two.svg"):
        assert (tmp_path / name).read_bytes().startswith(b"<?xml")
