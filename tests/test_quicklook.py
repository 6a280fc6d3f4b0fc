"""The quick look: the same from any tiles, and small anomalies stay visible."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.rasters import BANDS
from support.scorers import ONE, SIX

from anomvae.mapping.drawing import FLAG, FOOT, SHARE, draw, overlay, stretched
from anomvae.mapping.label_places import label_places
from anomvae.mapping.location import Location, ScaleBar
from anomvae.mapping.log_scale import NO_DATA, LogScale
from anomvae.mapping.quicklook import SIDE, ObjectMark, QuickLook, QuickLookSpec
from anomvae.mapping.sheet import PANEL
from anomvae.pixels.tiling import SamplingGrid, tiles
from anomvae.raster import Ground

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


PLACE = Location(Ground(10.0, 10.0, (0.0, -0.1)), ("1\N{DEGREE SIGN} N", "0\N{DEGREE SIGN} N"))


def quicklook_at(shape, location=PLACE):
    quicklook = QuickLook(QuickLookSpec.of(shape, SIX, location=location))
    quicklook.scores[:] = np.linspace(1, 100, quicklook.scores.shape[1])
    return quicklook


def longest_run(row):
    """Return the length of the longest run of black pixels."""
    black = np.diff(np.flatnonzero(np.append(np.insert((row != 0).any(-1), 0, True), True)))
    return int(black.max()) - 1


@pytest.mark.parametrize("shape", [(20, 20), (300, 300), (2000, 2400)])
def test_the_scale_bar_is_as_long_as_it_says(shape):
    quicklook = quicklook_at(shape)

    picture = pixels_of(draw("scene", quicklook, ONE))

    width = max(PANEL, quicklook.scores.shape[1])
    bar = ScaleBar.fitting(SHARE * width * 10 * shape[1] / width)
    below = picture[-FOOT:, width + 30 : 2 * width + 20]
    assert max(map(longest_run, below)) == pytest.approx(bar.length / 10 / shape[1] * width, abs=2)


def test_a_map_that_is_not_on_earth_has_neither_scale_nor_north():
    located, nowhere = (
        pixels_of(draw("scene", quicklook_at((40, 40), place), ONE)) for place in (PLACE, None)
    )

    assert located.shape[0] > nowhere.shape[0]
    assert longest_run(nowhere[-20, :]) < 20


def test_objects_are_numbered_in_the_panel_of_flags_and_bytes_repeat():
    quicklook, marks = quicklook_at((40, 40)), [ObjectMark(1, (5, 5)), ObjectMark(2, (30, 20))]

    bare, one, other = (draw("scene", quicklook, ONE, each) for each in ((), marks, marks))

    rows, cols = np.nonzero((pixels_of(bare) != pixels_of(one)).any(-1))
    assert one == other
    assert cols.min() > 2 * PANEL
    assert rows.max() - rows.min() > PANEL / 2


coordinate = st.floats(0, 100)


@given(
    boxes=st.lists(st.tuples(coordinate, coordinate, st.floats(0, 9), st.floats(0, 9)), max_size=25)
)
def test_numbers_of_objects_neither_overlap_nor_leave_the_picture(boxes):
    boxes = [(x, y, x + width, y + height) for x, y, width, height in boxes]

    places = label_places(boxes, [(8.0, 5.0)] * len(boxes), (100.0, 100.0))

    assert not boxes or places[0] is not None or boxes[0][2] > 92 or boxes[0][3] > 95
    placed = [place for place in places if place is not None]
    for number, (left, top, right, bottom) in enumerate(placed):
        assert 0 <= left <= right <= 100
        assert 0 <= top <= bottom <= 100
        for other in placed[number + 1 :]:
            assert left >= other[2] or right <= other[0] or top >= other[3] or bottom <= other[1]


@given(
    low=st.floats(1e-6, 1e6), factor=st.floats(1.001, 1e9), apart=st.sampled_from([0.05, 0.12, 0.3])
)
def test_labels_of_a_scale_are_round_and_apart(low, factor, apart):
    scale = LogScale(low, low * factor)

    ticks = scale.ticks(apart)

    steps = np.diff([float(scale.place(tick)) for tick in ticks])
    assert (steps >= apart * (1 - 1e-9)).all()
    if len(ticks) > 2 and factor > 1000:
        digits = {f"{tick:.6e}".partition("e")[0].rstrip("0.") for tick in ticks}
        assert digits <= {"1", "2", "5"}


@pytest.mark.parametrize(
    ("longest", "label"),
    [
        (730, "500 m"),
        (9.99, "5 m"),
        (2500, "2 km"),
        (1e6, "1000 km"),
        (0.3, "20 cm"),
        (0.004, "2 mm"),
    ],
)
def test_a_scale_bar_has_a_round_length_below_the_longest(longest, label):
    assert ScaleBar.fitting(longest).label == label
