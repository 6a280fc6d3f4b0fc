"""Connected pixels by runs: the numbers of scipy, whatever the pattern."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from anomvae.objects.runs import groups_of, label

flags = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=12))


@pytest.mark.parametrize("corners", [False, True])
@given(flags=flags)
def test_labels_are_numbered_in_reading_order_as_those_of_scipy(corners, flags):
    structure = np.ones((3, 3)) if corners else None
    expected, many = ndimage.label(flags, structure) if flags.size else (flags.astype(int), 0)

    labels, count = label(flags, corners=corners)

    assert count == many
    np.testing.assert_array_equal(labels, expected)


def test_a_spiral_and_noise_are_labelled_as_by_scipy():
    spiral = np.zeros((201, 201), np.bool_)
    for ring in range(0, 100, 4):
        spiral[ring, ring : 201 - ring] = spiral[200 - ring, ring : 201 - ring] = True
        spiral[ring : 201 - ring, 200 - ring] = spiral[ring + 4 : 201 - ring, ring] = True
        spiral[ring + 4, ring : ring + 4] = True
    noise = np.random.default_rng(0).uniform(size=(500, 400)) < 0.5

    for image in (spiral, spiral.T, noise, ~noise):
        np.testing.assert_array_equal(label(image, corners=False)[0], ndimage.label(image)[0])


@given(count=st.integers(1, 30), data=st.data())
def test_groups_are_numbered_by_their_first_nodes(count, data):
    node = st.integers(0, count - 1)
    pairs = np.array(data.draw(st.lists(st.tuples(node, node), max_size=40)), int).reshape(-1, 2).T

    group = groups_of(count, pairs)

    graph = coo_array((np.ones(pairs.shape[1]), tuple(pairs)), shape=(count, count))
    np.testing.assert_array_equal(group, connected_components(graph, directed=False)[1])
