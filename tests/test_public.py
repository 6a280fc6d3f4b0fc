"""The public names, and that importing them loads nothing heavy."""

import subprocess
import sys

import pytest

import anomvae


@pytest.mark.parametrize("name", anomvae.__all__)
def test_every_public_name_exists_and_is_documented(name):
    value = getattr(anomvae, name)

    assert isinstance(value, str) or value.__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'vae'"):
        _ = anomvae.vae


HELP = "from anomvae.cli import main; main(['{}', '--help'], standalone_mode=False)"
COMMANDS = ("score", "train", "detect", "evaluate", "threshold", "info", "config")


@pytest.mark.parametrize("code", ["import anomvae", *map(HELP.format, COMMANDS)])
def test_importing_and_help_load_no_heavy_package(code):
    heavy = {
        "torch",
        "rasterio",
        "sklearn",
        "matplotlib",
        *({"numpy"} if "cli" not in code else ()),
    }
    code = f"import sys; {code}; print(sorted({heavy!r} & set(sys.modules)), file=sys.stderr)"

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stderr.strip() == "[]"
