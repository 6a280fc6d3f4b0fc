"""The quick look: the same from any tiles, and small anomalies stay visible."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rasters import BANDS, land, write
from support.scorers import ONE, SIX

from anomvae.mapping.quicklook import (
    FLAG,
    NO_DATA,
    SIDE,
    QuickLook,
    QuickLookSpec,
    draw,
    overlay,
    stretched,
    visible_bands,
)
from anomvae.pixels.bands import unnamed_bands
from anomvae.pixels.tiling import SamplingGrid, tiles
from anomvae.raster import Scene

sides = st.integers(1, 30)


def collected(spec, block, scores, size, halo=0):
    """Collect a quick look from tiles of a block (time, row, col, band) and scores (row, col)."""
    quicklook = QuickLook(spec)
    for tile in tiles(scores.shape, size, halo):
        quicklook.add(tile, spec.preview(tile, block[:, *tile.read]), scores[tile.keep])
    return quicklook


def cell_edges(pixels, count):
    """Return the first pixel of every cell, and the end."""
    return [-(-cell * pixels // count) for cell in range(count + 1)]


@given(
    shape=st.tuples(sides, sides),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    halo=st.integers(0, 3),
    side=st.integers(1, 40),
)
def test_tiles_of_any_size_give_middle_pixels_and_largest_scores(shape, size, halo, side):
    rng = np.random.default_rng(0)
    block = rng.uniform(size=(2, *shape, 4)).astype("float32")
    scores = rng.exponential(size=shape).astype("float32")
    scores[rng.uniform(size=shape) < 0.3] = np.nan
    spec = QuickLookSpec(SamplingGrid.fitting(shape, side), [2, 0])

    quicklook = collected(spec, block, scores, size, halo)

    rows, cols = (
        [int((index + 0.5) * pixels / count) for index in range(count)]
        for pixels, count in zip(shape, quicklook.scores.shape, strict=True)
    )
    assert max(quicklook.scores.shape) <= side
    np.testing.assert_array_equal(quicklook.image, block[-1][np.ix_(rows, cols, [2, 0])])
    edges = [cell_edges(*pair) for pair in zip(shape, quicklook.scores.shape, strict=True)]
    for row, col in np.ndindex(quicklook.scores.shape):
        cell = scores[edges[0][row] : edges[0][row + 1], edges[1][col] : edges[1][col + 1]]
        largest = np.nanmax(cell) if np.isfinite(cell).any() else np.nan
        np.testing.assert_equal(quicklook.scores[row, col], largest)


@pytest.mark.parametrize("size", [(3000, 2000), (1024, 700)])
def test_one_anomalous_pixel_of_a_large_scene_is_visible_and_flagged(size):
    block = np.broadcast_to(np.float32(0.5), (1, 3000, 2000, BANDS))
    scores = np.full((3000, 2000), 0.5, np.float32)
    scores[1234, 567] = 100
    spec = QuickLookSpec.of(scores.shape, SIX)

    quicklook = collected(spec, block, scores, size)
    plain = collected(spec, block, np.full_like(scores, 0.5), size)

    rows, cols = np.nonzero(ONE.flag(quicklook.scores))
    assert max(quicklook.scores.shape) == SIDE
    assert (rows.tolist(), cols.tolist()) == ([1234 * 512 // 3000], [567 * 341 // 2000])
    assert quicklook.scores[rows[0], cols[0]] == 100
    assert draw("scene", quicklook, ONE) != draw("scene", plain, ONE)


@pytest.mark.parametrize("fill", [np.nan, 1.0])
def test_a_scene_without_data_or_contrast_can_be_drawn(fill):
    quicklook = QuickLook(QuickLookSpec.of((10, 12), SIX))
    quicklook.image[:] = quicklook.scores[:] = fill

    assert draw("flat", quicklook, ONE).startswith(b"\x89PNG")


def test_bands_are_stretched_between_2_and_98_percent_and_no_data_is_grey():
    image = np.linspace(0, 1, 101 * 3, dtype="float32").reshape(1, 101, 3)
    image[0, 0, 1] = np.nan

    result = stretched(image)

    np.testing.assert_allclose(result[0, 0], NO_DATA)
    np.testing.assert_allclose(result[0, [1, 100]], [[0] * 3, [1] * 3])
    np.testing.assert_allclose(result[0, 50], np.interp(50, [2.98, 98.02], [0, 1]), atol=1e-5)
    np.testing.assert_array_equal(stretched(np.ones((4, 4, 3), "float32")), np.zeros((4, 4, 3)))


def test_flags_are_red_over_pale_grey():
    image = np.full((1, 2, 3), 0.5, np.float32)

    result = overlay(image, np.array([[True, False]]))

    np.testing.assert_allclose(result[0], [FLAG, [0.7] * 3], atol=1e-6)


@pytest.mark.parametrize(
    ("names", "bands"),
    [
        (("470 nm", "560 nm", "655 nm", "865 nm", "1610 nm", "2200 nm"), [2, 1, 0]),
        (("470 nm", "480 nm", "500 nm", "545 nm", "560 nm", "655 nm"), [5, 3, 0]),
        (("470 nm", "480 nm", "500 nm", "545 nm", "560 nm", "590 nm"), [3, 2, 1]),
        (("1240 nm", "1500 nm", "1610 nm", "1700 nm", "2100 nm", "2200 nm"), [3, 2, 1]),
        (("470 nm", "560 nm", "655 nm", "865 nm", "1610 nm", "thermal"), [3, 2, 1]),
    ],
)
def test_red_green_and_blue_bands_are_chosen_by_wavelength(tmp_path, names, bands):
    path = write(tmp_path / "named.tif", land(), names=names)

    with Scene.of(path).open() as opened:
        assert visible_bands(opened.bands) == bands


@pytest.mark.parametrize(
    ("count", "bands"), [(1, [0, 0, 0]), (2, [0, 0, 0]), (3, [0, 1, 2]), (9, [6, 4, 2])]
)
def test_bands_without_wavelengths_are_spaced_evenly(count, bands):
    assert visible_bands(unnamed_bands(count)) == bands
