"""Drawn spectra, and those between two pixels, of every family."""

import numpy as np
import pytest
from support import families
from support.family_contract import block_for, compares_dates, fitted
from support.rasters import run
from support.refusals import refused

import anomvae
from anomvae.errors import ConfigError
from anomvae.explaining import SpectraTable
from anomvae.models.families import FAMILIES

every_family = pytest.mark.parametrize("family", families.rows())


def picked(family, seed=2):
    """Return the detector of a family, and an example of its newest date."""
    detector, block = fitted(family), block_for(family, (9, 9), seed=seed)
    where = np.zeros(block.shape[:-1], bool)
    where[-1, 4, 4] = True
    return detector, np.asarray(detector.view.split(block, where)[:])


def reconstructed(detector, example):
    return detector.reconstruct(example).reshape(-1, len(detector.bands))[-1]


@every_family
def test_drawn_spectra_repeat_for_a_seed_and_differ_for_another(family):
    detector, example = picked(family)
    draws = [lambda seed: detector.sample_like(example, 3, seed)]
    if detector.model.prior is not None:
        draws.append(lambda seed: detector.sample(3, seed))
    if detector.model.prior is not None and detector.decodes_context:
        draws.append(lambda seed: detector.sample(3, seed, given=example))

    for draw in draws:
        assert draw(1).tobytes() == draw(1).tobytes()
        assert (draw(1) != draw(2)).any()
        assert draw(1).shape == (3, len(detector.bands))


@every_family
def test_many_spectra_like_an_example_scatter_around_its_reconstruction(family):
    detector, example = picked(family)

    means = detector.sample_like(example, 4000, 0, noise=False)
    spectra = detector.sample_like(example, 4000, 0)

    centre = reconstructed(detector, example)
    scatter = spectra.std(0)
    assert (np.abs(means.mean(0) - centre) < 0.5 * scatter).all()
    assert (means.std(0) < scatter).all()
    if not detector.noise_width:  # a point: every mean is the reconstruction itself
        np.testing.assert_allclose(means, np.broadcast_to(centre, means.shape), rtol=1e-5)


@every_family
def test_spectra_between_examples_begin_and_end_at_their_reconstructions(family):
    (detector, first), (_, second) = picked(family), picked(family, seed=3)

    between = detector.between(first, second, 5)

    assert between.shape == (5, len(detector.bands))
    np.testing.assert_allclose(between[0], reconstructed(detector, first), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(between[-1], reconstructed(detector, second), rtol=1e-5, atol=1e-7)


@every_family
def test_the_context_of_an_example_is_refused_where_the_decoder_takes_none(family):
    detector, example = picked(family)
    if detector.model.prior is None:
        return

    if FAMILIES[family].conditioned or compares_dates(family) or family == "spatial":
        with_context = detector.sample(500, 0, noise=False, given=example).mean(0)
        assert (with_context != detector.sample(500, 0, noise=False).mean(0)).any()
    else:
        with pytest.raises(ConfigError, match="is given no context"):
            detector.sample(5, 0, given=example)


def test_generate_and_interpolate_write_tables_with_wavelengths(tmp_path, scene, model):
    spectra, like, between = (tmp_path / f"{name}.csv" for name in ("spectra", "like", "between"))
    picture = tmp_path / "between.png"

    drawn = run("generate", "-m", model, "-n", 4, "--seed", 1, "-o", spectra)
    near = run("generate", "-m", model, "--like", scene, "--at", "3,4", "-n", 2, "-o", like)
    ends = ("--from", "3,4", "--to", "8,9")
    ran = run("interpolate", scene, "-m", model, *ends, "-o", between, "--picture", picture)

    assert (drawn.code, near.code, ran.code) == (0, 0, 0)
    detector = anomvae.load(model)
    table = SpectraTable.read(spectra)
    assert table.bands == detector.bands.names
    assert table.wavelengths == tuple(band.wavelength for band in detector.bands)
    assert table.names == ("spectrum_1", "spectrum_2", "spectrum_3", "spectrum_4")
    np.testing.assert_array_equal(table.values, anomvae.generate(detector, 4, seed=1).values)
    assert SpectraTable.read(like).values.shape == (2, len(detector.bands))
    assert SpectraTable.read(between).names[-1] == "step_10"
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("-n", "0"), 2, ["count = 0", "from 1"]),
        (("--like", "SCENE", "--context-of", "SCENE", "--at", "3,4"), 2, ["Give one of them"]),
        (("--like", "SCENE"), 2, ["belong together"]),
        (("--at", "3,4"), 2, ["belong together"]),
        (("--mask", "SCENE"), 2, ["no scene", "leave them out"]),
        (("--like", "SCENE", "--at", "999,4"), 2, ["999,4 lies outside"]),
        (("--like", "none.tif", "--at", "3,4"), 3, ["none.tif"]),
        (("--context-of", "SCENE", "--at", "3,4"), 2, ["is given no context"]),
        (("-m", "none.safetensors"), 3, ["none.safetensors"]),
    ],
)
def test_generate_refuses_what_is_impossible(options, code, words, tmp_path, scene, model):
    given = [scene if option == "SCENE" else option for option in options]

    ran = run("generate", "-m", model, "-o", tmp_path / "spectra.csv", *given)

    refused(ran, code, *words)
    assert not (tmp_path / "spectra.csv").exists()


def test_a_family_without_a_prior_draws_around_a_pixel_alone(tmp_path, scene):
    model, out = tmp_path / "ae.safetensors", tmp_path / "spectra.csv"
    quick = ("--set", "model.family=ae", "--set", "training.max_steps=5")
    assert run("train", scene, "-o", model, *quick).code == 0

    refused(run("generate", "-m", model, "-o", out), 2, "'ae' has no prior")
    ran = run("generate", "-m", model, "--like", scene, "--at", "3,4", "-o", out)

    assert ran.code == 0
    assert "the posterior of a pixel is a point" in ran.err


def test_interpolate_refuses_what_is_impossible(tmp_path, scene, model):
    out = tmp_path / "between.csv"
    command = ("interpolate", scene, "-m", model, "-o", out, "--from", "3,4")

    refused(run(*command, "--to", "8,9", "--steps", 1), 2, "steps = 1", "from 2")
    refused(run(*command, "--to", "8,999"), 2, "8,999 lies outside")
    refused(run(*command, "--to", "8,9", "--picture", tmp_path / "a.gif"), 2, "does not end in")
    (tmp_path / "link.png").symlink_to(tmp_path / "same.png")
    same = (*command, "--to", "8,9", "-o", tmp_path / "same.png")
    refused(run(*same, "--picture", tmp_path / "link.png"), 2, "two results")
    assert not (tmp_path / "same.png").exists()
    out.write_text("mine")
    refused(run(*command, "--to", "8,9"), 3, "exists", "--overwrite")
    assert out.read_text() == "mine"
