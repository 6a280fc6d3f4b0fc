"""Embeddings and reconstructions of scenes as files, for every family."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from rio_cogeo import cog_validate
from support import families
from support.family_contract import block_for, fitted
from support.rasters import bands_of, write

import anomvae
from anomvae.detector import Encoding
from anomvae.errors import BandMismatch, ConfigError, NotFinite, OutputExists
from anomvae.files import staging
from anomvae.models.families import FAMILIES
from anomvae.pixels.bands import Band, Bands
from anomvae.raster import Scene

every_family = pytest.mark.parametrize("family", families.rows())
DRAWN = [name for name in FAMILIES if name not in {"ae", "vq-vae"}]
SHAPE = (41, 37)


def planted_block(family):
    """Draw a scene with pixels without data."""
    block = block_for(family, SHAPE)
    block[:, 5:9, 30:33] = np.nan
    block[-1, 0, 0, 2] = np.nan
    return block


@pytest.fixture
def scene(family, tmp_path):
    """Write the scene of a family: one file, or one for each date."""
    block, paths = planted_block(family), []
    for number, date in enumerate(block, start=1):
        values = np.moveaxis(date, -1, 0)
        paths.append(write(tmp_path / f"scene_2024-06-0{number}.tif", values, nodata=np.nan))
    return paths


def expected(family, of):
    """Apply a function of examples to every pixel; return (value, row, col), NaN = no data."""
    detector, block = fitted(family), planted_block(family)
    where = detector.view.where(block)
    values = of(detector, detector.view.split(block, where)[:])
    joined = [detector.view.join(plane, where)[-1] for plane in np.moveaxis(values, -1, 0)]
    return np.stack(joined)


@every_family
def test_an_embedding_holds_the_posterior_mean_of_each_pixel(family, scene, tmp_path):
    detector, path = fitted(family), tmp_path / "codes.tif"

    written = anomvae.embed_scene(detector, scene, path)

    codes, means = bands_of(path), expected(family, lambda detector, x: detector.encode(x))
    missing = np.isnan(means[0])
    if family == "vq-vae":
        assert codes.dtype == np.uint8
        assert (codes[0][missing] == 255).all()
        codebook = detector.model.bottleneck.codes.numpy()
        assert np.array_equal(codebook[codes[0][~missing]], means[:, ~missing].T)
    else:
        assert np.array_equal(codes[-len(means) :], means, equal_nan=True)
        assert np.array_equal(np.isnan(codes), np.broadcast_to(missing, codes.shape))
    assert written.valid == np.count_nonzero(~missing)
    with rasterio.open(path) as dataset:
        assert dataset.descriptions == written.layers == detector.code_names
        assert dataset.tags()["ANOMVAE_DETECTOR"] == detector.id
        kl = [dataset.tags(number).get("ANOMVAE_KL") for number in dataset.indexes]
    units = detector.card.training.latent.units
    assert kl == ([f"{one:g}" for one in units] if units else [None] * len(kl))
    assert cog_validate(path)[0]


@every_family
def test_a_map_is_the_same_from_tiles_of_any_size(family, scene, tmp_path):
    detector, how = fitted(family), "sample" if family in DRAWN else "mean"

    maps = []
    for tile, threads in ((1000, 1), (7, 2)):
        options = anomvae.MapOptions(tile=tile, threads=threads, overwrite=True)
        anomvae.embed_scene(detector, scene, tmp_path / "a.tif", Encoding(how, seed=5), options)
        anomvae.reconstruct_scene(detector, scene, tmp_path / "b.tif", options)
        maps.append([(tmp_path / name).read_bytes() for name in ("a.tif", "b.tif")])

    assert maps[0] == maps[1]


@every_family
def test_a_reconstruction_and_its_residual_add_up_to_the_scene(family, scene, tmp_path):
    detector = fitted(family)

    anomvae.reconstruct_scene(detector, scene, tmp_path / "means.tif")
    anomvae.reconstruct_scene(detector, scene, tmp_path / "rest.tif", residual=True)

    means, rest = bands_of(tmp_path / "means.tif"), bands_of(tmp_path / "rest.tif")
    reconstructed = expected(family, lambda detector, x: detector.reconstruct(x))
    spectra = np.where(
        np.isnan(reconstructed), np.nan, np.moveaxis(planted_block(family)[-1], -1, 0)
    )
    assert np.array_equal(means, reconstructed, equal_nan=True)
    assert np.array_equal(rest, spectra - reconstructed, equal_nan=True)
    assert np.allclose(means + rest, spectra, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("family", ["vae", "hierarchical"])
def test_averages_approach_the_mean_and_draws_follow_from_the_seed(family, scene, tmp_path):
    detector, codes = fitted(family), {}
    chosen = {
        "mean": Encoding(),
        "draw": Encoding("sample", seed=1),
        "other": Encoding("sample", seed=2),
        "average": Encoding("average", samples=40, seed=1),
    }

    for name, encoding in chosen.items():
        anomvae.embed_scene(detector, scene, tmp_path / f"{name}.tif", encoding)
        codes[name] = bands_of(tmp_path / f"{name}.tif")

    distance = {name: np.nanmean(np.abs(codes[name] - codes["mean"])) for name in chosen}
    assert 0 < distance["average"] < 0.4 * distance["draw"]
    assert np.nanmean(np.abs(codes["draw"] - codes["other"])) > distance["draw"]
    with rasterio.open(tmp_path / "average.tif") as dataset:
        tags = dataset.tags()
    assert (tags["ANOMVAE_HOW"], tags["ANOMVAE_SEED"], tags["ANOMVAE_SAMPLES"]) == (
        *("average", "1"),
        "40",
    )


def test_a_reconstruction_keeps_names_and_wavelengths_of_its_bands(tmp_path):
    detector, path = fitted("vae"), tmp_path / "scene.tif"
    items = [Band(i, f"b{i}", 400.0 + 33.3 * i, fwhm=9.87) for i in range(1, 6)]
    bands = Bands((*items, Band(6, "thermal")), source=6, named=True)
    named = replace(detector, card=replace(detector.card, bands=bands))
    write(path, np.moveaxis(block_for("vae", (8, 9))[0], -1, 0), names=bands.names)

    anomvae.reconstruct_scene(named, path, tmp_path / "means.tif")

    with Scene.of(tmp_path / "means.tif").open() as opened:
        read = [(band.name, band.wavelength, band.fwhm) for band in opened.bands]
    assert read == [(band.name, band.wavelength, band.fwhm) for band in bands]
    with rasterio.open(tmp_path / "means.tif") as dataset:
        assert dataset.tags(1, ns="IMAGERY")["CENTRAL_WAVELENGTH_UM"] == "0.4333"


def small(tmp_path, bands=6, name="scene.tif"):
    return write(tmp_path / name, np.full((bands, 8, 9), 0.3, np.float32))


def test_an_empty_scene_gives_an_empty_map_and_a_warning(tmp_path, caplog):
    path = write(tmp_path / "scene.tif", np.full((6, 8, 9), -1, np.float32))

    with caplog.at_level(logging.WARNING):
        written = anomvae.embed_scene(fitted("vq-vae"), path, tmp_path / "codes.tif")

    assert written.valid == 0
    assert (bands_of(tmp_path / "codes.tif") == 255).all()
    assert "no pixel has data" in caplog.text


def test_what_does_not_fit_is_refused_in_a_line_and_loses_nothing(tmp_path):
    path, old = small(tmp_path), tmp_path / "old.tif"
    old.write_bytes(b"old")
    other = small(tmp_path, bands=5, name="other.tif")
    (tmp_path / "link.tif").symlink_to(path)
    vae, overwrite = fitted("vae"), anomvae.MapOptions(overwrite=True)
    before = path.read_bytes()
    refused = [
        (OutputExists, "exists", lambda: anomvae.embed_scene(vae, path, old)),
        (ConfigError, "is read for this", lambda: anomvae.embed_scene(vae, path, path)),
        (
            *(ConfigError, "is read for this"),
            lambda: anomvae.reconstruct_scene(vae, path, tmp_path / "link.tif", overwrite),
        ),
        (ConfigError, "ends in .tif", lambda: anomvae.embed_scene(vae, path, tmp_path / "a.png")),
        (BandMismatch, "bands", lambda: anomvae.embed_scene(vae, other, tmp_path / "a.tif")),
        (
            *(ConfigError, "compares a date"),
            lambda: anomvae.reconstruct_scene(fitted("sequential"), path, tmp_path / "a.tif"),
        ),
        *(
            (
                *(ConfigError, "no posterior to draw from"),
                lambda family=family: anomvae.embed_scene(
                    fitted(family), path, tmp_path / "a.tif", Encoding("sample")
                ),
            )
            for family in ("ae", "vq-vae")
        ),
    ]

    for kind, words, call in refused:
        with pytest.raises(kind, match=words) as error:
            call()
        assert "\n" not in str(error.value)

    assert (old.read_bytes(), path.read_bytes()) == (b"old", before)
    assert sorted(tmp_path.iterdir()) == sorted(
        tmp_path / name for name in ("scene.tif", "old.tif", "other.tif", "link.tif")
    )


def test_a_file_that_another_run_writes_is_left_alone(tmp_path):
    path = small(tmp_path)

    with staging(tmp_path, "codes.tif"), pytest.raises(anomvae.errors.LockHeld):
        anomvae.embed_scene(fitted("vae"), path, tmp_path / "codes.tif")

    assert [one.name for one in tmp_path.iterdir()] == ["scene.tif"]


def test_a_scene_that_changes_meanwhile_gives_no_map(tmp_path):
    path, out = small(tmp_path), tmp_path / "codes.tif"

    def change(step, done, total):
        small(tmp_path)

    with pytest.raises(anomvae.errors.InputChanged):
        anomvae.embed_scene(fitted("vae"), path, out, progress=change)

    assert [one.name for one in tmp_path.iterdir()] == ["scene.tif"]


def test_a_model_whose_codes_are_no_numbers_is_refused(tmp_path):
    detector = fitted("vae")
    bias = np.full_like(detector.weights["bottleneck.to_q.bias"], np.inf)
    broken = replace(detector, weights={**detector.weights, "bottleneck.to_q.bias": bias})

    with pytest.raises(NotFinite, match="72 pixels that have data"):
        anomvae.embed_scene(broken, small(tmp_path), tmp_path / "codes.tif")
