"""Evaluation and alerts hold a part of a scene in memory, however large it is."""

import json
import tracemalloc
from dataclasses import asdict
from heapq import nlargest
from itertools import islice

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from anomvae.errors import FileError
from anomvae.evaluation import evaluate
from anomvae.objects import (
    Listing,
    ScoredTile,
    read_objects,
    read_strongest_objects,
    write_objects,
)
from anomvae.objects.labelling import OBJECT, ObjectTable
from anomvae.objects.outlines import CORNER
from anomvae.objects.ranking import RankedTexts
from anomvae.pixels.grid import Grid
from anomvae.pixels.tiling import tiles
from anomvae.raster import Georeference
from anomvae.raster.maps import LAYERS
from anomvae.stats.metrics import measure, measure_stream
from anomvae.stats.ranks import MAX_EDGES


def write_raster(path, bands, descriptions, size):
    profile = {"driver": "GTiff", "count": len(bands), "height": size, "width": size}
    with rasterio.open(path, "w", dtype="float32", tiled=True, **profile) as dataset:
        dataset.descriptions = descriptions
        for number, band in enumerate(bands, start=1):
            dataset.write(band, number)
    return path


def peak_of(call):
    """Return the result of a call, and the most memory that Python and numpy held in it, bytes."""
    tracemalloc.start()
    try:
        return call(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("rule", [None, "fixed:20+local:1"])
def test_evaluating_a_map_takes_less_memory_than_its_scores(tmp_path, rule):
    size, rng = 1200, np.random.default_rng(0)
    score = rng.gamma(2.0, 3.0, (size, size)).astype("float32")
    truth = np.zeros((size, size), "float32")
    truth[50:60, 70:90] = 1
    score[50:60, 70:90] += 8
    map_ = write_raster(tmp_path / "map.tif", [score] * len(LAYERS), LAYERS, size)
    labels = write_raster(tmp_path / "labels.tif", [truth], ("labels",), size)

    evaluation, peak = peak_of(lambda: evaluate(map_, labels, baselines=(), threshold=rule))

    assert peak < 40 * size * size  # sorting all scores took 115 bytes a pixel
    expected = metrics.roc_auc_score(truth.ravel() > 0, score.ravel())
    assert evaluation.rows["anomvae"].roc_auc == pytest.approx(expected, abs=1e-12)


levels = st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=3, max_size=60).filter(
    lambda pixels: len({label for label, _ in pixels}) == 2
)


@settings(max_examples=40)
@given(levels, st.integers(1, 7))
def test_the_metrics_of_a_stream_are_those_of_all_pixels(pixels, length):
    labels, scores = (np.array(column, float) for column in zip(*pixels, strict=True))
    cuts = range(0, len(labels), length)

    streamed = measure_stream(
        lambda: [(labels[cut : cut + length], scores[cut : cut + length]) for cut in cuts], 4.5
    )

    assert streamed == measure(labels, scores, 4.5)
    truth, flagged = labels > 0, scores > 4.5
    assert streamed.roc_auc == pytest.approx(metrics.roc_auc_score(truth, scores))
    assert streamed.average_precision == pytest.approx(
        metrics.average_precision_score(truth, scores)
    )
    assert streamed.f1 == pytest.approx(metrics.f1_score(truth, flagged, zero_division=0))


def test_the_ranks_of_more_anomalies_than_memory_holds_are_exact():
    rng = np.random.default_rng(1)
    labels, scores = rng.random(50_000) < 0.5, rng.normal(size=50_000).astype("float32")
    scores[labels] += 1

    whole, in_ranges = (
        measure_stream(lambda: [(labels, scores)], max_edges=edges) for edges in (MAX_EDGES, 6000)
    )

    assert asdict(in_ranges) == pytest.approx(asdict(whole), nan_ok=True)
    assert in_ranges.roc_auc == whole.roc_auc


def objects_file(folder, side):
    rng = np.random.default_rng(2)
    flags = np.zeros((side, side), bool)
    flags[1::2, 1::2] = True
    scores = rng.gamma(2.0, 3.0, flags.shape).astype("float32")
    windows = [tile.keep for tile in tiles(flags.shape, (64, side))]
    parts = [ScoredTile(window, scores[window], flags[window]) for window in windows]
    where = Georeference(Grid(flags.shape))
    write_objects(folder / "objects.geojson", parts, where, {}, Listing(0.0))
    return folder / "objects.geojson"


def test_the_strongest_objects_are_read_without_the_others(tmp_path):
    path = objects_file(tmp_path, side=200)

    strongest, peak = peak_of(lambda: read_strongest_objects(path, 20))

    every = read_objects(path)
    assert strongest.items == every.items[:20]
    assert strongest.items == tuple(nlargest(20, every.items, key=lambda item: item.margin))
    assert strongest.provenance == every.provenance
    assert peak < path.stat().st_size / 10


def ranked(folder, count, top=None, portion=500):
    """Rank objects of rising scores, and read the texts of the first three."""
    with RankedTexts(folder, top) as texts:
        for start in range(0, count, portion):
            objects = np.zeros(portion, OBJECT)
            objects["first"] = objects["peak"] = np.arange(start, start + portion)
            alone = ObjectTable(objects, np.arange(portion), np.empty(0, CORNER))
            texts.add(alone, lambda table: (f"{first:1000}" for first in table.objects["first"]))
        return list(map(int, islice(texts.in_order(), 3)))


def test_an_object_that_waits_for_its_rank_takes_some_bytes_of_memory(tmp_path):
    strongest, peak = peak_of(lambda: ranked(tmp_path, 30_000))

    assert strongest == [29_999, 29_998, 29_997]
    assert peak < 30_000 * 80 + 500_000


def test_objects_beyond_the_top_take_no_memory(tmp_path):
    strongest, peak = peak_of(lambda: ranked(tmp_path, 30_000, top=2))

    assert strongest == [29_999, 29_998]
    assert peak < 500_000


@pytest.mark.parametrize("kept", [0.3, 0.999])
def test_an_objects_file_that_is_cut_short_is_refused(tmp_path, kept):
    path = objects_file(tmp_path, side=20)
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: int(kept * len(text))], encoding="utf-8")

    for read in (read_objects, lambda path: read_strongest_objects(path, 3)):
        with pytest.raises(FileError, match="no file of objects as anomvae writes it"):
            read(path)


def test_an_objects_file_is_json(tmp_path):
    document = json.loads(objects_file(tmp_path, side=6).read_text(encoding="utf-8"))

    assert [feature["id"] for feature in document["features"]] == list(range(1, 10))
