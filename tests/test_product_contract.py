"""Every product: the same physical cube, written as each, is read as the same scene."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from support.rasters import bands_of, run
from support.scene_files import read

import anomvae
from anomvae.config import resolve_config
from anomvae.raster import Scene
from anomvae.testing.products import WRITERS, GeoTIFF, draw_cube

QUICK = resolve_config("default", ("training.max_steps=20", "training.trim=0")).config
writers = pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.kind)


@cache
def detector_of(wavelengths):
    """Fit a detector to another cube with the bands of a product, as a plain GeoTIFF."""
    cube = draw_cube(wavelengths, fwhm=(20.0,) * len(wavelengths), seed=1)
    with TemporaryDirectory() as folder:
        return anomvae.train([GeoTIFF().write(cube, Path(folder))], QUICK)


def expected(cube):
    """Return what must be read, (row, col, band); NaN = no data, or hidden by the own mask."""
    values = cube.reflectance.copy()
    values[cube.hidden] = np.nan
    return values


@writers
def test_values_and_mask_are_those_of_the_cube(writer, tmp_path):
    cube = writer.cube()

    found = read(writer.write(cube, tmp_path))

    if writer.exact:
        np.testing.assert_allclose(found, expected(cube), rtol=0, atol=1e-6)


@writers
def test_wavelengths_place_date_and_kind_are_those_of_the_cube(writer, tmp_path):
    cube = writer.cube()

    with Scene.of(writer.write(cube, tmp_path)).open() as opened:
        assert opened.newest.dataset.facts.kind == writer.kind
        assert opened.scene.dates[0].date == cube.day
        found = [band.wavelength for band in opened.bands]
        np.testing.assert_allclose(found, cube.wavelengths, rtol=0, atol=0.1)
        if writer.exact:
            assert opened.grid.shape == cube.shape
            assert opened.grid.transform == pytest.approx(cube.transform)
            assert opened.grid.epsg == str(cube.epsg)


@writers
def test_what_is_guessed_is_warned_of_once_each_in_a_line(writer, tmp_path, caplog):
    with Scene.of(writer.write(writer.cube(), tmp_path)).open() as opened:
        guessed = opened.newest.dataset.facts.guessed

    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    for sentence in guessed:
        assert not sentence.endswith(".")
        assert sum(line.endswith(f": {sentence}.") for line in lines) == 1


@writers
def test_results_are_named_after_the_product(writer, tmp_path):
    path = writer.write(writer.cube(), tmp_path)

    assert Scene.of(path).stem == writer.stem(path)


@writers
def test_the_score_map_is_that_of_a_plain_raster(writer, tmp_path):
    cube = writer.cube()
    detector = detector_of(cube.wavelengths)
    plain = GeoTIFF().write(cube, tmp_path)

    path = writer.write(cube, tmp_path)
    scored, reference = (
        bands_of(anomvae.score_scene(detector, scene, tmp_path / name).files.scores)
        for scene, name in ((path, "product"), (plain, "plain"))
    )

    if writer.exact:
        np.testing.assert_allclose(scored, reference, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "writer",
    [
        writer if number % 4 == 0 else pytest.param(writer, marks=pytest.mark.slow)
        for number, writer in enumerate(WRITERS)  # what differs is tested above for each
    ],
    ids=lambda writer: writer.kind,
)
def test_objects_are_found_and_clouds_and_shadows_are_never_flagged(writer, tmp_path):
    cube = writer.cube()
    path = writer.write(cube, tmp_path)

    result = run("detect", path, "-o", tmp_path / "out", "--set", "training.max_steps=30")

    assert result.code == 0, result.err
    (flags,) = bands_of(tmp_path / "out" / f"{writer.stem(path)}.flags.tif")
    if writer.exact:
        assert not (flags[cube.hidden] == 1).any()
        assert (flags[cube.objects] == 1).any()
