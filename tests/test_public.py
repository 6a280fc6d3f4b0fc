"""The public names, and that importing them costs nothing until they are used."""

import subprocess
import sys

import pytest

import anomvae


@pytest.mark.parametrize("name", anomvae.__all__)
def test_every_public_name_is_there_and_documented(name):
    value = getattr(anomvae, name)

    assert isinstance(value, str) or value.__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'vae'"):
        _ = anomvae.vae


def test_importing_anomvae_loads_no_heavy_package():
    code = "import sys, anomvae; print(sorted({'torch', 'rasterio', 'numpy'} & set(sys.modules)))"

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"
