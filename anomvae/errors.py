"""Every error that anomvae raises on purpose, with the exit code of the command line.

::

    AnomvaeError                        1
    ├── ConfigError (ValueError)        2  a setting is unknown or impossible
    ├── FileError (OSError)             3  a file or a folder cannot be read or written
    │   ├── RasterError                 3  a raster cannot be read or written
    │   │   ├── NotWritten              3  there is no permission or space for results
    │   │   └── InputChanged            3  an input was overwritten while it was read
    │   ├── ModelFileError              3  a model file is damaged, foreign or too new
    │   ├── BrokenEnvironment           3  the environment is at fault, whatever the scene
    │   └── OutputExists                3  results of other settings are in the way
    ├── NotFinite (ArithmeticError)     3  a pixel that has data has no finite score
    ├── NotEnoughPixels (ValueError)    3  too few valid pixels to fit a detector
    ├── WorkersLost (OSError)           3  workers died, or a cluster does not answer
    ├── GridMismatch (ValueError)       4  two rasters do not share one pixel grid
    ├── BandMismatch (ValueError)       4  a scene's bands are not the detector's bands
    ├── CovariateMismatch (ValueError)  4  a scene's covariates are not the detector's
    ├── OutOfDomain (ValueError)        4  a scene is not like those the detector was trained on
    ├── ScenesFailed (RuntimeError)     5  some scenes of a batch failed, the others are done
    ├── NotDelivered (RuntimeError)     5  alerts were not sent; the next run tries again
    └── LockHeld (RuntimeError)         6  another run writes the same results

The Python error in brackets is a second base class; a subclass inherits it.

A message states what was found, what was expected, and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from .addresses import concealed


class AnomvaeError(Exception):
    """Base of every error raised by anomvae; its message holds no secret of an address."""

    exit_code = 1

    def __init__(self, *message: object) -> None:
        """Take the message, which may quote an address or GDAL."""
        super().__init__(*(concealed(part) if isinstance(part, str) else part for part in message))


class ConfigError(AnomvaeError, ValueError):
    """A setting is unknown or impossible."""

    exit_code = 2


class FileError(AnomvaeError, OSError):
    """A file or a folder cannot be read or written."""

    exit_code = 3


class RasterError(FileError):
    """A raster, or the folder of its results, cannot be read or written."""


class NotWritten(RasterError):
    """Results cannot be written, whatever the scene: the output folder is at fault."""


class InputChanged(RasterError):
    """An input was overwritten while it was read; nothing was written."""


class ModelFileError(FileError):
    """A model file is damaged, foreign or from a newer anomvae."""


class BrokenEnvironment(FileError):
    """The environment is at fault, whatever the scene.

    A library does not find its own files, or no more files can be opened.
    """


class OutputExists(FileError):
    """Results of other settings are in the way."""


class NotFinite(AnomvaeError, ArithmeticError):
    """A pixel that has data has no finite score."""

    exit_code = 3


class NotEnoughPixels(AnomvaeError, ValueError):
    """Too few valid pixels to fit a detector."""

    exit_code = 3


class WorkersLost(AnomvaeError, OSError):
    """Workers died, or a cluster does not answer."""

    exit_code = 3


class GridMismatch(AnomvaeError, ValueError):
    """Two rasters do not share one pixel grid."""

    exit_code = 4


class BandMismatch(AnomvaeError, ValueError):
    """A scene's bands are not the bands the detector was trained on."""

    exit_code = 4


class CovariateMismatch(AnomvaeError, ValueError):
    """A scene's covariates are not those the detector was trained with."""

    exit_code = 4


class OutOfDomain(AnomvaeError, ValueError):
    """A scene is not like those that the detector was trained on; its results are there."""

    exit_code = 4


class ScenesFailed(AnomvaeError, RuntimeError):
    """Some scenes of a batch failed; the others are done."""

    exit_code = 5


class NotDelivered(AnomvaeError, RuntimeError):
    """Alerts could not be sent; they are kept for the next run."""

    exit_code = 5


class LockHeld(AnomvaeError, RuntimeError):
    """Another run writes the same results."""

    exit_code = 6


def is_lack_of_memory(error: BaseException) -> bool:
    """Return whether an error of Python, numpy or torch means that memory is too small.

    Examples
    --------
    >>> is_lack_of_memory(MemoryError()), is_lack_of_memory(RuntimeError("shapes differ"))
    (True, False)
    """
    # torch raises a RuntimeError on a processor, and a subclass of its own on a graphics card;
    # numpy a ValueError for more bytes than an address has.
    words = ("can't allocate memory", "not enough memory", "out of memory", "array is too big")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | ValueError)
        and any(word in str(error).lower() for word in words)
    )


def hint(name: str, known: Iterable[str]) -> str:
    """Return advice about an unknown name: the nearest known one, or all."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {listed(names)}."


def listed(names: Sequence[str], most: int = 8) -> str:
    """Join names by commas; of more than ``most``, give the first ones and the last."""
    first = ", ".join(names[:most])
    return f"{first}, ... {names[-1]}" if len(names) > most else first
