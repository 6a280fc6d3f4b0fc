"""What becomes of a scene: its result, or an error of anomvae."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..errors import AnomvaeError, BrokenEnvironment, RasterError, is_lack_of_memory
from .result import MapResult


@dataclass(frozen=True)
class Outcome:
    """The result of one scene of a batch, or why there is none."""

    scene: str
    """The scene as the user named it."""
    result: MapResult | None
    """None where scoring failed."""
    error: AnomvaeError | None = None
    """The reason of the failure."""
    warnings: tuple[str, ...] = ()
    """Warnings of a worker, to be logged in the main process."""


@contextmanager
def scored(name: str) -> Iterator[None]:
    """Report a lack of memory, disk or descriptors as an error of anomvae."""
    try:
        yield
    except AnomvaeError:
        raise
    except Exception as error:
        if not (isinstance(error, OSError) or is_lack_of_memory(error)):
            raise
        raise _as_ours(error, f"{name} cannot be scored") from error


def _as_ours(error: Exception, problem: str) -> AnomvaeError:
    if isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE}:
        return BrokenEnvironment(
            f"{problem}: too many files are open. Raise the limit (ulimit -n), or end other "
            f"programs."
        )
    cause = "there is not enough memory" if is_lack_of_memory(error) else error
    return RasterError(
        f"{problem}: {cause}. Check permissions, free space and memory; a smaller tile needs less."
    )
