"""Commands killed at random moments: what readers find is whole, and the next run finishes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

from anomvae.files import HIDDEN
from benchmarks.faults.commands import Command, Ran
from benchmarks.faults.jobs import NAMES, Job, import_all, write_jobs
from benchmarks.faults.kind import Attempt, FaultFound, Kind
from benchmarks.faults.results import (
    alert_keys,
    files_in,
    require_equal,
    require_tidy,
    require_whole,
)


def _begin(name: str, inputs: Path) -> Attempt:
    import_all(inputs)
    return partial(_attempt, Job.of(name, inputs))


def _attempt(job: Job, rng: Random, scratch: Path) -> int:
    out = scratch / "out"
    command = Command.start(scratch / "killed", job.begin(out, older=rng.random() < 0.5))
    command.run_for(*_moment(job, rng, out))
    command.kill()
    require_whole(files_in(out), job.older, job.results)
    again = Command.start(scratch / "again", job.begin(out))
    finished = again.wait().expect(0)
    require_equal(files_in(out), job.results)
    require_tidy(out)
    require_alerts(job, (scratch / "killed" / "out").read_text(), finished)
    return max(command.peak, again.peak)


def _moment(job: Job, rng: Random, out: Path) -> tuple[float, Callable[[], bool]]:
    """Draw how long to wait: any share of a run, or a random while after it begins to write."""
    if rng.random() < 0.5:
        return rng.uniform(0, 1.1) * job.seconds, lambda: False
    begun, more = [False], rng.randint(0, 40)

    def until() -> bool:
        begun[0] = begun[0] or any(out.rglob(f"{HIDDEN}*.part"))
        begun.append(True) if begun[0] else None
        return len(begun) > more + 1

    return 2 * job.seconds, until


def require_alerts(job: Job, killed: str, finished: Ran) -> None:
    """Require each alert once; one that the killed run printed may come again with its key."""
    if not job.alerts:
        return
    before = alert_keys([killed], killed=1)
    counts = Counter(before + alert_keys([finished.out]))
    if set(counts) != set(job.alerts):
        raise FaultFound("lost", f"alerts {sorted(counts)}, expected {sorted(job.alerts)}")
    if any(count > 2 for count in counts.values()) or len(before) > len(set(before)):
        raise FaultFound("silent", f"an alert is sent twice by one run: {counts}")


KINDS = tuple(
    Kind(f"kill-{name}", "kills", 0.25, write_jobs, partial(_begin, name)) for name in NAMES
)
