"""The recursion of a pixel over passes: against one pixel at a time, and what always holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomvae.objects.components import Labelling
from anomvae.stats.persistence import (
    CONFIRMED,
    FINISHED,
    NONE,
    PROVISIONAL,
    Confirmation,
    advanced,
    no_history,
)

MISSING = None
quick = settings(deadline=None, max_examples=60)


@st.composite
def seasons(draw):
    """Draw k of n, and for each of some passes whether each of four pixels exceeds."""
    among = draw(st.integers(1, 16))
    confirm = Confirmation(draw(st.integers(1, among)), among)
    kinds = st.sampled_from([True, True, False, MISSING])
    passes = draw(st.lists(st.tuples(*[kinds] * 4), max_size=40))
    return confirm, passes


def history_of(passes, confirm, start=100):
    """Go through passes of arrays, a day each."""
    history = no_history((4,))
    for day, values in enumerate(passes, start=start):
        exceeds = np.array([value is True for value in values])
        valid = np.array([value is not MISSING for value in values])
        history = advanced(history, exceeds, valid, day, confirm)
    return history


def pixel_of(values, confirm, start=100):
    """Go through the passes of one pixel by the words of the definition."""
    status, exceeding, valid = NONE, [], []
    for day, value in enumerate(values, start=start):
        if value is MISSING:
            continue
        valid.append(value)
        agreed = sum(valid[-confirm.among :])
        begins = value and status in (NONE, FINISHED)
        exceeding = ([] if begins else exceeding) + [day] * value
        status = status_after(PROVISIONAL if begins else status, agreed, confirm)
        exceeding = exceeding if status else []
    in_row = len("".join("01"[value] for value in valid).rpartition("0")[2])
    recent = sum(bit << place for place, bit in enumerate(reversed(valid[-confirm.among :])))
    first, last = (exceeding[0], exceeding[-1]) if exceeding else (0, 0)
    return (status, len(exceeding), first, last, in_row, recent, len(valid))


def status_after(status, agreed, confirm):
    if status == PROVISIONAL:
        return CONFIRMED if agreed >= confirm.needed else PROVISIONAL if agreed else NONE
    return FINISHED if status == CONFIRMED and not agreed else status


@quick
@given(seasons())
def test_the_arrays_are_what_each_pixel_is_alone(season):
    confirm, passes = season

    history = history_of(passes, confirm)

    alone = [pixel_of([values[pixel] for values in passes], confirm) for pixel in range(4)]
    assert np.stack(history, axis=-1).tolist() == [list(each) for each in alone]


@quick
@given(seasons(), st.integers(0, 40))
def test_a_pass_without_values_changes_nothing(season, at):
    confirm, passes = season

    history = history_of(passes, confirm)
    hidden = advanced(history, np.ones(4, bool), np.zeros(4, bool), 500 + at, confirm)

    assert all(map(np.array_equal, history, hidden))


@quick
@given(seasons())
def test_where_no_episode_goes_on_no_recent_pass_exceeds(season):
    confirm, passes = season

    history = history_of(passes, confirm)

    assert (history.active == (history.recent > 0)).all()
    assert ((history.status == CONFIRMED) <= (history.exceedances >= confirm.needed)).all()


@pytest.mark.parametrize(
    ("confirm", "passes", "status"),
    [
        ((1, 1), "1", CONFIRMED),
        ((2, 3), "101", CONFIRMED),
        ((2, 3), "1001", PROVISIONAL),
        ((2, 3), "1000", NONE),
        ((2, 3), "11000", FINISHED),
        ((2, 3), "110001", PROVISIONAL),
        ((16, 16), "1" * 16, CONFIRMED),
        ((2, 16), "1" + "0" * 14 + "1", CONFIRMED),
        ((2, 16), "1" + "0" * 15 + "1", PROVISIONAL),
    ],
)
def test_k_of_the_last_n_passes_confirm_and_none_of_them_ends(confirm, passes, status):
    history = history_of([[value == "1"] * 4 for value in passes], Confirmation(*confirm))

    assert history.status.tolist() == [status] * 4


@quick
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.floats(0, 1))
def test_labels_of_strips_join_to_the_objects_of_the_whole(seed, rows, share):
    from scipy.ndimage import label

    flags = np.random.default_rng(seed).random((9, 7)) < share
    labelling = Labelling(7)

    strips = [labelling.add(flags[top : top + rows]) for top in range(0, 9, rows)]

    objects = labelling.objects()[np.vstack(strips)]
    whole = label(flags, np.ones((3, 3)))[0]
    pairs = {*zip(objects.ravel().tolist(), whole.ravel().tolist(), strict=True)}
    assert len(pairs) == len({ours for ours, _ in pairs}) == len({theirs for _, theirs in pairs})
    assert sorted({ours for ours, _ in pairs} - {0}) == [*range(1, objects.max() + 1)]
