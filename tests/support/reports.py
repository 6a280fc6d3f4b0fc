"""Scored scenes for reports, and what a page of a report holds."""

import json
import re
import shutil

import anomvae

from .rasters import land, plant, trained, write, write_labels


def scored(folder, *names):
    """Score small scenes of these names, by one model; return the folder of the results."""
    for seed, name in enumerate(names, start=1):
        path = write(folder / f"{name}.tif", plant(land(seed=seed)))
        anomvae.score_scene(trained(), path, folder / "out")
    write_labels(folder / "labels.tif")
    trained().save(folder / "model.safetensors")
    return folder / "out"


def copied(folder, to):
    """Copy scenes and results for a test that changes them."""
    return shutil.copytree(folder, to, dirs_exist_ok=True)


def widgets_of(path):
    """The data of the widgets of a page, by their ids."""
    text = path.read_text(encoding="utf-8")
    found = re.findall(r'<script type="application/json" id="([^"]+)-data">(.*?)</script>', text)
    return {name: json.loads(data)["of"] for name, data in found}


def words_of(path):
    """The text of a page without its scripts and tags, in one line."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"<(script|style)\b.*?</\1>", " ", text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())
