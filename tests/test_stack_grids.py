"""Stacks of rasters with several grids: finer pixels become means, coarser ones are repeated."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from support.scene_files import in_folder, make, read

from anomvae.errors import ConfigError, GridMismatch, RasterError
from anomvae.raster import BandStack, Scene, StackBand

SATURATED = 65535


def write_side(folder, name, values, side, **options):
    """Write values, axes (row, col), with pixels of a side, from one corner."""
    transform = Affine(side, 0, 5e5, 0, -side, 4e6)
    options = {"crs": "EPSG:32633", "transform": transform, "driver": "GTiff", **options}
    return str(make(folder / f"{name}.tif", values[None], **options))


def numbers(shape, seed=0, holes=0.3):
    """Draw whole numbers, some of them 0 = no data."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < holes, 0, rng.integers(1, 9999, shape)).astype("uint16")


def stack_of(folder, fine, coarse, resolution=20.0, **options):
    """Stack a raster of 10 m and one of 20 m."""
    bands = (
        StackBand("fine", write_side(folder, "fine", fine, 10, **options), nodata=0, scale=0.5),
        StackBand("coarse", write_side(folder, "coarse", coarse, 20), nodata=0),
    )
    return BandStack("stack", bands, resolution)


def nanmeans(values, factor):
    """Return the mean of those of each square that are not 0."""
    rows, cols = (side // factor for side in values.shape)
    squares = values.astype(float).reshape(rows, factor, cols, factor)
    return np.ma.masked_equal(squares, 0).mean(axis=(1, 3)).filled(np.nan)


def test_a_pixel_is_the_mean_of_the_finer_ones_that_have_data(tmp_path):
    fine, coarse = numbers((60, 80)), numbers((30, 40), seed=1)

    found = read(stack_of(tmp_path, fine, coarse))

    np.testing.assert_allclose(found[..., 0], 0.5 * nanmeans(fine, 2), rtol=1e-6)
    np.testing.assert_array_equal(found[..., 1], np.where(coarse == 0, np.nan, coarse))


def test_means_do_not_come_from_overviews(tmp_path):
    fine, coarse = numbers((512, 512)), numbers((256, 256), seed=1)
    stack = stack_of(
        tmp_path, fine, coarse, tiled=True, blockxsize=128, blockysize=128,
        describe=lambda file: file.build_overviews([2]),
    )  # fmt: skip

    np.testing.assert_allclose(read(stack)[..., 0], 0.5 * nanmeans(fine, 2), rtol=1e-6)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack")
    return stack_of(folder, numbers((60, 80)), numbers((30, 40), seed=1))


windows = st.tuples(*(st.tuples(st.integers(0, n - 1), st.integers(1, n)) for n in (30, 40)))


@in_folder
@given(window=windows)
def test_no_value_depends_on_the_window(shared, window):
    whole = read(shared)
    rows, cols = (slice(start, min(start + size, n)) for (start, size), n in
                  zip(window, whole.shape, strict=False))  # fmt: skip

    with Scene.of(shared).open() as opened:
        found = opened.read((rows, cols))[0]

    np.testing.assert_array_equal(found, whole[rows, cols])


def test_a_nodata_value_of_the_user_does_not_enter_a_mean(tmp_path):
    fine = numbers((4, 4), holes=0)
    fine[0, 0] = SATURATED

    found = read(stack_of(tmp_path, fine, numbers((2, 2), holes=0)), nodata=[SATURATED])

    assert found[0, 0, 0] == pytest.approx(0.5 * np.mean([fine[0, 1], *fine[1, :2]]), rel=1e-6)


def test_bands_keep_their_order_and_can_be_chosen(tmp_path):
    stack = stack_of(tmp_path, numbers((4, 4), holes=0), numbers((2, 2), seed=1, holes=0))
    whole = read(stack)

    np.testing.assert_array_equal(read(stack, bands="coarse,fine"), whole[..., ::-1])
    np.testing.assert_array_equal(read(stack, bands="fine"), whole[..., :1])


def test_without_a_resolution_coarser_pixels_are_repeated(tmp_path):
    coarse = numbers((2, 2), seed=1, holes=0)

    found = read(stack_of(tmp_path, numbers((4, 4), holes=0), coarse, resolution=None))

    np.testing.assert_array_equal(found[..., 1], np.kron(coarse, np.ones((2, 2))))


def test_a_fine_raster_may_end_within_a_coarse_pixel(tmp_path):
    fine, coarse = numbers((7, 8), holes=0), numbers((4, 4), seed=1, holes=0)

    found = read(stack_of(tmp_path, fine, coarse))

    assert found[3, 0, 0] == pytest.approx(0.5 * fine[6, :2].mean(), rel=1e-6)


def test_a_resolution_that_no_raster_has_is_refused_with_those_at_hand(tmp_path):
    stack = stack_of(tmp_path, numbers((4, 4)), numbers((2, 2)), resolution=30)

    with pytest.raises(ConfigError, match=r"no raster with pixels of 30, but of 10, 20\. Choose"):
        read(stack)


def test_pixels_that_do_not_divide_those_of_the_grid_are_refused(tmp_path):
    paths = [
        write_side(tmp_path, "a", numbers((6, 6)), 10),
        write_side(tmp_path, "b", numbers((4, 4)), 15),
    ]
    stack = BandStack("stack", tuple(StackBand(path[-5], path, nodata=0) for path in paths), 15)

    with pytest.raises(GridMismatch, match="do not divide"):
        read(stack)


def test_a_truncated_finer_raster_is_named_with_the_rows(tmp_path):
    stack = stack_of(tmp_path, numbers((600, 600), holes=0), numbers((300, 300)))
    path = tmp_path / "fine.tif"
    path.write_bytes(path.read_bytes()[:100_000])

    with pytest.raises(RasterError, match="stack"):
        read(stack)
