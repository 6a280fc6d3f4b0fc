"""The scoring program: its scores are those of the model's parts, and every engine returns them."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import families
from support.imports import loaded
from support.model_terms import examples_of, expected_terms
from support.programs import Drawing, dense_programs, exact_terms
from support.programs import examples_of as spectra_of
from support.spectra import fit_scene, plan_of, scene, spectra

from anomvae.detector.batches import batches, run_in_threads
from anomvae.models import LIKELIHOODS
from anomvae.models.families import FAMILIES, Sizes
from anomvae.parallel.threads import blas_threads, usable_threads
from anomvae.pixels.annulus import Annulus
from anomvae.program import Codebook, Layer, engine_made
from anomvae.program.numpy_engine import FEWEST_ROWS, LAYER_VALUES, MOST_ROWS, rows_of
from anomvae.stats.scaler import Scaler
from anomvae.stats.scores import NormalScores, ScoreDistribution
from anomvae.stats.thresholds import parse_rule

PAGE = Path(__file__).parent.parent / "docs" / "model-file.md"
NORMAL = NormalScores(ScoreDistribution(np.arange(1.0, 2001), np.ones(2000)))


@cache
def fitted(family="vae", noise="band", likelihood="student-t", bands=6, hidden=(64, 32)):
    return fit_scene(
        scene((20, 30), bands, 3 if plan_of(model={"family": family}).view.compares_dates else 1),
        model={"family": family, "likelihood": likelihood, "hidden": hidden},
        training={"max_steps": 30},
        score={"noise": noise},
    )


def terms_of(detector, x):
    return np.stack(detector.score_examples(x)[:3])


@pytest.mark.parametrize("family", families.rows())
@pytest.mark.parametrize("noise", ["unit", "band", "covariance"])
def test_terms_of_every_family_are_those_of_its_parts(family, noise):
    detector = fitted(family, noise)
    x = examples_of(detector)

    terms = terms_of(detector, x)

    assert terms == pytest.approx(expected_terms(detector, x), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize(("noise", "bands"), [("unit", 16), ("band", 40), ("covariance", 6)])
def test_scores_of_every_likelihood_are_those_of_its_parts(likelihood, noise, bands):
    detector, x = fitted("vae", noise, likelihood, bands), spectra(500, bands, seed=2)

    terms = terms_of(detector, x)

    assert terms.sum(0) == pytest.approx(expected_terms(detector, x).sum(0), rel=2e-5)


@settings(deadline=None)  # the first example trains
@given(
    offset=st.floats(-1e6, 1e6, width=32),
    ratio=st.floats(1e-6, 1e4),
    noise=st.sampled_from(["band", "covariance"]),
)
def test_bands_far_from_zero_keep_their_digits(offset, ratio, noise):
    # The same pixels in other units: the mean of a band may be far above its deviation.
    detector, x = fitted("vae", noise), spectra(200, seed=2)
    converted = ((x - detector.scaler.centre) * ratio + offset).astype(np.float32)
    scaler = Scaler(np.full(6, offset) + 1e-7 * offset, detector.scaler.std * ratio)
    detector = replace(detector, scaler=scaler)

    scores = terms_of(detector, converted).sum(0)

    assert scores == pytest.approx(expected_terms(detector, converted).sum(0), rel=2e-5)


@pytest.mark.parametrize(
    "family", sorted(FAMILIES.keys() - {"change", "cvae", "sequential", "spatial"})
)
def test_codes_and_reconstructions_are_those_of_the_model(family):
    detector, x = fitted(family), spectra(50, seed=2)
    scaled = torch.from_numpy(detector.scaler.scale(x))

    with torch.inference_mode():
        code = detector.model.encode(scaled).z.numpy()
        mean = detector.scaler.unscale(detector.model(scaled).mean.numpy())

    assert detector.encode(x) == pytest.approx(code, rel=1e-4, abs=1e-5)
    assert detector.reconstruct(x) == pytest.approx(mean, rel=1e-5)


def by_engine(name, program, x, features=None):
    """Return the first three terms of a program by an engine, in calls of its size."""
    engine = engine_made(name, program, "cpu")
    cuts = range(0, len(x), engine.rows)
    calls = [
        engine.terms(
            x[start : start + engine.rows],
            None if features is None else features[start : start + engine.rows],
            code=False,
        )[:3]
        for start in cuts
    ]
    return np.concatenate([np.stack(call) for call in calls], axis=1)


@st.composite
def programs_of_examples(draw):
    """Draw a program of dates or of neighbours, and examples of it, some pixels of them missing."""
    family = FAMILIES[draw(st.sampled_from(["change", "sequential", "spatial"]))]
    bands, latent, dates = (draw(st.integers(*ends)) for ends in ((1, 30), (1, 6), (2, 4)))
    hidden = tuple(draw(st.lists(st.integers(1, 40), min_size=1, max_size=2)))
    sizes = Sizes(bands, latent, hidden, 0, Annulus(5, draw(st.sampled_from([0, 3]))), dates)
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    shapes = family.context.shapes(sizes)
    weights = {n: rng.normal(size=shape) / shape[-1] ** 0.5 for n, shape in shapes.items()}
    if family.context.predicts:
        weights |= {"std": np.ones((dates, bands)), "tail": np.array([0.1, 1.0])}
        weights["covariance"] = np.eye(dates * bands) + 0.1
    context = family.context.of({name: np.float32(array) for name, array in weights.items()}, sizes)
    decodes, passed = family.decodes_context(sizes), family.passed(sizes)
    drawing = Drawing(draw(st.integers(0, 2**16)))
    program = drawing.program(bands, hidden, latent, context.width, decoder_context=decodes)
    output = drawing.layer(hidden[0] + passed, bands)
    std = rng.uniform(1, 9, bands).astype(np.float32)
    program = replace(program, context=context, passed=passed, output=output, std=std)
    lead = (5, 5) if family.of_patches else (dates,)
    x = program.centre + 9 * rng.normal(size=(draw(st.integers(1, 40)), *lead, bands))
    gaps = rng.random(x.shape[:-1]) < 0.2
    x[gaps] = np.nan
    return program, x.astype(np.float32)


@pytest.mark.parametrize("name", ["numpy", "torch"])
@settings(deadline=None, max_examples=40)
@given(case=st.one_of(st.tuples(dense_programs(), st.none()), programs_of_examples()))
def test_engines_agree_with_an_evaluation_in_float64(name, case):
    program, x = case
    x, features = spectra_of(program, 100) if x is None else (x, None)

    terms = by_engine(name, program, x, features)

    exact = np.stack(exact_terms(program, x, features)[:3]).sum(0)
    assert terms.dtype == np.float32
    known = np.isfinite(exact) & (np.abs(terms.sum(0) - exact) <= 2e-6 * np.maximum(exact, 1))
    # Rounding may choose another vector of a codebook where two are as near.
    assert known.mean() > 0.97 if isinstance(program.code, Codebook) else known.all()


@pytest.mark.parametrize("name", ["numpy", "torch"])
@pytest.mark.parametrize("bands", [1, 12, 300])
def test_an_example_has_the_same_bits_whatever_its_neighbours_and_the_threads_of_blas(name, bands):
    detector = fitted("vae", "covariance", bands=bands, hidden=(50, 7))
    x = spectra(3000, bands, seed=2)
    order = np.random.default_rng(0).permutation(len(x))

    with blas_threads(1):
        alone = by_engine(name, detector.program, x[order])
    with blas_threads(2):
        together = by_engine(name, detector.program, x)
        few = by_engine(name, detector.program, x[7:9])

    assert alone.tobytes() == together[:, order].tobytes()
    assert few.tobytes() == together[:, 7:9].tobytes()


@pytest.mark.parametrize("family", families.rows())
@pytest.mark.parametrize(
    "sizes",
    [
        Sizes(6, 4, (8, 5)),
        Sizes(1, 1, (2,), 3, Annulus(5, 0), 3),
        Sizes(3, 7, (4, 4, 4), 2, Annulus(7, 3), 4),
    ],
)
def test_a_model_that_is_built_has_the_tensors_that_its_file_must_have(family, sizes):
    row = FAMILIES[family]

    model = row.build(sizes)

    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert row.shapes(sizes) == shapes
    assert row.code.noise_width(sizes.latent) == model.bottleneck.noise_width


def test_a_model_is_loaded_scored_explained_and_given_a_threshold_without_torch(tmp_path):
    path = tmp_path / "model.safetensors"
    fitted("cvae").with_threshold(parse_rule("quantile:.01"), NORMAL).save(path)

    modules = loaded(
        "import numpy as np; from anomvae.detector import Detector\n"
        f"detector = Detector.load({str(path)!r}, threshold='sigma:3')\n"
        "detector.score(np.ones((1, 9, 9, 6), 'f4'))\n"
        "detector.score_explained(np.ones((1, 9, 9, 6), 'f4'))\n"
        "detector.codes(np.ones((5, 6 + detector.context.width), 'f4'))"
    )

    assert not modules & {"torch", "scipy", "pydantic", "sklearn", "pandas", "matplotlib"}


@pytest.mark.parametrize("noise", ["band", "covariance"])
def test_the_page_about_the_model_file_is_enough_to_score(tmp_path, noise):
    path, names = tmp_path / "model.safetensors", {}
    detector, x = fitted("vae", noise), spectra(200, seed=2)
    detector.save(path)

    exec(re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1], names)

    expected = names["score"](path, x)
    assert detector.score_examples(x).total == pytest.approx(expected, rel=2e-6, abs=2e-6)


@given(widest=st.integers(1, 10**5))
def test_a_batch_is_a_power_of_two_that_fits_the_cache_within_bounds(widest):
    layer = Layer(np.empty((1, widest), np.float32), np.empty(widest, np.float32))
    rows = rows_of(replace(fitted().program, output=layer))

    assert FEWEST_ROWS <= rows <= MOST_ROWS
    assert rows & (rows - 1) == 0
    assert rows * widest <= LAYER_VALUES or rows == FEWEST_ROWS
    assert 2 * rows * widest > LAYER_VALUES or rows == MOST_ROWS


@pytest.mark.parametrize("count", [0, 1, 8, 9, 16])
def test_examples_are_cut_into_batches_that_are_not_copied(count):
    x = spectra(count)

    cut = list(batches(x, 8))

    assert [len(batch) for batch in cut[:-1]] == [8] * (len(cut) - 1)
    assert np.array_equal(np.concatenate(cut), x)
    assert all(np.shares_memory(batch, x) for batch in cut if count)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 100])
def test_runs_in_threads_are_in_order_and_of_whole_batches(count):
    calls = []

    def work(run):
        calls.append(usable_threads())
        return run

    with blas_threads(2):
        runs = run_in_threads(work, count, 8)
        assert usable_threads() == 2

    assert [number for run in runs for number in range(run.start, run.stop)] == list(range(count))
    assert sum((run.stop - run.start) % 8 > 0 for run in runs) <= 1
    assert set(calls) == {1}


def test_a_failure_in_a_thread_is_raised_and_blas_has_its_threads_again():
    def work(run):
        raise RuntimeError("broken")

    with blas_threads(2):
        with pytest.raises(RuntimeError, match="broken"):
            run_in_threads(work, 100, 8)
        assert usable_threads() == 2


def test_reversed_bands_are_scored():
    x = spectra(MOST_ROWS + 5, seed=2)[:, ::-1]

    assert terms_of(fitted(), x).tobytes() == terms_of(fitted(), x.copy()).tobytes()


def test_read_only_examples_are_scored():
    x = spectra(MOST_ROWS + 5, seed=2)
    expected = terms_of(fitted(), x)
    x.flags.writeable = False

    assert terms_of(fitted(), x).tobytes() == expected.tobytes()
