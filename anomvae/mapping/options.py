"""Options of scoring a scene."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import ConfigError

SCORE = "score"
LOSSLESS, LOSSY = "zstd", "lerc:"
"""Kinds of compression; the largest error follows the second."""


@dataclass(frozen=True)
class MapOptions:
    """How a map is made, whatever it shows.

    Raises
    ------
    ConfigError
        If a number is below 1.
    """

    tile: int | None = None
    """Side of a tile, pixels; None: about 16 MiB of whole file blocks.  The map is the same."""
    threads: int | None = None
    """Tiles in work at a time; None: as many as there are cores, 4 at the most."""
    overwrite: bool = False
    """Whether to replace a file that exists, or results of other settings."""

    def __post_init__(self) -> None:
        """Refuse numbers below 1."""
        if self.tile is not None and self.tile < 1:
            raise ConfigError(f"tile = {self.tile}: a tile has a side of at least 1 pixel.")
        if self.threads is not None and self.threads < 1:
            raise ConfigError(f"threads = {self.threads}: at least 1 thread is needed.")


@dataclass(frozen=True)
class ScoreOptions(MapOptions):
    """Options of scoring, the same for the library, the command line and monitoring.

    Raises
    ------
    ConfigError
        If a number is below 1, or ``only`` or ``compress`` is none of theirs.
    """

    min_area: int = 1
    """Smallest object, pixels; pixels of smaller ones stay flagged, but are no objects."""
    top: int | None = None
    """Number of objects of the largest margin that are listed, None: all; pixels of the others stay
    flagged."""
    p_values: bool = False
    """Whether a map of p-values is written, too; the rule of the threshold must have them."""
    sensitivity: bool = False
    """Whether to measure how much of a pixel an object must fill to be found."""
    explain: bool = False
    """Whether a map of why pixels score as they do is written, too; only a model's has one."""
    gpkg: bool = False
    """Whether a GeoPackage of the objects is written, too, in the coordinates of the scene."""
    stac: bool = False
    """Whether a STAC item of the scene and its deliverables is written, too."""
    model_path: str | None = None
    """The file of the model, which the STAC item names; None: not known."""
    picture: bool = True
    """Whether a quick look is drawn."""
    only: str | None = None
    """``score``: the anomaly map holds the score without its terms."""
    compress: str = LOSSLESS
    """How the anomaly map is compressed: ``zstd``, or ``lerc:E``, which rounds by at most E."""

    @property
    def max_error(self) -> float | None:
        """Largest error of a number of the anomaly map, in its unit; None: none."""
        return None if self.compress == LOSSLESS else _max_error(self.compress)

    @property
    def lists_all(self) -> bool:
        """Whether every object is listed."""
        return self.min_area == 1 and self.top is None

    @property
    def changes(self) -> tuple[str, ...]:
        """The options that change results, but for those at their defaults.

        A default adds nothing, so that archives made before its option stay up to date.
        """
        given = {
            f"min_area={self.min_area}": self.min_area > 1,
            f"top={self.top}": self.top is not None,
            "p_values": self.p_values,
            "sensitivity": self.sensitivity,
            "explain": self.explain,
            "gpkg": self.gpkg,
            "stac": self.stac,
            f"only={self.only}": self.only is not None,
            f"max_error={self.max_error}": self.max_error is not None,
        }
        return tuple(text for text, changed in given.items() if changed)

    def __post_init__(self) -> None:
        """Refuse numbers below 1, and words that are none of these options."""
        super().__post_init__()
        if self.min_area < 1:
            raise ConfigError(f"min_area = {self.min_area}: an object has at least 1 pixel.")
        if self.top is not None and self.top < 1:
            raise ConfigError(f"top = {self.top}: at least 1 object is listed.")
        if self.only not in {None, SCORE}:
            raise ConfigError(f"only = {self.only!r}: the layer that can stand alone is {SCORE}.")
        if self.compress != LOSSLESS:
            _max_error(self.compress)


def _max_error(compress: str) -> float:
    try:
        error = float(compress.removeprefix(LOSSY)) if compress.startswith(LOSSY) else 0.0
    except ValueError:
        error = 0.0
    if not 0 < error < math.inf:
        raise ConfigError(
            f"compress = {compress!r}: give {LOSSLESS}, or {LOSSY}E with a largest error E above 0 "
            f"in the unit of the score, such as {LOSSY}1e-3."
        )
    return error
