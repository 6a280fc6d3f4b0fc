"""A watch of two sites: one is healthy, the other meets faults and must not stop it.

Scenes are read, but the result of each is one that was prepared, so that a pass takes milliseconds.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomvae.mapping import Deliverables, read_summary
from anomvae.monitoring import RunEnvironment, run_once
from anomvae.monitoring.config import MonitorConfig, SiteConfig
from anomvae.monitoring.database import opened_to_read
from anomvae.monitoring.run import Pass
from anomvae.monitoring.scoring import Scoring, scene_of
from anomvae.monitoring.sources import FoundScene
from benchmarks.faults.inputs import DAYS, first_scene
from benchmarks.faults.jobs import MODEL
from benchmarks.faults.kind import FaultFound

if TYPE_CHECKING:
    from anomvae.mapping import MapResult

NOW = datetime(2025, 6, 1, 3, tzinfo=UTC)
CODES = (0, 2, 3, 4, 5)


@dataclass(frozen=True)
class Watch:
    """A watch in a folder."""

    folder: Path
    inputs: Path
    config: MonitorConfig

    @classmethod
    def of(
        cls, folder: Path, inputs: Path, site: Mapping[str, Any], **tables: Mapping[str, Any]
    ) -> Watch:
        """Configure the site that meets faults by its source and other keys; it comes first."""
        (folder / "healthy").mkdir(parents=True)
        shutil.copy(first_scene(inputs), folder / "healthy")
        common = {"model": str(inputs / MODEL), "out": "maps"}
        source = {"path": "healthy", "stable_seconds": 0}
        sites = [
            {"name": "hostile", **common, **site},
            {"name": "healthy", **common, "folder": source},
        ]
        data = {"site": sites, "alerts": {"stdout": False}, **tables}
        config = MonitorConfig.read(data, folder=folder)
        return cls(folder, inputs, config)

    def run(self) -> Pass:
        """Make a pass; the healthy site must be done, and no error be internal."""
        surroundings = RunEnvironment("run", lambda: NOW, {}, io.StringIO(), self._scoring)
        done = run_once(self.config, surroundings)
        if any("internal error" in message for message in done.messages):
            raise FaultFound("traceback", " ".join(done.messages))
        if done.code not in CODES:
            raise FaultFound("traceback", f"code {done.code}: {' '.join(done.messages)}")
        if not self.done("healthy"):
            raise FaultFound("lost", f"the healthy site is not scored: {' '.join(done.messages)}")
        return done

    def done(self, site: str) -> list[str]:
        """Return the sources of the scenes of a site that are done."""
        query = "SELECT source FROM scenes WHERE site = ? AND status = 'done'"
        with opened_to_read(Path(self.config.state)) as database:
            return [str(source) for (source,) in database.execute(query, (site,))]

    def _scoring(self, site: SiteConfig) -> Scoring:
        """Return a function that opens a scene, and copies a prepared result."""
        prepared = Deliverables(self.inputs / "score" / "new", DAYS[0])
        result = read_summary(prepared)
        if result is None:
            raise FaultFound("lost", "the prepared summary cannot be read")

        def score(found: FoundScene, folder: Path) -> MapResult:
            with scene_of(found, site.mask).open() as opened:
                files = Deliverables(folder, opened.stem)
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(prepared.objects, files.objects)
            shutil.copy(prepared.flags, files.flags)
            return replace(result, files=files)

        return score


def hard_folder() -> Path | None:
    """Return a folder whose files may have any time, in memory; None without one."""
    folder = Path("/dev/shm")
    return folder if os.access(folder, os.W_OK) else None
