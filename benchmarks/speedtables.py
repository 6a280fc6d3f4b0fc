"""Timings in a JSON file, and as Markdown tables with their ratios."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from anomvae.errors import FileError
from anomvae.files import write_atomically
from benchmarks.record import circumstances

TINY = (12, 0.0001)
"""Bands and Mpixel of the scene that measures the start."""
SCORE_TILE = "score of a tile, one thread"
"""Scoring without reading, writing, or other threads."""
CORES_NOTE = (
    "Bound: start + (read + score + write, processor seconds each alone) / cores; scoring is "
    "that of a tile on one thread. Peak memory: all processes together, shared pages once for each."
)


@dataclass(frozen=True)
class Timing:
    """Time and memory of a work."""

    what: str
    """The work."""
    bands: int
    """Bands of the scene."""
    megapixels: float
    """Nominal size of the scene."""
    pixels: int
    """Processed pixels."""
    seconds: float
    """Wall-clock time, median."""
    cpu: float
    """Time of all processors, s, median."""
    peak: float
    """Memory, MB; NaN if not measured."""
    when: str = ""
    """Date, commit and machine."""
    multiplied: int = 0
    """Multiply-adds of a network for a pixel; 0 without a network."""

    @property
    def rate(self) -> float:
        """Mpixel/s."""
        return self.pixels / self.seconds / 1e6

    @property
    def key(self) -> tuple[str, int, float]:
        """A newer timing of the same key replaces this one."""
        return self.what, self.bands, self.megapixels


class Timings:
    """Timings by key, in memory and optionally in a file."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[tuple[str, int, float], Timing] = {}
        self._rate = math.nan
        if path is not None and path.exists():
            self._read(path)

    @property
    def rate(self) -> float:
        """Float32 matrix products, GFLOP/s; NaN if not measured."""
        return self._rate

    @rate.setter
    def rate(self, value: float) -> None:
        self._rate = value
        self._write()

    def add(self, timing: Timing) -> None:
        """Add a timing and write the file."""
        self._known[timing.key] = Timing(**asdict(timing) | {"when": circumstances()})
        self._write()

    def __iter__(self) -> Iterator[Timing]:
        """Iterate over the timings by bands and size."""
        return iter(sorted(self._known.values(), key=lambda one: (one.bands, one.megapixels)))

    def find(self, what: str, bands: int, megapixels: float | None = None) -> Timing | None:
        """Return a timing or None; of several sizes, the smallest."""
        matching = (one for one in self if one.what == what and one.bands == bands)
        return next((one for one in matching if megapixels in (None, one.megapixels)), None)

    def _read(self, path: Path) -> None:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            self._rate = _number(data["gflops"])
            rows = [Timing(**row | {"peak": _number(row["peak"])}) for row in data["figures"]]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise FileError(f"{path} holds no timings of this benchmark. Name another.") from error
        self._known = {row.key: row for row in rows}

    def _write(self) -> None:
        if self._path is None:
            return
        rows = [asdict(one) | {"peak": _null(one.peak)} for one in self]
        data = {"gflops": _null(self._rate), "figures": rows}
        write_atomically(self._path, (json.dumps(data, indent=1, allow_nan=False) + "\n").encode())


def markdown(timings: Timings, cores: int) -> str:
    """Return all tables."""
    rows = list(timings)
    parts = [] if math.isnan(timings.rate) else [f"Float32 matrices: {timings.rate:.0f} GFLOP/s."]
    parts.append(_table(["work", "bands", "Mpixel", "seconds", "CPU s", "Mpixel/s", "MB"], rows))
    ratios = [*_array_ratios(timings), *_command_ratios(timings, cores), *_process_ratios(timings)]
    ratios += _write_ratios(timings)
    if ratios:
        lines = ["| ratio | bands | figure |", "| --- | --- | --- |"]
        parts.append("\n".join([*lines, *ratios]))
    parts.append("Taken: " + "; ".join(sorted({one.when for one in rows})) + ".")
    return "\n\n".join([*parts, CORES_NOTE])


def _table(head: Sequence[str], rows: Sequence[Timing]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for one in rows:
        peak = "" if math.isnan(one.peak) else f"{one.peak:.0f}"
        cells = [one.what, str(one.bands), f"{one.megapixels:g}", f"{one.seconds:.2f}"]
        lines.append("| " + " | ".join([*cells, f"{one.cpu:.2f}", f"{one.rate:.3g}", peak]) + " |")
    return "\n".join(lines)


def _array_ratios(timings: Timings) -> list[str]:
    """Return the ratios of anomvae and other detectors on arrays."""
    lines = []
    for one in timings:
        if not one.what.startswith("anomvae vae"):
            continue
        for other in ("spectral rx", "scikit-learn IsolationForest", "PyOD VAE decision_function"):
            peer = timings.find(other, one.bands)
            if peer is not None:
                lines.append(
                    f"| {one.what} / {other} | {one.bands} | {one.rate / peer.rate:.3g} x |"
                )
        if one.multiplied and not math.isnan(timings.rate):
            bound = timings.rate * 1e3 / (2 * one.multiplied)  # Mpixel/s
            label = f"{one.what} / bound of its multiply-adds, {bound:.3g} Mpixel/s"
            lines.append(f"| {label} | {one.bands} | {one.rate / bound:.2f} x |")
    return lines


def _command_ratios(timings: Timings, cores: int) -> list[str]:
    """Return the ratios of the command line and its bound."""
    lines = []
    for one in timings:
        start = timings.find("score", *TINY)
        read = timings.find("read", one.bands, one.megapixels)
        write = timings.find("write", one.bands, one.megapixels)
        score = timings.find(SCORE_TILE, one.bands)
        if one.what != "score" or not (start and read and write and score):
            continue
        cpu = read.cpu + write.cpu + score.cpu * one.pixels / score.pixels
        bound = start.seconds + cpu / cores
        label = f"score of {one.megapixels:g} Mpixel / bound of {bound:.1f} s"
        lines.append(f"| {label} | {one.bands} | {one.seconds / bound:.2f} x |")
    return lines


def _process_ratios(timings: Timings) -> list[str]:
    """Return the ratios of two processes and one."""
    lines = []
    for one in timings:
        two = timings.find("score --workers 2", one.bands, one.megapixels)
        if one.what == "score --workers 1" and two is not None:
            label = f"two processes / one, {one.megapixels:g} Mpixel"
            lines.append(f"| {label} | {one.bands} | {one.seconds / two.seconds:.2f} x |")
    return lines


def _write_ratios(timings: Timings) -> list[str]:
    """Return the ratios of writing and its bound, and of writing before."""
    lines = []
    for one in timings:
        if one.what not in {"write", "write, plain first"}:
            continue
        alone = timings.find("write, blocks alone", one.bands, one.megapixels)
        if alone is not None:
            label = f"{one.what} / its blocks alone, {one.megapixels:g} Mpixel, CPU s"
            lines.append(f"| {label} | {one.bands} | {one.cpu / alone.cpu:.2f} x |")
    return lines


def _null(value: float) -> float | None:
    return None if math.isnan(value) else value


def _number(value: float | None) -> float:
    return math.nan if value is None else value
