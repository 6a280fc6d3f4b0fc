"""Every example in a docstring does what it says."""

import doctest
import pkgutil
from importlib import import_module

import pytest

import anomvae

MODULES = ["anomvae"] + [
    module.name
    for module in pkgutil.walk_packages(anomvae.__path__, "anomvae.")
    if module.name != "anomvae.__main__"  # importing it runs the command line
    and module.name != "anomvae.libanomvae"  # the compiled kernel is no module
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name):
    module = import_module(name)

    failed, _ = doctest.testmod(module)

    assert failed == 0
