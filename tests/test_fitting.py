"""Fitting: rasters in, a detector with a threshold out."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import maximum_filter
from support.rasters import BANDS, NODATA, land, plant, write, write_labels

import anomvae
from anomvae.config import resolve_config, shipped_configs
from anomvae.errors import BandMismatch, GridMismatch, NotEnoughPixels, RasterError
from anomvae.fitting import FEW, Selection, detect, refit_threshold, train
from anomvae.models.families import family_named
from anomvae.pixels.annulus import Annulus
from anomvae.pixels.tiling import Tile
from anomvae.raster import RasterReader
from anomvae.stats.thresholds import describe_scores, parse_rule
from anomvae.training.sampling import cut_blocks, held_out_blocks

SHORT = resolve_config("default", ["training.max_steps=30"]).config
SMALL = resolve_config("small-objects", ["training.max_steps=40"]).config
either = pytest.mark.parametrize("config", [SHORT, SMALL], ids=["default", "small-objects"])


def scores_of(detector, path):
    with RasterReader(path) as reader:
        rows, cols = reader.grid.shape
        return detector.score(reader.read((slice(0, rows), slice(0, cols)))).total[0]


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "scene.tif", land((64, 64), seed=1))


@either
def test_the_same_seed_gives_the_same_file(scene, config):
    one, same, other = (train([scene], config, seed).to_bytes() for seed in (0, 0, 1))

    assert one == same
    assert one != other


@either
def test_the_threshold_is_mean_plus_three_sigma_over_held_out_blocks(scene, config):
    detector = train([scene], config, seed=3)

    blocks = held_out_blocks((64, 64), seed=3, scene=0, radius=detector.view.radius)
    away = blocks.inside((slice(0, 64), slice(0, 64)))
    scores = scores_of(detector, scene)[away].astype(float)
    assert detector.threshold.value == pytest.approx(scores.mean() + 3 * scores.std(), rel=1e-6)
    assert detector.threshold.pixels == away.sum()
    assert detector.threshold.held_out
    near = maximum_filter(away, 2 * detector.view.radius + 1, mode="constant")
    assert detector.card.training.pixels == (~near).sum()


def test_a_fifth_of_the_blocks_is_held_out():
    blocks = held_out_blocks((640, 800), seed=0, scene=0)

    assert blocks.side == 64
    assert blocks.chosen.sum() == round(0.2 * 10 * 13)


def test_a_detector_that_looks_sideways_still_learns_half_of_what_is_there():
    for shape in ((100, 50), (100, 100), (400, 300)):
        window = slice(0, shape[0]), slice(0, shape[1])
        shares = [
            maximum_filter(held_out_blocks(shape, seed, 0, radius=7).inside(window), 15).mean()
            for seed in range(5)
        ]
        assert max(shares) < 0.6


@either
def test_detect_learns_every_valid_pixel(scene, config):
    detector = detect(scene, config)

    assert detector.card.training.pixels == 64 * 64
    assert detector.card.noise == "covariance"
    assert detector.card.training.trim == 0.05
    assert detector.threshold.rule == "sigma-clip:3"
    assert not detector.threshold.held_out


def test_train_takes_noise_that_transfers_and_trims_against_contamination(scene):
    detector = train([scene], SHORT)

    assert detector.card.noise == "band"
    assert detector.card.training.trim == 0.05


def test_normal_areas_are_all_that_is_learnt_and_nothing_of_them_is_trimmed(tmp_path, scene):
    normal = np.zeros((1, 64, 64), "uint8")
    normal[0, :, :32] = 7
    mask = write(tmp_path / "normal.tif", normal, nodata=None)

    detector = train([scene], SHORT, select=Selection(normal=[mask]))

    assert detector.card.training.trim == 0
    assert detector.card.training.pixels + detector.threshold.pixels == 64 * 32


def test_polygons_say_what_is_normal(tmp_path, scene):
    # The left half, in WGS 84; the scene lies at 15 degrees east in UTM zone 33.
    from rasterio.warp import transform

    corners = [(0, 0), (320, 0), (320, -640), (0, -640), (0, 0)]
    xs, ys = transform(
        "EPSG:32633", "EPSG:4326", [5e5 + x for x, _ in corners], [4e6 + y for _, y in corners]
    )
    annulus = [list(point) for point in zip(xs, ys, strict=True)]
    area = tmp_path / "normal.geojson"
    area.write_text(json.dumps({"type": "Polygon", "coordinates": [annulus]}))

    detector = train([scene], SHORT, select=Selection(normal=[area]))

    assert detector.card.training.pixels + detector.threshold.pixels == 64 * 32


def test_a_mask_takes_pixels_out_of_training(tmp_path, scene):
    keep = np.ones((1, 64, 64), "uint8")
    keep[0, :16] = 0
    mask = write(tmp_path / "mask.tif", keep, nodata=None)

    detector = train([scene], SHORT, select=Selection(mask=mask))

    assert detector.card.training.pixels + detector.threshold.pixels == 48 * 64


def test_scenes_are_learnt_evenly(tmp_path):
    small = write(tmp_path / "small.tif", land((24, 24), seed=1))
    large = write(tmp_path / "large.tif", land((96, 96), seed=2) + 10)
    few = resolve_config("default", ["training.max_pixels=200", "training.max_steps=2"]).config

    detector = train([small, large], few)

    assert detector.card.training.pixels == 200
    assert detector.scaler.centre == pytest.approx([5.3] * BANDS, abs=0.3)


def test_one_model_learns_several_scenes(tmp_path, scene):
    other = write(tmp_path / "other.tif", land((64, 64), seed=2))

    detector = train([scene, other], SHORT)

    assert detector.card.training.scenes == ("scene.tif", "other.tif")
    total = detector.card.training.pixels + detector.threshold.pixels
    assert total == 2 * 64 * 64


def test_bands_are_chosen_while_training_and_found_while_scoring(tmp_path):
    names = tuple(f"{wave} nm" for wave in (450, 550, 650, 850, 1600, 2200))
    path = write(tmp_path / "named.tif", land(), names=names)

    detector = train([path], SHORT, select=Selection(bands="500-900nm"))
    result = anomvae.score_scene(detector, path, tmp_path / "out")

    assert detector.bands.names == ("550 nm", "650 nm", "850 nm")
    assert result.valid == 40 * 48


def test_unnamed_bands_are_chosen_and_found_by_position(tmp_path, scene):
    detector = train([scene], SHORT, select=Selection(bands="2,5"))
    result = anomvae.score_scene(detector, scene, tmp_path / "out")

    assert detector.bands.indexes == [2, 5]
    assert result.valid == 64 * 64


@either
def test_dead_bands_are_named_left_out_and_not_needed(tmp_path, caplog, config):
    values = land((64, 64), BANDS + 2)
    values[3] = 0.25
    values[5] = NODATA  # no data in the whole band
    path = write(tmp_path / "dead.tif", values)

    detector = train([path], config)
    result = anomvae.score_scene(detector, path, tmp_path / "out")

    assert detector.card.dropped == ("band_4", "band_6")
    assert caplog.text.count("band_4, band_6") == 1
    assert result.valid == 64 * 64


def test_few_pixels_are_enough_but_warned_of(tmp_path, caplog):
    path = write(tmp_path / "few.tif", land((8, 8)))

    detector = train([path], SHORT)

    assert detector.threshold.pixels < FEW
    assert "expect a rough detector" in caplog.text
    assert "rests on" in caplog.text


@either
@pytest.mark.parametrize("valid", [0, 1, 31])
def test_fewer_than_32_valid_pixels_are_refused(tmp_path, valid, config):
    values = np.full((BANDS, 40, 40), NODATA, "float32")
    values[:, 0, :valid] = land((1, 40))[:, 0, :valid]
    path = write(tmp_path / "scene.tif", values)

    for fit in (lambda: train([path], config), lambda: detect(path, config)):
        with pytest.raises(NotEnoughPixels, match=f"{valid} valid pixels .* at least 32"):
            fit()


@either
def test_32_valid_pixels_are_enough(tmp_path, config):
    values = np.full((BANDS, 40, 40), NODATA, "float32")
    values[:, 0, :32] = land((1, 40))[:, 0, :32]
    path = write(tmp_path / "scene.tif", values)

    assert detect(path, config).card.training.pixels == 32


def test_a_threshold_is_refitted_and_nothing_else(tmp_path, scene):
    detector = train([scene], SHORT)
    other = write(tmp_path / "other.tif", land((64, 64), seed=5))

    refitted = refit_threshold(detector, [other], "quantile:0.01")

    scores = describe_scores(scores_of(detector, other))
    assert refitted.threshold.value == parse_rule("quantile:0.01").threshold(scores).value
    assert refitted.threshold.pixels == 64 * 64
    assert refitted.model is detector.model
    assert detector.threshold.rule == "sigma:3"


def test_a_threshold_is_not_refitted_on_other_bands(tmp_path, scene):
    other = write(tmp_path / "other.tif", land(bands=3))

    with pytest.raises(BandMismatch, match=r"other\.tif has 3 bands"):
        refit_threshold(train([scene], SHORT), [other], "sigma:3")


@pytest.mark.parametrize("config", ["default", "small-objects"])
def test_anomalies_are_above_the_threshold_though_they_were_learnt(tmp_path, config):
    scene = write(tmp_path / "planted.tif", plant(land((64, 64))))

    detector = detect(scene, config)

    scores = scores_of(detector, scene)
    assert (scores[10:12, 12:14] > detector.threshold.value).all()


@pytest.mark.parametrize("config", ["default", "small-objects"])
def test_the_left_half_judges_the_right_half(tmp_path, config):
    whole = plant(land((64, 96)), row=20, col=70)
    left = write(tmp_path / "left.tif", whole[:, :, :48].copy())
    right = write(tmp_path / "right.tif", whole[:, :, 48:].copy())
    labels = write_labels(tmp_path / "labels.tif", (64, 48), row=20, col=70 - 48)

    detector = train([left], config)
    found = anomvae.evaluate(anomvae.score_scene(detector, right, tmp_path / "out"), labels)

    assert found.rows["anomvae"].roc_auc > 0.99
    assert found.rows["anomvae"].recall == 1


def test_no_scene_is_no_training():
    with pytest.raises(anomvae.AnomvaeError, match="at least one raster"):
        train([], SHORT)


def test_a_missing_scene_is_named():
    with pytest.raises(RasterError, match=r"gone\.tif does not exist"):
        train(["gone.tif"], SHORT)


def test_threshold_blocks_cover_a_scene():
    shape = (70, 90)
    visits = np.zeros(shape, int)

    for tile in cut_blocks(shape).tiles(halo=3):
        assert isinstance(tile, Tile)
        visits[tile.keep] += 1

    assert (visits == 1).all()


def test_hundreds_of_scenes_are_not_open_at_once(tmp_path):
    resource = pytest.importorskip("resource")
    scenes = [write(tmp_path / f"s{n}.tif", land((8, 8), seed=n)) for n in range(60)]
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 64

    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 30, limits[1]))
    try:
        detector = train(scenes, SHORT)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert len(detector.card.training.scenes) == 60


def test_a_normal_area_in_a_single_block_is_still_learnt(tmp_path, scene):
    normal = np.zeros((1, 64, 64), "uint8")
    normal[0, :8, :8] = 1
    mask = write(tmp_path / "normal.tif", normal, nodata=None)

    for seed in range(12):
        detector = train([scene], SHORT, seed, select=Selection(normal=[mask]))
        assert detector.card.training.pixels == 64
        assert not detector.threshold.held_out


def test_pixels_that_lack_a_band_are_not_counted_as_valid(tmp_path):
    values = land()
    values[2, :, 1:] = NODATA
    path = write(tmp_path / "lacking.tif", values)

    top = np.zeros((1, 40, 48), "uint8")
    top[0, :20] = 1
    mask = write(tmp_path / "top.tif", top, nodata=None)

    with pytest.raises(NotEnoughPixels, match=r"lacking\.tif: 20 valid pixels"):
        train([path], SHORT, select=Selection(mask=mask))


def test_a_band_with_hardly_any_data_is_left_out(tmp_path, caplog):
    values = land()
    values[2] = NODATA
    values[2, 5, 5] = 0.3
    path = write(tmp_path / "sparse.tif", values)

    detector = train([path], SHORT)

    assert detector.card.dropped == ("band_3",)
    assert "band_3" in caplog.text


def test_a_scene_without_the_nodata_value_of_training_is_warned_of(tmp_path, scene, caplog):
    other = write(tmp_path / "other.tif", land(), nodata=None)

    anomvae.score_scene(train([scene], SHORT), other, tmp_path / "out")

    assert "other.tif has no nodata value" in caplog.text


def test_a_mask_in_another_zone_is_refused(tmp_path, scene):
    mask = write(
        tmp_path / "mask.tif", np.ones((1, 64, 64), "uint8"), nodata=None, crs="EPSG:32632"
    )

    with pytest.raises(GridMismatch, match=r"EPSG:32632, but .* EPSG:32633"):
        train([scene], SHORT, select=Selection(mask=mask))


def test_a_narrow_raster_is_not_read_pixel_by_pixel():
    blocks = cut_blocks((7, 10_980))

    assert len(blocks.tiles(0)) < 10_000


def test_whole_pixels_on_one_side_of_the_split_are_learnt_in_sample(tmp_path):
    values = np.full((2, 128, 128), NODATA, "float32")
    drawn = land((128, 128), 2)
    values[0, :72, :72] = drawn[0, :72, :72]
    values[1, 56:, 56:] = drawn[1, 56:, 56:]
    path = write(tmp_path / "overlap.tif", values)

    for seed in range(6):
        detector = train([path], SHORT, seed)
        assert detector.threshold.pixels > 0


def test_a_single_path_is_one_scene(scene):
    assert train(scene, SHORT).card.training.scenes == ("scene.tif",)
    assert train(str(scene), SHORT).card.training.scenes == ("scene.tif",)


# RunEnvironment


def test_a_small_objects_detector_is_what_its_configuration_says(scene):
    card = train([scene], SMALL).card

    assert card.family == "cvae"
    assert (card.context.annulus, card.weighting.annulus) == (Annulus(15, 7), Annulus(21, 7))
    assert (card.context.mean_components, card.context.std_components, card.context.clip_sigma) == (
        10,
        5,
        2.0,
    )
    assert (card.weighting.local_contrast, card.weighting.latent_distance) == (0.65, 1.0)


def test_training_sees_no_held_out_pixel_even_around_another(tmp_path):
    values = land((64, 64), seed=1)
    away = held_out_blocks((64, 64), 0, scene=0, radius=7).inside((slice(0, 64), slice(0, 64)))
    other = np.where(away, values[::-1] * 3, values)
    paths = [write(tmp_path / name, part) for name, part in (("a.tif", values), ("b.tif", other))]

    one, same = (train([path], SMALL) for path in paths)

    assert one.card.weighting == same.card.weighting
    for name, weight in one.model.state_dict().items():
        assert weight.equal(same.model.state_dict()[name]), name
    for name, array in one.context.tensors.items():
        assert np.array_equal(array, same.context.tensors[name]), name


@pytest.mark.parametrize("shape", [(5, 9), (1, 40), (40, 1), (14, 70)])
def test_a_scene_narrower_than_the_ring_is_learnt_and_scored(tmp_path, shape):
    path = write(tmp_path / "narrow.tif", land((64, 80))[:, : shape[0], : shape[1]].copy())

    for detector in (train([path], SMALL), detect(path, SMALL)):
        assert np.isfinite(scores_of(detector, path)).all()


def test_a_band_that_only_the_surroundings_have_is_no_part_of_their_context(tmp_path, caplog):
    away = held_out_blocks((64, 64), 0, scene=0, radius=7).inside((slice(0, 64), slice(0, 64)))
    near = maximum_filter(away, 15, mode="constant")
    values = land((64, 64))
    values[2] = np.where(near & ~away, values[2], 0.3)  # constant in what is trained on
    path = write(tmp_path / "scene.tif", values)

    detector = train([path], SMALL)

    assert detector.card.dropped == ()
    assert not detector.threshold.held_out
    assert "too little data to hold some out" in caplog.text


# Configurations


@pytest.mark.parametrize("name", shipped_configs())
def test_every_shipped_configuration_trains_and_scores(tmp_path, name):
    config = resolve_config(name, ["training.max_steps=20"]).config
    count = 4 if family_named(config.model.family).of_dates else 1
    dates = [write(tmp_path / f"{day}.tif", land((80, 80), seed=day)) for day in range(count)]

    detector = train(dates, config)
    result = anomvae.score_scene(detector, dates, tmp_path / "out")

    assert detector.card.family == config.model.family
    assert detector.card.training.dates == count
    assert detector.card.training.scenes == tuple(path.name for path in dates)
    assert result.valid == 80 * 80


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_out_of_range_is_refused(scene, seed):
    with pytest.raises(anomvae.AnomvaeError, match="seed ="):
        train([scene], SHORT, seed)
