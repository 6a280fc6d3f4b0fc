"""Numbers are written many at a time, as they would be one by one."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anomvae.objects.number_texts import shortened, texts

MIDDLES = st.integers(-(10**9), 10**9).map(lambda number: number / 80)
"""Many lie in the middle of two shorter numbers."""
numbers = MIDDLES | st.floats(-1e12, -1e-200) | st.floats(1e-200, 1e12)


@given(
    values=st.lists(numbers | st.sampled_from([0.0, np.inf]), max_size=30),
    digits=st.integers(5, 9),
)
def test_numbers_are_rounded_as_their_digits_are(values, digits):
    expected = [float(f"{value:.{digits}g}") for value in values]

    found = shortened(np.array(values), digits)

    np.testing.assert_allclose(found, expected, rtol=1e-15, atol=0)


@given(depth=st.integers(0, 3), data=st.data())
def test_texts_are_those_of_each_value(depth, data):
    values = numbers
    for _ in range(depth):
        values = st.lists(values, min_size=1, max_size=3)
    drawn = data.draw(st.lists(values, min_size=1, max_size=6))

    assert texts(drawn) == [json.dumps(value) for value in drawn]
