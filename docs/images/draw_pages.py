"""Draw report.png and watch.png by the commands of docs/index.md and Chromium.

`python docs/images/draw_pages.py`, after `.ci/browser`.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

HERE = Path(__file__).parent
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
SECONDS = 3
"""Time that a page has to draw itself."""
WIDTH = 1100
"""Of a picture, pixels."""


@dataclass(frozen=True)
class Shot:
    """A picture of a page."""

    page: str
    """Where the commands write the page."""
    width: int
    height: int
    """Of the window, pixels."""


SHOTS = {
    "report.png": Shot("report.html", 1300, 1260),
    "watch.png": Shot("pages/sites/fields/index.html", 1300, 1400),
}


def draw(folder: Path) -> None:
    """Run the commands of the home page in ``folder``, and keep pictures of its two pages."""
    shutil.copytree(HERE.parents[1] / "data_samples", folder / "data_samples")
    text = (HERE.parent / "index.md").read_text(encoding="utf-8")
    for call in re.findall(r"^\$ (.*)$", text, re.MULTILINE):
        _run(call, folder)
    for name, shot in SHOTS.items():
        _photograph(folder, shot, HERE / name)


def _run(call: str, folder: Path) -> None:
    """Run a line of a console; a pattern is expanded, as a shell does."""
    program, *words = shlex.split(call)
    arguments = [
        str(path)
        for word in words
        for path in (sorted(folder.glob(word)) if "*" in word else [word])
    ]
    begins = {"anomvae": [sys.executable, "-m", "anomvae"], "python": [sys.executable]}
    subprocess.run([*begins.get(program, [program]), *arguments], cwd=folder, check=True)


def _photograph(folder: Path, shot: Shot, kept: Path) -> None:
    """Open a page, and keep a small picture of it, with few colours."""
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for flag in (*FLAGS, f"--window-size={shot.width},{shot.height}"):
        options.add_argument(flag)
    drawn = folder / kept.name
    driver = ChromeService(shutil.which("chromedriver"))  # named, so that selenium fetches none
    with Chrome(options, driver) as browser:
        browser.get((folder / shot.page).as_uri())
        time.sleep(SECONDS)
        browser.save_screenshot(str(drawn))
    picture = Image.open(drawn).convert("RGB")
    size = (WIDTH, round(WIDTH * picture.height / picture.width))
    small = picture.resize(size, Image.Resampling.LANCZOS)
    small.quantize(256, kmeans=3, dither=Image.Dither.NONE).save(kept, optimize=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        draw(Path(name))
