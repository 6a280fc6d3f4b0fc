"""The tree of errors, and the advice in messages."""

import inspect
import re

import pytest

from anomvae import errors
from anomvae.errors import hint, listed

CLASSES = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind)}
ROWS = re.findall(r"^ {4}([│├└─ ]*)(\w+)(?: \((\w+)\))? +(\d)", errors.__doc__, re.MULTILINE)


def test_every_error_is_in_the_tree_with_its_bases_and_its_exit_code():
    assert sorted(name for _, name, _, _ in ROWS) == sorted(
        name for name, kind in CLASSES.items() if kind.__module__ == errors.__name__
    )
    parents = []
    for indent, name, python_error, code in ROWS:
        level, kind = len(indent) // 4, CLASSES[name]
        assert kind.exit_code == int(code)
        assert kind.__bases__[0] is (parents[level - 1] if level else Exception)
        assert [base.__name__ for base in kind.__bases__[1:]] == (
            [python_error] * bool(python_error)
        )
        parents[level:] = [kind]


@pytest.mark.parametrize(
    ("count", "text"), [(0, ""), (2, "0, 1"), (3, "0, 1, 2"), (5, "0, 1, 2, ... 4")]
)
def test_of_many_names_the_first_and_the_last_are_listed(count, text):
    assert listed([str(number) for number in range(count)], most=3) == text


@pytest.mark.parametrize(
    ("name", "advice"), [("vea", "Did you mean 'vae'?"), ("x", "Known: ae, vae.")]
)
def test_an_unknown_name_is_answered_with_the_nearest_or_with_all(name, advice):
    assert hint(name, ["ae", "vae"]) == advice
