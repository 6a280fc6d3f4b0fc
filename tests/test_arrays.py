"""Arrays in memory are scored as the same pixels in a file; arrays given for paths are refused."""

import numpy as np
import pytest
import torch
from support.rasters import NODATA, QUICK, bands_of, land, plant, trained, write, write_labels

import anomvae
from anomvae.config import resolve_config
from anomvae.errors import BandMismatch, ConfigError
from anomvae.raster import Scene


def pixels():
    """Return land with an object and a row without data, axes (row, col, band)."""
    values = np.moveaxis(plant(land()), 0, -1)
    return np.where(values == NODATA, np.nan, values)


def in_file(folder, cube, **profile):
    """Write an array as a GeoTIFF."""
    options = {"nodata": np.nan, **profile}
    return write(folder / "scene.tif", np.moveaxis(cube, -1, 0), **options)


def assert_equal_files(result, files):
    """Require that a result is, to the bit, what files hold."""
    np.testing.assert_array_equal(np.stack(result.terms), bands_of(files.scores))
    (flags,) = bands_of(files.flags)
    np.testing.assert_array_equal(result.flags, flags == 1)
    np.testing.assert_array_equal(np.isnan(result.scores), flags == 255)


@pytest.mark.parametrize("config", ["default", "small-objects"])
def test_an_array_has_the_scores_and_flags_of_its_file(tmp_path, config):
    detector, cube = trained(config), pixels()

    result = anomvae.score_array(detector, cube)

    scored = anomvae.score_scene(detector, in_file(tmp_path, cube), tmp_path / "out")
    assert_equal_files(result, scored.files)
    assert result.threshold == scored.threshold
    assert result.flags[10:12, 12:14].all()


@pytest.mark.parametrize("rule", ["auto", "quantile:0.01", "log-sigma:3+local:2"])
def test_a_detected_array_has_the_scores_and_flags_of_its_file(tmp_path, rule):
    config = resolve_config("default", (*QUICK, f"threshold={rule}")).config
    cube = pixels()

    result = anomvae.detect_array(cube, config, seed=3)

    found = anomvae.detect_scene(in_file(tmp_path, cube), tmp_path / "out", config, seed=3)
    assert_equal_files(result, found.files)
    assert result.threshold == found.threshold


def test_p_values_are_those_of_the_file(tmp_path):
    config = resolve_config("default", (*QUICK, "threshold=fdr:0.05")).config
    cube, options = pixels(), anomvae.ScoreOptions(p_values=True)
    detector = anomvae.train([in_file(tmp_path, cube)], config)

    result = anomvae.score_array(detector, cube)

    scored = anomvae.score_scene(detector, in_file(tmp_path, cube), tmp_path / "out", options)
    np.testing.assert_array_equal(result.p_values, bands_of(scored.files.p_values)[0])
    assert anomvae.score_array(trained(), cube).p_values is None


@pytest.mark.parametrize("dtype", ["int16", "float64", "float32"])
def test_every_type_of_numbers_and_nodata_is_read_as_from_a_file(tmp_path, dtype):
    cube = np.where(np.isnan(pixels()), -9999, pixels() * 1000).astype(dtype)
    path = in_file(tmp_path, cube, nodata=-9999)
    detector = anomvae.train([path], resolve_config("default", QUICK).config)

    result = anomvae.score_array(detector, cube, nodata=-9999)

    scored = anomvae.score_scene(detector, path, tmp_path / "out")
    assert_equal_files(result, scored.files)
    assert np.isnan(result.scores[0]).all()


def test_masked_values_and_several_numbers_are_no_data():
    cube = np.nan_to_num(pixels(), nan=-1.0)
    cube[5] = -2.0
    masked = np.ma.masked_less(cube, 0)

    by_mask = anomvae.score_array(trained(), masked)
    by_numbers = anomvae.score_array(trained(), cube, nodata=(-1.0, -2.0))

    assert np.isnan(by_mask.scores[[0, 5]]).all()
    np.testing.assert_array_equal(by_mask.scores, by_numbers.scores)


def test_the_array_is_not_changed_and_a_tensor_is_an_array():
    cube = pixels()
    before = cube.copy()

    result = anomvae.score_array(trained(), torch.from_numpy(cube))

    np.testing.assert_array_equal(cube, before)
    np.testing.assert_array_equal(result.scores, anomvae.score_array(trained(), cube).scores)


def test_an_array_of_the_bands_of_a_detector_fits_one_with_names_and_scales(tmp_path):
    stored = np.round(np.nan_to_num(pixels(), nan=0.0) * 1e4).astype("uint16")
    path = write(
        tmp_path / "scene.tif",
        np.moveaxis(stored, -1, 0),
        names=[f"B{number}" for number in range(1, 7)],
        scales=[1e-4] * 6,
        nodata=0,
    )
    detector = anomvae.train([path], resolve_config("default", QUICK).config)
    with Scene.of(path).open() as opened:
        values = opened.read((slice(0, 40), slice(0, 48)))[0]

    result = anomvae.score_array(detector, values)

    scored = anomvae.score_scene(detector, path, tmp_path / "out")
    assert_equal_files(result, scored.files)


def test_an_array_in_other_units_is_warned_of_and_a_fitting_one_is_not(caplog):
    anomvae.score_array(trained(), pixels())
    assert not caplog.text

    anomvae.score_array(trained(), pixels() * 10_000)
    assert "array: " in caplog.text


def test_an_array_of_other_bands_or_axes_is_refused():
    with pytest.raises(BandMismatch, match="array has 4 bands"):
        anomvae.score_array(trained(), pixels()[..., :4])
    with pytest.raises(ConfigError, match=r"axes \(row, col, band\)"):
        anomvae.score_array(trained(), pixels()[..., 0])
    with pytest.raises(ConfigError, match=r"axes \(row, col, band\)"):
        anomvae.detect_array(pixels().astype(complex))
    with pytest.raises(TypeError, match=r"is a path.*score_scene or anomvae\.detect_scene"):
        anomvae.score_array(trained(), "scene.tif")


class Named:
    """A path of another library (`os.PathLike`), whose text is not its path."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


CALLS = {
    "train": lambda path, _: anomvae.train([path]),
    "train one": lambda path, _: anomvae.train(path),
    "detect": lambda path, _: anomvae.detect(path),
    "score_scene": lambda path, folder: anomvae.score_scene(trained(), path, folder / "o"),
    "detect_scene": lambda path, folder: anomvae.detect_scene(path, folder / "o"),
    "evaluate map": lambda path, folder: anomvae.evaluate(path, folder / "labels.tif"),
    "evaluate labels": lambda path, folder: anomvae.evaluate(folder / "a.tif", path),
    "evaluate_detector": lambda path, folder: anomvae.evaluate_detector(
        trained(), path, folder / "labels.tif"
    ),
    "refit_threshold": lambda path, _: anomvae.refit_threshold(trained(), [path]),
    "rethreshold": lambda path, _: anomvae.rethreshold(path, "sigma:3"),
    "load": lambda path, _: anomvae.load(path),
    "read_objects": lambda path, _: anomvae.read_objects(path),
    "Scene.of": lambda path, _: Scene.of(path),
    "mask": lambda path, _: Scene.of("scene.tif", mask=path),
    "normal": lambda path, _: Scene.of("scene.tif", normal=path),
    "covariates": lambda path, _: Scene.of("scene.tif", covariates=[path]),
}


@pytest.mark.parametrize("array", [np.zeros((4, 5, 6)), torch.zeros(4, 5, 6)], ids=type)
@pytest.mark.parametrize("call", CALLS)
def test_an_array_for_a_path_is_a_type_error_that_names_the_function_for_arrays(
    tmp_path, call, array
):
    with pytest.raises(TypeError, match=r"of shape \(4, 5, 6\)\).*score_array") as error:
        CALLS[call](array, tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [3, None, 2.5])
def test_what_is_neither_path_nor_array_is_a_type_error(value):
    with pytest.raises(TypeError, match="A path is expected, not a value of type"):
        Scene.of(value)


def test_any_path_like_object_is_a_path(tmp_path):
    path, out = in_file(tmp_path, pixels()), tmp_path / "out"
    labels = Named(write_labels(tmp_path / "labels.tif"))
    model = tmp_path / "m.safetensors"
    config = resolve_config("default", QUICK).config
    mask = np.ones((1, 40, 48), "uint8")
    hidden = Named(write(tmp_path / "mask.tif", mask, nodata=None))

    select = anomvae.Selection(mask=hidden, normal=[hidden])
    detector = anomvae.train([Named(path)], config, select=select)
    detector.save(Named(model))
    loaded = anomvae.load(Named(model))
    result = anomvae.score_scene(loaded, Named(path), Named(out))

    assert result.files.scores.parent == out
    assert anomvae.evaluate(Named(result.files.scores), labels, Named(path)).table().shape[0] == 2
    assert anomvae.rethreshold(Named(result.files.scores), "sigma:3").flagged
    assert len(anomvae.read_objects(Named(result.files.objects)).items)
    np.testing.assert_array_equal(
        anomvae.score_array(loaded, pixels()).scores, bands_of(result.files.scores)[0]
    )
