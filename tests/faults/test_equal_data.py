"""The same physical values give the same map to the bit, however a file holds them."""

import pytest

from benchmarks.faults.equal import DETECTED, WAYS, maps_of, prepare, require_same

pytestmark = pytest.mark.filterwarnings("ignore")
OTHERS = ("bigtiff", "big-endian", "strips", "band-interleaved", "zstd", "uint32", "int32", "ehdr")
OTHERS += ("float32", "mask-beside", "cog", "envi-bsq", "hfa", "named", "reversed")
OTHERS += ("detect-float32", "detect-scaled-int32")
"""Ways that differ little from another one, which is tried always."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("equal")
    prepare(folder)
    return folder


@pytest.fixture(scope="module")
def expected(inputs, tmp_path_factory):
    """Make the map of the plainest file, for `score` and for `detect`."""
    folder = tmp_path_factory.mktemp("plain")
    ways = ("uint16", "detect-float32")
    return {way: maps_of(way, 1, inputs, folder / way) for way in ways}


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=pytest.mark.slow) if way in OTHERS else way for way in WAYS]
)
def test_the_map_does_not_depend_on_how_a_file_holds_the_values(way, inputs, expected, tmp_path):
    maps = maps_of(way, 1, inputs, tmp_path)

    require_same(way, maps, expected["detect-float32" if way in DETECTED else "uint16"])
    assert (maps[1] == 1).sum() > 0
