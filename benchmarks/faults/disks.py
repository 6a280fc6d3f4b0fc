"""Disks that are full, read-only or pulled, limits of the system, and workers that are killed.

Each ends in the right result, or in an error with its exit code; the next run finishes.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random

from benchmarks.faults.commands import Command, Ran
from benchmarks.faults.inputs import first_scene
from benchmarks.faults.jobs import MODEL, NAMES, Job, import_all, write_jobs
from benchmarks.faults.kind import Attempt, FaultFound, Kind, Unavailable
from benchmarks.faults.linux import mount_disk, own_mounts, pull_disk, remount_disk
from benchmarks.faults.memory import address_space
from benchmarks.faults.results import files_in, require_equal, require_tidy, require_whole

ROOM = 50_000_000
REFUSED = (3, 5)
"""Codes of a run that could not write or read."""
RAW = ("_tiff", "TIFF", "ERROR ")
"""What lines of libtiff and of GDAL begin with."""


def _prepare_disks(inputs: Path) -> None:
    write_jobs(inputs)
    try:
        own_mounts()
        mount_disk(inputs / "disk", ROOM)
    except OSError as error:
        raise Unavailable(str(error)) from error
    pull_disk(inputs / "disk")


def _begin_disks(disturb: Callable[[Job, Random, Path], Command], inputs: Path) -> Attempt:
    import_all(inputs)
    own_mounts()
    jobs = [Job.of(name, inputs) for name in NAMES]

    def attempt(rng: Random, scratch: Path) -> int:
        job, disk = rng.choice(jobs), scratch / "disk"
        try:
            return _disturbed(job, disk, disturb(job, rng, disk))
        finally:
            with suppress(OSError):
                pull_disk(disk)

    return attempt


def _disturbed(job: Job, disk: Path, command: Command) -> int:
    require_refused_or_done(job, command.wait(), disk / "out")
    with suppress(OSError):
        pull_disk(disk)
        mount_disk(disk, ROOM)
    return max(command.peak, require_finishes(job, disk))


def require_refused_or_done(job: Job, ran: Ran, out: Path) -> None:
    """Require the results, or an error and nothing half-made."""
    ran.expect(0, *REFUSED)
    found = files_in(out) if out.exists() else {}
    require_whole(found, job.older, job.results)
    if ran.code == 0 and found:  # a disk that was pulled at the very end has nothing
        require_equal(found, job.results)
    require_one_line(ran)


def require_one_line(ran: Ran) -> None:
    """Require that a failure is reported, in words of anomvae alone."""
    if ran.code and "Error: " not in ran.err:
        raise FaultFound("silent", f"exit {ran.code} without an error: {ran.err[-200:]!r}")
    raw = [line for line in ran.err.splitlines() if line.startswith(RAW)]
    if raw:
        raise FaultFound("traceback", f"{len(raw)} lines of a library, such as {raw[0]!r}")


def require_finishes(job: Job, folder: Path) -> int:
    """Run the job to its end without disturbance; return its peak memory."""
    out = folder / "out"
    command = Command.start(folder / "log", job.begin(out))
    ended = command.wait()
    ended.expect(0)
    require_equal(files_in(out), job.results)
    require_tidy(out)
    return command.peak


def _full(job: Job, rng: Random, disk: Path) -> Command:
    size = sum(map(len, job.results.values()))
    mount_disk(disk, ROOM)
    arguments = job.begin(disk / "out", older=rng.random() < 0.5)
    used = sum(path.stat().st_size for path in disk.rglob("*"))
    remount_disk(disk, size=used + int(rng.uniform(0.05, 1.5) * size) // 4096 * 4096)
    return Command.start(disk.parent / "log", arguments)


def _read_only(job: Job, rng: Random, disk: Path) -> Command:
    mount_disk(disk, ROOM)
    arguments = job.begin(disk / "out", older=rng.random() < 0.5)
    command, wait = None, rng.choice([0.0, rng.uniform(0, job.seconds)])
    if wait:
        command = Command.start(disk.parent / "log", arguments)
        command.run_for(wait)
    with suppress(OSError):  # a file on it is open for writing
        remount_disk(disk, size=ROOM, read_only=True)
    return command or Command.start(disk.parent / "log", arguments)


def _pulled(job: Job, rng: Random, disk: Path) -> Command:
    mount_disk(disk, ROOM)
    command = Command.start(disk.parent / "log", job.begin(disk / "out", older=rng.random() < 0.5))
    command.run_for(rng.uniform(0, job.seconds))
    with suppress(OSError):
        pull_disk(disk)
    return command


def _begin_limits(inputs: Path) -> Attempt:
    import_all(inputs)
    jobs = [Job.of(name, inputs) for name in NAMES]
    return lambda rng, scratch: _limited(rng.choice(jobs), rng, scratch)


def _limited(job: Job, rng: Random, scratch: Path) -> int:
    """Run a command under a limit of descriptors, of the size of a file, or of memory."""
    out = scratch / "out"
    largest = max(map(len, job.results.values()))
    which, limit = rng.choice(
        [
            (resource.RLIMIT_NOFILE, rng.randint(4, 40)),
            (resource.RLIMIT_FSIZE, rng.randint(0, largest)),
            (resource.RLIMIT_AS, address_space() + rng.randint(1, 300) * 1_000_000),
        ]
    )
    before = partial(resource.setrlimit, which, (limit, limit))
    command = Command.start(scratch / "log", job.begin(out), before)
    ran = command.wait()
    if which == resource.RLIMIT_AS and ran.code < 0:  # the C libraries abort: the same as a kill
        require_whole(files_in(out), job.older, job.results)
    elif which == resource.RLIMIT_FSIZE and "Error" not in ran.err and ran.code:
        require_whole(files_in(out), job.older, job.results)  # the log has no room for the error
    else:
        require_refused_or_done(job, ran, out)
    return max(command.peak, require_finishes(job, scratch))


def _begin_workers(inputs: Path) -> Attempt:
    return partial(_without_worker, Job.of("score", inputs))


def _without_worker(job: Job, rng: Random, scratch: Path) -> int:
    """Kill a worker of ``score --workers 2``."""
    scene, model, out = first_scene(job.inputs), job.inputs / MODEL, scratch / "out"
    options = ["-m", model, "-o", out, "--workers", "2"]
    command = [sys.executable, "-m", "anomvae", "score", scene, *options]
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        _kill_a_child(process, rng)
        try:
            text, errors = process.communicate(timeout=60)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise FaultFound("limit", "hangs after a worker was killed") from error
    require_refused_or_done(job, Ran(process.returncode, text, errors), out)
    return 0


def _kill_a_child(process: subprocess.Popen[str], rng: Random) -> None:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    pids: list[str] = []
    while process.poll() is None and len(pids) < 3:  # two workers, and the tracker of resources
        pids = children.read_text().split() if children.exists() else []
        time.sleep(0.02)
    time.sleep(rng.uniform(0, 4))
    if pids:
        with suppress(ProcessLookupError):
            os.kill(int(rng.choice(pids[1:])), signal.SIGKILL)


KINDS = (
    *(
        Kind(name, "others", 0.02, _prepare_disks, partial(_begin_disks, disturb))
        for name, disturb in (
            ("disk-full", _full),
            ("disk-read-only", _read_only),
            ("disk-pulled", _pulled),
        )
    ),
    Kind("limits", "others", 0.04, write_jobs, _begin_limits),
    Kind("workers", "others", 0.003, write_jobs, _begin_workers),
)
