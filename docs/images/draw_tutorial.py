"""Draw the pictures of pages by their commands: `python docs/images/draw_tutorial.py [PAGE...]`."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
PAGES = {
    "tutorial.md": {
        "maps/scene_a.png": "scene_a.png",
        "why.png": "tutorial_why.png",
        "like/scene_a.like.png": "tutorial_like.png",
        "units.png": "tutorial_units.png",
    },
    "figures.md": {"scene.png": "figure_scene.png", "object.png": "figure_object.png"},
}
"""The pictures of each page: what its commands draw, and what is kept."""
WIDTH = 1400
"""Of a picture in the page, at most, pixels."""


def draw(page: str, folder: Path) -> None:
    """Run the commands of a page in ``folder``, and keep small copies of their pictures."""
    shutil.copytree(HERE.parents[1] / "data_samples", folder / "data_samples")
    text = (HERE.parent / page).read_text(encoding="utf-8")
    for call in re.findall(r"^\$ anomvae (.*)$", text, re.MULTILINE):
        command = [sys.executable, "-m", "anomvae", *shlex.split(call)]
        subprocess.run(command, cwd=folder, check=True)
    for drawn, kept in PAGES[page].items():
        _keep_small(folder / drawn, HERE / kept)


def _keep_small(drawn: Path, kept: Path) -> None:
    """Copy a picture; one that is too wide is made smaller, with few colours."""
    picture = Image.open(drawn).convert("RGB")
    if picture.width <= WIDTH:
        shutil.copy(drawn, kept)
        return
    size = (WIDTH, round(picture.height * WIDTH / picture.width))
    small = picture.resize(size, Image.Resampling.LANCZOS)
    small.quantize(96, dither=Image.Dither.NONE).save(kept, optimize=True)


if __name__ == "__main__":
    for chosen in sys.argv[1:] or PAGES:
        with tempfile.TemporaryDirectory() as name:
            draw(chosen, Path(name))
