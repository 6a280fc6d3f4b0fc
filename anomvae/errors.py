"""Everything anomvae raises on purpose, and the exit code of the command line.

::

    AnomvaeError                        1
    ├── ConfigError (ValueError)        2  a setting names something unknown or impossible
    ├── FileError (OSError)             3  a file or a folder cannot be read or written
    │   ├── RasterError                 3  a raster cannot
    │   │   └── NotWritten              3  there is no permission or space for results
    │   ├── ModelFileError              3  a model file is damaged, foreign or too new
    │   └── OutputExists                3  other results lie where these would go
    ├── NotEnoughPixels (ValueError)    3  too few valid pixels to fit a detector
    ├── WorkersLost (OSError)           3  workers die, or a cluster does not answer
    ├── GridMismatch (ValueError)       4  two rasters do not share one pixel grid
    ├── BandMismatch (ValueError)       4  a scene's bands are not the detector's bands
    ├── ScenesFailed (RuntimeError)     5  some scenes of a batch failed, the others are done
    ├── NotDelivered (RuntimeError)     5  alerts could not be sent; they are kept for the next run
    └── LockHeld (RuntimeError)         6  another run holds the lock

A message says what was found, what was expected, and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class AnomvaeError(Exception):
    """Base of every error raised by anomvae."""

    exit_code = 1


class ConfigError(AnomvaeError, ValueError):
    """A setting names something unknown or impossible."""

    exit_code = 2


class FileError(AnomvaeError, OSError):
    """A file or a folder cannot be read or written."""

    exit_code = 3


class RasterError(FileError):
    """A raster, or the folder it goes to, cannot be read or written."""


class NotWritten(RasterError):
    """Results cannot be written: the place is at fault, not what they are made from."""


class ModelFileError(FileError):
    """A model file is damaged, foreign or from a newer anomvae."""


class OutputExists(FileError):
    """Results of other settings lie where these would go."""


class NotEnoughPixels(AnomvaeError, ValueError):
    """Too few valid pixels to fit a detector."""

    exit_code = 3


class WorkersLost(AnomvaeError, OSError):
    """Workers die, or a cluster does not answer."""

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


class ScenesFailed(AnomvaeError, RuntimeError):
    """Some scenes of a batch failed; the others are done."""

    exit_code = 5


class NotDelivered(AnomvaeError, RuntimeError):
    """Alerts could not be sent; they are kept for the next run."""

    exit_code = 5


class LockHeld(AnomvaeError, RuntimeError):
    """Another run is writing the same results."""

    exit_code = 6


def hint(name: str, known: Iterable[str]) -> str:
    """Help with a name that is not known: give the nearest one, or all.

    Examples
    --------
    >>> hint("vea", ["ae", "vae"])
    "Did you mean 'vae'?"
    >>> hint("x", ["ae", "vae"])
    'Known: ae, vae.'
    """
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {listed(names)}."


def listed(names: Sequence[str], most: int = 8) -> str:
    """Name things in a row; of many, the first and the last."""
    shown = ", ".join(names[:most])
    return f"{shown}, ... {names[-1]}" if len(names) > most else shown
