"""Draw real_scenes.png by benchmarks/results.md: `python docs/images/draw_scenes.py`."""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "hooks"))

from results import SCENES, section  # noqa: E402 - its folder was named just now

PICTURE = HERE / "real_scenes.png"
SHOWN = {
    "rx": ("RX", "#8a8a8a", "o"),
    "rrx": ("robust RX", "#4a7ba6", "s"),
    "default": ("default", "#e0a030", "D"),
    "small-objects": ("small-objects", "#d1432b", "^"),
}
"""Label, colour and marker of each detector, by its column in results.md."""
NUMBERS = "Numbers"
"""Name of the text in the picture that holds what is drawn."""


def drawn_numbers() -> str:
    """Return the numbers that the picture shows, as results.md has them."""
    rows = section("accuracy", "AUC").rows
    return "; ".join(f"{scene} {name} {rows[scene][name]}" for scene in SCENES for name in SHOWN)


def figure() -> Figure:
    """Return AUCs of each scene in a row."""
    rows = section("accuracy", "AUC").rows
    made = Figure(figsize=(8, 3.4), layout="constrained", dpi=140)
    axes = made.add_subplot()
    names = list(reversed(SCENES))
    for place, scene in enumerate(names):
        values = [float(rows[scene][name]) for name in SHOWN]
        axes.plot(
            [min(values), max(values)], [place, place], color="#dddddd", linewidth=3, zorder=1
        )
    for name, (label, colour, marker) in SHOWN.items():
        values = [float(rows[scene][name]) for scene in names]
        axes.scatter(
            values, range(len(names)), s=42, color=colour, marker=marker, label=label, zorder=2
        )
    axes.set_yticks(range(len(names)), names)
    axes.set_xlim(0.8, 1.003)
    axes.set_xticks([0.80, 0.85, 0.90, 0.95, 1.00], [".80", ".85", ".90", ".95", "1"])
    axes.set_xlabel("ROC AUC, one configuration for all scenes, no labels")
    axes.grid(axis="x", color="#eeeeee")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    made.legend(loc="outside upper center", ncols=len(SHOWN), frameon=False)
    return made


def draw(path: Path) -> None:
    """Write the picture, with few colours, and the numbers that it shows."""
    figure().savefig(path)
    texts = PngInfo()
    texts.add_text(NUMBERS, drawn_numbers())
    small = Image.open(path).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    small.save(path, optimize=True, pnginfo=texts)


if __name__ == "__main__":
    draw(PICTURE)
