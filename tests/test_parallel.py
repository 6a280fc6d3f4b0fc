"""Mappers: each is `map`, holds little, and gets over a worker that dies."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from anomvae.errors import ConfigError, RasterError, WorkersLost
from anomvae.parallel import ahead, dask, processes, serial
from anomvae.parallel.mapper import TRIES


def double(number):
    return 2 * number


def refuse(number):
    if number == 3:
        raise RasterError("scene.tif cannot be read. Copy it again.")
    return number


def die_once(place):
    """Die where a file stands, and take it along."""
    if place and Path(place).exists():
        Path(place).unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def die(number):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def two():
    with processes(2) as mapper:
        yield mapper


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_give_what_map_gives(threads):
    assert list(ahead(double, range(20), threads=threads)) == list(map(double, range(20)))


def test_processes_give_what_map_gives(two):
    assert list(two(double, range(20))) == list(map(double, range(20)))


def test_serial_is_map():
    assert list(serial(double, range(5))) == [0, 2, 4, 6, 8]
    assert serial.workers == 0


def test_work_is_taken_only_as_results_are(two):
    taken = []

    def pieces():
        for number in range(100):
            taken.append(number)
            yield number

    lines = [ahead(double, pieces(), threads=2), two(double, pieces())]
    for line in lines:
        taken.clear()
        for result in line:
            assert len(taken) - result / 2 <= 5
        assert len(taken) == 100


def test_an_error_comes_at_its_place_and_no_thread_is_left():
    before = threading.active_count()
    line = ahead(refuse, range(10), threads=2)

    assert [next(line) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(RasterError, match="Copy it again"):
        next(line)

    assert threading.active_count() == before


def test_an_error_crosses_from_a_process_as_it_is(two):
    with pytest.raises(RasterError, match=r"scene\.tif cannot be read"):
        list(two(refuse, range(10)))


def test_closing_waits_for_what_is_under_way():
    running = []

    def slow(number):
        running.append(number)
        time.sleep(0.05)
        running.remove(number)

    line = ahead(slow, range(100), threads=2)
    next(line)
    line.close()

    assert not running


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_what_a_dying_process_was_at_is_done_by_another(two, tmp_path):
    (tmp_path / "mine").touch()
    work = [None, None, str(tmp_path / "mine"), None, None, None]

    found = list(two(die_once, work))

    assert len(found) == 6
    assert os.getpid() not in found


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_work_that_kills_every_process_is_given_up(tmp_path):
    with (
        processes(1) as one,
        pytest.raises(WorkersLost, match=f"begun {TRIES} times") as error,
    ):
        list(one(die, range(3)))

    assert "\n" not in str(error.value)


@pytest.mark.parametrize("workers", [0, -1])
def test_no_process_is_no_way_to_work(workers):
    with pytest.raises(ConfigError, match="at least 1 process"), processes(workers):
        pass


@pytest.mark.parametrize("address", ["nonsense", "tcp://no-port", ""])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ConfigError, match="no address of a Dask scheduler"), dask(address):
        pass


def test_a_cluster_that_does_not_answer_is_told():
    with pytest.raises(WorkersLost, match="No Dask scheduler answers"), dask("tcp://127.0.0.1:9"):
        pass
