"""Mappers: each is `map`, takes work only as results are taken, and survives a dead worker."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future
from functools import partial
from pathlib import Path

import pytest

from anomvae.errors import RasterError, WorkersLost
from anomvae.parallel import ahead, processes, serial
from anomvae.parallel.mapper import TRIES, in_order

needs_sigkill = pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")


def double(number):
    return 2 * number


def refuse_3(number):
    if number == 3:
        raise RasterError("scene.tif cannot be read. Copy it again.")
    return number


def die_once(trap):
    """Kill this process if the file exists, and remove it."""
    if trap and Path(trap).exists():
        Path(trap).unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def die(number):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(params=[serial, partial(ahead, threads=1), partial(ahead, threads=3), None])
def mapper(request):
    return request.param or request.getfixturevalue("two")


def test_a_mapper_gives_what_map_gives(mapper):
    assert list(mapper(double, range(20))) == list(map(double, range(20)))
    assert list(mapper(double, [])) == []


def test_work_is_taken_only_as_results_are(mapper):
    taken = []

    def work():
        for number in range(100):
            taken.append(number)
            yield number

    for result in mapper(double, work()):
        assert len(taken) - result / 2 <= 5
    assert len(taken) == 100


def test_an_error_is_raised_at_its_position_as_it_is(mapper):
    results = mapper(refuse_3, range(10))

    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(RasterError, match=r"^scene\.tif cannot be read\. Copy it again\.$"):
        next(results)


def test_a_mapper_has_a_number_of_worker_processes(two):
    assert (serial.workers, two.workers) == (0, 2)


@pytest.mark.parametrize("fails", [True, False])
def test_no_thread_is_left_after_an_error_or_after_closing(fails):
    before = threading.active_count()
    results = ahead(refuse_3, range(10), threads=2)
    next(results)

    if fails:
        with pytest.raises(RasterError):
            list(results)
    else:
        results.close()

    assert threading.active_count() == before


def test_closing_cancels_what_is_under_way():
    promises = []

    def submit(number):
        promises.append(Future())
        if number == 0:
            promises[0].set_result(number)
        return promises[-1]

    results = in_order(submit, range(10), most=3)
    next(results)
    results.close()

    assert [promise.cancelled() for promise in promises] == [False, True, True]


@needs_sigkill
def test_the_items_of_a_dying_process_are_done_by_another(two, tmp_path):
    (tmp_path / "trap").touch()
    work = [None, None, str(tmp_path / "trap"), None, None, None]

    pids = list(two(die_once, work))

    assert len(pids) == 6
    assert os.getpid() not in pids


@needs_sigkill
@pytest.mark.parametrize("tries", [1, pytest.param(TRIES, marks=pytest.mark.slow)])
def test_an_item_that_kills_every_process_is_given_up(monkeypatch, tries):
    monkeypatch.setattr("anomvae.parallel.mapper.TRIES", tries)

    with processes(1) as one, pytest.raises(WorkersLost, match=f"^.*started {tries} times.*$"):
        list(one(die, range(3)))


CLUSTER = """
import logging
import distributed.scheduler
distributed.scheduler.heartbeat_interval = lambda workers: 0.002  # s: one is under way at the end
from anomvae.parallel import dask

if __name__ == "__main__":
    with dask("local") as mapper:
        assert list(mapper(abs, range(-30, 0))) == list(range(30, 0, -1))
        assert logging.getLogger("distributed").level < logging.CRITICAL
    assert logging.getLogger("distributed").level < logging.CRITICAL
"""


@pytest.mark.slow
def test_a_local_cluster_works_and_closes_without_a_word(tmp_path):
    pytest.importorskip("distributed")
    script = tmp_path / "script.py"
    script.write_text(CLUSTER)

    ended = subprocess.run([sys.executable, script], capture_output=True, text=True)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
