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
SMALL = (12, 0.009216)
"""The same of a small scene, 96 x 96."""
PRODUCTS = ("float32 product, numpy", "float32 product, torch")
"""The bound of networks."""
RX = "spectral rx"
PEERS = (RX, "scikit-learn IsolationForest", "PyOD VAE decision_function")
TORCH = "score --engine torch"
BEFORE, BUSY = ", before", ", every core busy"
"""Ends of the names of works of an earlier checkout, and beside other processes."""
CORES_NOTE = (
    "Products, detectors and tiles are measured on one core, in turns. Bound of score: start + "
    "(read + score + write, processor seconds each alone) / cores; scoring is that of a tile. Peak "
    "memory: what each process had at most, all together, shared pages once for each. The engine "
    "of torch multiplies one layer after the other, as scoring did before there were programs."
)


def scoring(noise: str, engine: str) -> str:
    """Name the scoring of pixels in memory by the default detector with a noise model."""
    return f"anomvae vae, {noise} noise, {engine}"


def tile_scoring(config: str, engine: str) -> str:
    """Name the scoring of a tile by the detector of a configuration."""
    return f"score of a tile, {config}, {engine}"


SCORE_TILE = tile_scoring("default", "native")
"""Scoring without reading, writing, or other threads."""


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
    """Multiply-adds for a pixel; 0: unknown."""

    @property
    def rate(self) -> float:
        """Mpixel/s."""
        return self.pixels / self.seconds / 1e6

    @property
    def flops(self) -> float:
        """Operations of multiply-adds, two each, for a second of a processor, GFLOP/s."""
        return 2 * self.multiplied * self.pixels / self.cpu / 1e9

    @property
    def key(self) -> tuple[str, int, float]:
        """A newer timing of the same key replaces this one."""
        return self.what, self.bands, self.megapixels


class Timings:
    """Timings by key, in memory and optionally in a file."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[tuple[str, int, float], Timing] = {}
        if path is not None and path.exists():
            self._read(path)

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

    def per_cpu(self, what: str, other: str, bands: int, megapixels: float | None = None) -> float:
        """Return the pixels of a work per processor second, over those of another; NaN: unknown."""
        one, two = (self.find(name, bands, megapixels) for name in (what, other))
        if one is None or two is None:
            return math.nan
        return (one.pixels / one.cpu) / (two.pixels / two.cpu)

    def of_product(self, what: str, bands: int) -> float:
        """Return the multiply-adds of a work per processor second, over those of a product.

        NaN: unknown.
        """
        one = self.find(what, bands)
        bounds = [bound.flops for name in PRODUCTS if (bound := self.find(name, bands))]
        return one.flops / max(bounds) if one is not None and bounds else math.nan

    def _read(self, path: Path) -> None:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            rows = [Timing(**row | {"peak": _number(row["peak"])}) for row in data["figures"]]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise FileError(f"{path} holds no timings of this benchmark. Name another.") from error
        self._known = {row.key: row for row in rows}

    def _write(self) -> None:
        if self._path is None:
            return
        rows = [asdict(one) | {"peak": _null(one.peak)} for one in self]
        data = {"figures": rows}
        write_atomically(self._path, (json.dumps(data, indent=1, allow_nan=False) + "\n").encode())


CPU_RATIOS = (
    ("read", "GDAL read"),
    ("read", "read of values"),
    ("write", "write, blocks alone"),
    ("write, plain first", "write, blocks alone"),
    ("score", TORCH),
    *((what, f"{what}{BEFORE}") for what in ("score", "detect", f"detect{BUSY}")),
)
"""Works, and what their processor seconds are compared with."""


def markdown(timings: Timings, cores: int) -> str:
    """Return all tables."""
    rows = list(timings)
    parts = [_table(["work", "bands", "Mpixel", "seconds", "CPU s", "Mpixel/s", "MB"], rows)]
    ratios = [*_array_ratios(timings), *_command_ratios(timings, cores), *_process_ratios(timings)]
    ratios += [line for pair in CPU_RATIOS for line in _cpu_ratios(timings, *pair)]
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
    """Return what detectors on arrays compute per processor second, beside others."""
    lines = []
    for one in timings:
        if not one.what.startswith("anomvae vae"):
            continue
        for other in PEERS:
            if timings.find(other, one.bands) is not None:
                ratio = timings.per_cpu(one.what, other, one.bands)
                lines.append(f"| {one.what} / {other} | {one.bands} | {ratio:.3g} x |")
        ratio = timings.of_product(one.what, one.bands)
        if not math.isnan(ratio):
            lines.append(f"| {one.what} / product, multiply-adds | {one.bands} | {ratio:.2f} x |")
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


def _cpu_ratios(timings: Timings, what: str, other: str) -> list[str]:
    """Return the processor seconds of a work over those of another, for each scene."""
    lines = []
    for one in timings:
        two = timings.find(other, one.bands, one.megapixels)
        if one.what == what and two is not None:
            label = f"{what} / {other}, {one.megapixels:g} Mpixel, CPU s"
            lines.append(f"| {label} | {one.bands} | {one.cpu / two.cpu:.2f} x |")
    return lines


def _null(value: float) -> float | None:
    return None if math.isnan(value) else value


def _number(value: float | None) -> float:
    return math.nan if value is None else value
