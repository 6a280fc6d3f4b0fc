"""Problems of a run: what failed, in one line, and with which exit code."""

from __future__ import annotations

import logging
import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import (
    AnomvaeError,
    BandMismatch,
    ConfigError,
    CovariateMismatch,
    FileError,
    GridMismatch,
    ScenesFailed,
    is_lack_of_memory,
)
from ..names import one_line

log = logging.getLogger(__name__)

MISFITS = (BandMismatch, CovariateMismatch, GridMismatch, ConfigError)
"""Errors that only another model or other settings can resolve."""
MOST_LINES = 20
"""Failed scenes of a site that get a line of their own."""


@dataclass(frozen=True)
class Problem:
    """Something that failed: a site, a scene of a site, or neither."""

    site: str | None
    scene: str | None
    error: AnomvaeError

    @property
    def misfit(self) -> bool:
        """Whether a scene and a model do not fit each other."""
        return self.scene is not None and isinstance(self.error, MISFITS)

    @property
    def code(self) -> int:
        """Exit code: a scene is one of a batch, unless it does not fit the model."""
        batch = self.scene is not None and not self.misfit
        return ScenesFailed.exit_code if batch else self.error.exit_code

    def __str__(self) -> str:
        """Return one line."""
        message = str(self.error)
        scene = None if self.scene is None or self.scene in message else self.scene
        return one_line(": ".join([*filter(None, [self.site, scene]), message]))


def code_of(problems: Iterable[Problem]) -> int:
    """Return the exit code of a run: that of its problems if they share one, else 5; 0 if none."""
    codes = {problem.code for problem in problems}
    return 0 if not codes else codes.pop() if len(codes) == 1 else ScenesFailed.exit_code


def messages(problems: Iterable[Problem]) -> list[str]:
    """Return a line for each problem; one for all scenes of a site that do not fit its model.

    Of many other scenes of a site, the first get a line each, and the rest share one.
    """
    lines, failures, misfits = [], Counter[str | None](), Counter[str | None]()
    first: dict[str | None, AnomvaeError] = {}
    for problem in problems:
        if problem.misfit:
            misfits[problem.site] += 1
            first.setdefault(problem.site, problem.error)
        elif problem.scene is None or failures[problem.site] < MOST_LINES:
            lines.append(str(problem))
        failures[problem.site] += problem.scene is not None and not problem.misfit
    for site, count in failures.items():
        if count > MOST_LINES:
            more = count - MOST_LINES
            lines.append(f"{site}: {more} more scenes failed; see anomvae monitor status.")
    for site, count in misfits.items():
        more_misfits = f" (so do {count - 1} more)" if count > 1 else ""
        lines.append(one_line(f"{site}: {first[site]}{more_misfits}"))
    return lines


def as_error(error: Exception, what: str) -> AnomvaeError:
    """Return any error as one of anomvae's; an error of the state's database is raised again."""
    if isinstance(error, AnomvaeError):
        return error
    if type(error) in {sqlite3.DatabaseError, sqlite3.OperationalError}:  # damaged, or a full disk
        raise error
    if is_lack_of_memory(error):
        return FileError(f"{what}: there is not enough memory. Use a machine with more.")
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return FileError(f"{what}: {reason}. Check the path, its permissions and the free space.")
    log.error("internal error", exc_info=error, extra={"facts": {"what": what}})
    return AnomvaeError(f"{what}: internal error ({type(error).__name__}: {error}).")
