"""Pages of the notebooks in docs/notebooks/, run on the sample scenes when the site is built."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert import MarkdownExporter

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "notebooks"
SECONDS = 600
"""Longest time of a cell."""
SETTINGS = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


@dataclass(frozen=True)
class Rendered:
    """A notebook that was run, as a page."""

    text: str
    """Markdown."""
    pictures: dict[str, bytes]
    """Content by file name."""


def names() -> list[str]:
    """Return the names of the notebooks, without suffix."""
    return sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def read(name: str) -> nbformat.NotebookNode:
    """Read a notebook; git holds it without outputs."""
    path = FOLDER / f"{name}.ipynb"
    notebook: nbformat.NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    return notebook


def execute(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Run a notebook beside a copy of the sample scenes; an error of a cell is an error here."""
    with tempfile.TemporaryDirectory() as folder, _environment():
        shutil.copytree(ROOT / "data_samples", Path(folder) / "data_samples")
        client = NotebookClient(
            notebook,
            timeout=SECONDS,
            kernel_name="python3",
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": folder}},
        )
        return client.execute()


def render(name: str, run: bool = True) -> Rendered:
    """Run a notebook and return its page; without ``run`` the page shows no outputs."""
    notebook = execute(read(name)) if run else read(name)
    exporter = MarkdownExporter()  # type: ignore[no-untyped-call]
    text, resources = exporter.from_notebook_node(
        notebook, {"output_files_dir": f"{name}_files", "unique_key": name}
    )
    note = (
        f"[Download this notebook]({name}.ipynb); its outputs are those of the sample scenes.\n\n"
    )
    text = text.replace("![png](", "![Picture drawn by the cell above](")
    title, _, rest = text.lstrip().partition("\n")
    return Rendered(f"{title}\n\n{note}{rest}", dict(resources["outputs"]))


@contextmanager
def _environment() -> Iterator[None]:
    """Give the kernel one thread, and the package that runs here."""
    before = dict(os.environ)
    paths = [str(ROOT), *filter(None, [before.get("PYTHONPATH")])]
    os.environ.update(SETTINGS, PYTHONPATH=os.pathsep.join(paths))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
