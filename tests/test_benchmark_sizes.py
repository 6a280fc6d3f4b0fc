"""The benchmark of configurations by the size of objects."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import sizes
from benchmarks.contestants import contestants


@pytest.mark.parametrize("land", sizes.LANDS)
@pytest.mark.parametrize("size", [(1, 1), (5, 6)])
def test_a_scene_has_so_many_separate_objects_of_whole_pixels_of_a_size(land, size):
    labels = sizes.draw(land, size, seed=1).labels

    objects, count = ndimage.label(labels)

    assert count == sizes.OBJECTS
    assert (np.bincount(objects.ravel())[1:] == size[0] * size[1]).all()


def test_the_table_has_a_line_for_each_land_and_size(monkeypatch):
    monkeypatch.setattr(sizes, "SIZES", ((2, 2), (3, 4)))

    header, _, *lines = sizes.lines(contestants([], ["rx"]), seeds=1)

    assert header == "| land | pixels | rx |"
    assert [line.split(" | ")[:2] for line in lines] == [
        ["| mixed", "4"], ["| mixed", "12"], ["| copies", "4"], ["| copies", "12"]
    ]  # fmt: skip
    assert all("%" in line for line in lines)
