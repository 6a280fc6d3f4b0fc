"""The quick look: the same from any tiles, and small anomalies stay visible."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.rasters import BANDS
from support.scorers import ONE, SIX

from anomvae.mapping.drawing import FLAG, draw, overlay, stretched
from anomvae.mapping.log_scale import NO_DATA, LogScale
from anomvae.mapping.quicklook import SIDE, QuickLook, QuickLookSpec
from anomvae.mapping.sheet import PANEL
from anomvae.pixels.tiling import SamplingGrid, tiles

sides = st.integers(1, 30)


def pixels_of(png):
    """Decode a picture, axes (row, col, 3)."""
    return np.asarray(Image.open(BytesIO(png)))


def red_of(png):
    """Count the pixels of a picture that are red as flags are."""
    return np.count_nonzero((pixels_of(png) == np.rint(np.multiply(FLAG, 255))).all(-1))


def collected(spec, block, scores, size, halo=0):
    """Collect a quick look from tiles of a block (time, row, col, band) and scores (row, col)."""
    quicklook = QuickLook(spec)
    for tile in tiles(scores.shape, size, halo):
        quicklook.add_preview(tile.keep, spec.preview(tile, block[:, *tile.read]))
        quicklook.add_scores(tile.keep, scores[tile.keep], ONE.flag(scores[tile.keep]))
    return quicklook


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

    counts = quicklook.scores.shape
    pairs = list(zip(shape, counts, strict=True))
    rows, cols = ((2 * np.arange(count) + 1) * pixels // (2 * count) for pixels, count in pairs)
    cells = np.ix_(*(np.arange(pixels) * count // pixels for pixels, count in pairs))
    largest = np.full(counts, np.nan, np.float32)
    np.fmax.at(largest, cells, scores)
    assert max(counts) <= side
    np.testing.assert_array_equal(quicklook.image, block[-1][np.ix_(rows, cols, [2, 0])])
    np.testing.assert_array_equal(quicklook.scores, largest)
    np.testing.assert_array_equal(quicklook.flags, largest > 1)


def test_one_anomalous_pixel_of_a_large_scene_is_visible_and_flagged():
    block = np.broadcast_to(np.float32(0.5), (1, 3000, 2000, BANDS))
    scores = np.full((3000, 2000), 0.5, np.float32)
    scores[1234, 567] = 100
    spec = QuickLookSpec.of(scores.shape, SIX)

    quicklook = collected(spec, block, scores, (1024, 700))
    plain = collected(spec, block, np.full_like(scores, 0.5), (1024, 700))

    rows, cols = np.nonzero(quicklook.flags)
    assert max(quicklook.scores.shape) == SIDE
    assert (rows.tolist(), cols.tolist()) == ([1234 * 512 // 3000], [567 * 341 // 2000])
    assert quicklook.scores[rows[0], cols[0]] == 100
    assert red_of(draw("scene", quicklook, ONE)) == red_of(draw("scene", plain, ONE)) + 1


@pytest.mark.parametrize("fill", [np.nan, 1.0])
def test_a_scene_without_data_or_contrast_can_be_drawn(fill):
    quicklook = QuickLook(QuickLookSpec.of((10, 12), SIX))
    quicklook.image[:] = quicklook.scores[:] = fill

    assert draw("flat", quicklook, ONE).startswith(b"\x89PNG")


def test_flags_of_a_map_lie_over_its_scores_where_there_is_no_scene():
    scores = np.full((10, 12), 0.5, np.float32)
    scores[4, 5] = 100
    quicklook, other = (
        QuickLook(QuickLookSpec.of(scores.shape)),
        QuickLook(QuickLookSpec.of(scores.shape)),
    )
    quicklook.add_scores((slice(0, 10), slice(0, 12)), scores, scores > 1)
    other.add_scores((slice(0, 10), slice(0, 12)), scores, scores > 1000)
    pictures = [draw("map", one, ONE) for one in (quicklook, other)]

    assert red_of(pictures[0]) > red_of(pictures[1]) + (PANEL // 12) ** 2 - 2 * PANEL // 12
    assert pixels_of(pictures[0]).shape[1] < 2.5 * PANEL


@given(low=st.floats(1e-6, 1e6), factor=st.floats(1, 1e6), score=st.floats(0, 1e12))
def test_scores_have_colours_by_their_logarithm_and_few_round_labels(low, factor, score):
    scale = LogScale.of(np.array([low, low * factor, np.nan], np.float32))

    dark, light, missing = scale.colours(np.array([[scale.low, scale.high, np.nan]]))[0]
    middle = scale.place(np.sqrt(scale.low * scale.high))
    ticks = scale.ticks()

    assert dark.sum() < 0.7 < 1.8 < light.sum()
    np.testing.assert_allclose(missing, NO_DATA)
    assert middle == pytest.approx(0.5, abs=1e-6)
    assert 0 <= scale.place(score) <= 1
    assert 2 <= len(ticks) <= 9
    assert all(scale.low <= tick <= scale.high for tick in ticks)


@pytest.mark.parametrize("title", ["a" * 300, "Bærum µ 日本 \n\ud800", ""])
@pytest.mark.parametrize("shape", [(1, 1), (400, 3), (3, 400)])
def test_scenes_of_any_name_and_shape_have_a_readable_picture(title, shape):
    picture = pixels_of(draw(title, QuickLook(QuickLookSpec.of(shape, SIX)), ONE))

    rows, cols = picture.shape[:2]
    assert PANEL / 4 < rows < 3.2 * PANEL
    assert (1.5 if shape[0] > shape[1] else 3) * PANEL < cols < 4 * PANEL
    assert (picture[[0, -1]] == 255).all()  # nothing is cut off


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
