"""The documentation: its pages, what they quote, and the modules that make parts of the site."""

import re
import shlex
import sys
from importlib import import_module
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SHELL = {"|", ";", "&&", ">"}
"""What ends a command."""


def page(name):
    """Return the text of a page, or of another file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def hook(name):
    """Import a module of docs/hooks/, which mkdocs finds in its own way."""
    folder = str(DOCS / "hooks")
    if folder not in sys.path:
        sys.path.append(folder)
    return import_module(name)


def blocks(text):
    """Return kind and text of each block of code, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def calls(text):
    """Return every line of a console that is typed, in order."""
    return re.findall(r"^\$ (.*)$", text, re.MULTILINE)


def commands_in(text):
    """Return the arguments of each call of anomvae in the blocks of code of a page."""
    for kind, code in blocks(text):
        prompt = {"console": r"\$ ", "sh": "", "text": ""}.get(kind)
        if prompt is None:
            continue
        for call in re.findall(rf"^{prompt}anomvae (.*)$", code.replace("\\\n", " "), re.MULTILINE):
            words = shlex.split(call, comments=True)
            yield list(takewhile(lambda word: word not in SHELL, words))


def generated():
    """Return the pages that are made when the site is built, as files of docs/."""
    made = [*hook("commands").pages(), *hook("settings").pages(), *hook("api").pages()]
    notebooks = [path.with_suffix(".md") for path in (DOCS / "notebooks").glob("*.ipynb")]
    return {(DOCS / name).resolve() for name in made} | {path.resolve() for path in notebooks}
