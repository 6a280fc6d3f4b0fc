"""What people answer about events is kept, counts from then on, and can be taken back."""

import threading

import pytest
from support.events import event
from support.rasters import run
from support.watching import START, rows

from anomvae.errors import ConfigError
from anomvae.monitoring.answers import Answer, Remark, give_answer, given_answers, withdraw_answer
from anomvae.monitoring.database import transaction
from anomvae.monitoring.state import opened_state

WATCH = '[[site]]\nname = "harbour"\nmodel = "m"\nout = "maps"\n[site.folder]\npath = "in"\n'


@pytest.fixture
def folder(tmp_path):
    """Make the state of a watch with three events of two sites."""
    (tmp_path / "watch.toml").write_text(WATCH)
    (tmp_path / "state").mkdir()
    with opened_state(tmp_path / "state") as state:
        known = [event(1), event(12, "provisional"), event(1, "closed", site="old-harbour")]
        state.announce(known, (), ())
    return tmp_path


def remark(reason="harvest"):
    return Remark("ada", reason, START)


def answers(folder):
    return rows(folder, "SELECT site, number, answer FROM events ORDER BY site, number")


def monitor(folder, command, *options):
    return run("monitor", command, folder / "watch.toml", *options)


def test_the_last_answer_counts_and_the_list_keeps_all_of_them(folder):
    first = monitor(folder, "ack", "harbour-12", "old-harbour-1", "--reason", "new\n pier")
    second = monitor(folder, "reject", "harbour-12", "--reason", "harvest")
    third = monitor(folder, "ack", "old-harbour-1", "--undo", "--reason", "no pier")

    assert (first.code, first.out) == (0, "harbour-12: acknowledged\nold-harbour-1: acknowledged\n")
    assert (second.out, third.out) == (
        "harbour-12: rejected\n",
        "old-harbour-1: no longer acknowledged\n",
    )
    assert answers(folder) == [
        ("harbour", 1, None),
        ("harbour", 12, "rejected"),
        ("old-harbour", 1, None),
    ]
    given = given_answers(folder / "state")
    assert {name: [(one.answer, one.reason) for one in each] for name, each in given.items()} == {
        "harbour-12": [("acknowledged", "new pier"), ("rejected", "harvest")],
        "old-harbour-1": [("acknowledged", "new pier"), ("withdrawn", "no pier")],
    }
    assert all(one.by and one.at.endswith("+00:00") for each in given.values() for one in each)
    listed = monitor(folder, "events", "--site", "harbour").out
    assert f"rejected by {given['harbour-12'][-1].by}: harvest" in listed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mute", "harbour-13"), "'harbour-13' is no event of this watch. Did you mean"),
        (("mute", "harbour-1", "moon-7"), "Known: harbour-1, harbour-12, old-harbour-1."),
        (("mute", "harbour-1", "--undo"), "harbour-1 is unanswered, not muted"),
        (("mute",), "Missing argument 'EVENT...'"),
    ],
)
def test_an_answer_that_fits_no_event_is_one_line_and_changes_none(folder, arguments, words):
    result = monitor(folder, *arguments, "--reason", "wind")

    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert {answer for *_, answer in answers(folder)} == {None}
    assert given_answers(folder / "state") == {}


def test_an_answer_needs_a_reason_and_a_state_with_events(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "watch.toml").write_text(WATCH)

    empty = monitor(folder, "ack", "harbour-1", "--reason", " ")
    absent = monitor(other, "ack", "harbour-1", "--reason", "pier")
    (other / "state").mkdir()
    with opened_state(other / "state"):
        pass
    none = monitor(other, "ack", "harbour-1", "--reason", "pier")

    assert (empty.code, "The reason is empty." in empty.err) == (2, True)
    assert (absent.code, "Run `anomvae monitor run` first." in absent.err) == (3, True)
    assert (none.code, "There is none yet." in none.err) == (2, True)


def test_people_answer_while_a_run_writes(folder):
    done = threading.Event()

    def answer():
        give_answer(folder / "state", ["harbour-1"], Answer.MUTED, remark())
        done.set()

    with opened_state(folder / "state") as state:
        with transaction(state.database):
            state.database.execute("UPDATE events SET agreed = 3 WHERE site = 'harbour'")
            thread = threading.Thread(target=answer)
            thread.start()
            waits = not done.is_set()
        thread.join()

    assert (waits, done.is_set()) == (True, True)
    assert rows(folder, "SELECT agreed, answer FROM events WHERE number = 12") == [(3, None)]
    assert (3, "muted") in rows(folder, "SELECT agreed, answer FROM events")


def test_only_the_answer_that_counts_can_be_taken_back(folder):
    state = folder / "state"
    give_answer(state, ["harbour-1"], Answer.REJECTED, remark())

    with pytest.raises(ConfigError, match="harbour-1 is rejected, not acknowledged"):
        withdraw_answer(state, ["harbour-1"], Answer.ACKNOWLEDGED, remark())

    assert ("harbour", 1, "rejected") in answers(folder)
