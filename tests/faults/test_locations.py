"""A georeference that cannot be right is refused: its numbers must locate the pixels."""

import math
import warnings

import pytest
from affine import Affine
from rasterio.control import GroundControlPoint
from support.scene_files import UTM, is_sentence, make, ramp, read, setting
from support.scorers import Neighbours

from anomvae.errors import RasterError
from anomvae.mapping import ScoreOptions, score_scene

WRONG = {
    "NaN": Affine(math.nan, 0, 0, 0, 1, 0),
    "infinite": Affine(10, 0, math.inf, 0, -10, 0),
    "overflowing": Affine(1e308, 0, 1e308, 0, -1e308, 1e308),
    "immense": Affine(1e300, 0, 0, 0, -1e300, 0),
}


@pytest.mark.parametrize("transform", WRONG.values(), ids=WRONG)
def test_a_transform_that_is_not_finite_is_refused_without_a_warning_of_numpy(tmp_path, transform):
    path = make(tmp_path / "a.tif", ramp(), **UTM | {"transform": transform})

    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        with pytest.raises(RasterError, match="its transform holds NaN, or") as error:
            score_scene(Neighbours(), path, tmp_path / "out", ScoreOptions())

    assert is_sentence(error)
    assert str(path) in str(error.value)
    assert "gdal_edit.py -unsetgt" in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wrong", [math.nan, math.inf, 1e300])
def test_control_points_that_are_not_finite_are_refused(tmp_path, wrong):
    corners = [(0, 0, 1, wrong), (0, 4, 2, 1), (3, 0, 1, 2)]
    points = [GroundControlPoint(*corner) for corner in corners]
    path = make(tmp_path / "a.tif", ramp(), describe=setting(gcps=(points, UTM["crs"])))

    with pytest.raises(RasterError, match="its control points hold NaN, or"):
        read(path)


@pytest.mark.parametrize("size", [1e-300, 1e12])
def test_pixels_of_any_size_that_can_be_are_read(tmp_path, size):
    path = make(tmp_path / "a.tif", ramp(), **UTM | {"transform": Affine.scale(size, -size)})

    assert read(path).shape == (3, 4, 2)
