"""Messages that docs/troubleshooting.md quotes are those of the program."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import anomvae

PACKAGE = Path(anomvae.__file__).parent
PAGE = PACKAGE.parent / "docs" / "troubleshooting.md"
QUOTED = re.compile(r"^`(.*)`\n:   ", re.MULTILINE)
GAP = "\x00"
CLICK = "no such option"
"""A message of click, of which the program has no text."""


def text_of(node):
    """Return a text of the source, a gap for each value in it."""
    if isinstance(node, ast.Constant):
        return re.sub(r"%(\.\d+)?[a-z]", GAP, node.value).replace("%%", "%")
    return "".join(part.value if isinstance(part, ast.Constant) else GAP for part in node.values)


@cache
def texts():
    """Return every text of the package, in one."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr) or (
                isinstance(node, ast.Constant) and isinstance(node.value, str)
            ):
                found.append(text_of(node))
    return found


def messages():
    return QUOTED.findall(PAGE.read_text(encoding="utf-8"))


def test_many_messages_are_quoted():
    assert len(messages()) > 50


@pytest.mark.parametrize("message", [one for one in messages() if CLICK not in one])
def test_a_quoted_message_is_one_of_the_program(message):
    parts = [re.escape(part.strip()) for part in message.split("…") if part.strip(" ()'.,:;%s")]
    wanted = re.compile(".*?".join(parts), re.DOTALL)

    assert any(wanted.search(text) for text in texts()), message
