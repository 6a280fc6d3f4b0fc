"""Every module can be imported, and every example in a docstring does what it says."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import anomvae

PACKAGE = Path(anomvae.__file__).parent


def name_of(path):
    """Return the full name of the module of a file."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {
    name_of(path): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path != PACKAGE / "__main__.py"  # importing it runs the command line
}
WITH_EXAMPLES = [name for name, path in MODULES.items() if ">>> " in path.read_text("utf-8")]


def test_every_module_can_be_imported():
    for name in MODULES:
        assert import_module(name).__doc__, name


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_hold(name):
    failed, tried = doctest.testmod(import_module(name))

    assert failed == 0 < tried
