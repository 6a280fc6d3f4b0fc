"""Figures of speed: kept in a JSON file, and written as Markdown with the ratios that matter."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from anomvae.errors import FileError
from anomvae.files import write_atomically
from benchmarks.record import circumstances

START = (12, 0.0001)
"""Bands and Mpixel of the scene that is next to nothing."""
ALONE = "score of a tile, one thread"
"""What scoring costs without reading, writing, or other threads."""
CORES_NOTE = (
    "Bound: start + (read + score + write, processor seconds each alone) / cores; scoring is "
    "that of a tile on one thread. Peak memory: all processes together, shared pages once for each."
)


@dataclass(frozen=True)
class Figure:
    """What a piece of work cost."""

    what: str
    """The work."""
    bands: int
    """Bands of the scene."""
    megapixels: float
    """Size of the scene, about."""
    pixels: int
    """Pixels that were worked on."""
    seconds: float
    """By the clock, median."""
    cpu: float
    """Of all processors, median."""
    peak: float
    """MB; NaN where it was not watched."""
    when: str = ""
    """Date, commit and machine."""
    multiplied: int = 0
    """Multiply-adds of a network for a pixel; 0 where there is none."""

    @property
    def rate(self) -> float:
        """Mpixel/s."""
        return self.pixels / self.seconds / 1e6

    @property
    def key(self) -> tuple[str, int, float]:
        """What a newer figure takes the place of."""
        return self.what, self.bands, self.megapixels


class Figures:
    """Figures by what they are of, and in a file where one is given."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[tuple[str, int, float], Figure] = {}
        self._rate = math.nan
        if path is not None and path.exists():
            self._read(path)

    @property
    def rate(self) -> float:
        """Float32 matrix products, GFLOP/s; NaN where it was not measured."""
        return self._rate

    @rate.setter
    def rate(self, value: float) -> None:
        self._rate = value
        self._write()

    def add(self, figure: Figure) -> None:
        """Keep a figure, on disk at once."""
        self._known[figure.key] = Figure(**asdict(figure) | {"when": circumstances()})
        self._write()

    def __iter__(self) -> Iterator[Figure]:
        """Go through the figures by bands and size."""
        return iter(sorted(self._known.values(), key=lambda one: (one.bands, one.megapixels)))

    def find(self, what: str, bands: int, megapixels: float | None = None) -> Figure | None:
        """Look a figure up; of several sizes, the smallest."""
        fitting = (one for one in self if one.what == what and one.bands == bands)
        return next((one for one in fitting if megapixels in (None, one.megapixels)), None)

    def _read(self, path: Path) -> None:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            self._rate = _number(data["gflops"])
            rows = [Figure(**row | {"peak": _number(row["peak"])}) for row in data["figures"]]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise FileError(f"{path} holds no figures of this benchmark. Name another.") from error
        self._known = {row.key: row for row in rows}

    def _write(self) -> None:
        if self._path is None:
            return
        rows = [asdict(one) | {"peak": _null(one.peak)} for one in self]
        data = {"gflops": _null(self._rate), "figures": rows}
        write_atomically(self._path, (json.dumps(data, indent=1, allow_nan=False) + "\n").encode())


def markdown(figures: Figures, cores: int) -> str:
    """Write all tables."""
    rows = list(figures)
    parts = [] if math.isnan(figures.rate) else [f"Float32 matrices: {figures.rate:.0f} GFLOP/s."]
    parts.append(_table(["work", "bands", "Mpixel", "seconds", "CPU s", "Mpixel/s", "MB"], rows))
    ratios = [*_against(figures), *_end_to_end(figures, cores), *_scaling(figures)]
    if ratios:
        lines = ["| ratio | bands | figure |", "| --- | --- | --- |"]
        parts.append("\n".join([*lines, *ratios]))
    elsewhere = sorted({one.when for one in rows})
    parts.append("Taken: " + "; ".join(elsewhere) + ".")
    return "\n\n".join([*parts, CORES_NOTE])


def _table(head: Sequence[str], rows: Sequence[Figure]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for one in rows:
        peak = "" if math.isnan(one.peak) else f"{one.peak:.0f}"
        cells = [one.what, str(one.bands), f"{one.megapixels:g}", f"{one.seconds:.2f}"]
        lines.append("| " + " | ".join([*cells, f"{one.cpu:.2f}", f"{one.rate:.3g}", peak]) + " |")
    return "\n".join(lines)


def _against(figures: Figures) -> list[str]:
    """Compare ours with other detectors on arrays."""
    found = []
    for one in figures:
        if not one.what.startswith("anomvae vae"):
            continue
        for other in ("spectral rx", "scikit-learn IsolationForest", "PyOD VAE decision_function"):
            peer = figures.find(other, one.bands)
            if peer is not None:
                found.append(
                    f"| {one.what} / {other} | {one.bands} | {one.rate / peer.rate:.3g} x |"
                )
        if one.multiplied and not math.isnan(figures.rate):
            bound = figures.rate * 1e3 / (2 * one.multiplied)  # Mpixel/s
            label = f"{one.what} / bound of its multiply-adds, {bound:.3g} Mpixel/s"
            found.append(f"| {label} | {one.bands} | {one.rate / bound:.2f} x |")
    return found


def _end_to_end(figures: Figures, cores: int) -> list[str]:
    """Compare the command line with its bound."""
    found = []
    for one in figures:
        start = figures.find("score", *START)
        read = figures.find("read", one.bands, one.megapixels)
        write = figures.find("write", one.bands, one.megapixels)
        score = figures.find(ALONE, one.bands)
        if one.what != "score" or not (start and read and write and score):
            continue
        busy = read.cpu + write.cpu + score.cpu * one.pixels / score.pixels
        bound = start.seconds + busy / cores
        label = f"score of {one.megapixels:g} Mpixel / bound of {bound:.1f} s"
        found.append(f"| {label} | {one.bands} | {one.seconds / bound:.2f} x |")
    return found


def _scaling(figures: Figures) -> list[str]:
    """Compare two processes with one."""
    found = []
    for one in figures:
        two = figures.find("score --workers 2", one.bands, one.megapixels)
        if one.what == "score --workers 1" and two is not None:
            label = f"two processes / one, {one.megapixels:g} Mpixel"
            found.append(f"| {label} | {one.bands} | {one.seconds / two.seconds:.2f} x |")
    return found


def _null(value: float) -> float | None:
    return None if math.isnan(value) else value


def _number(value: float | None) -> float:
    return math.nan if value is None else value
