"""The compiled kernel, with every set of instructions of this processor."""

import os
import shutil
import subprocess
import sys
import zlib
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from anomvae import native
from anomvae.pixels.annulus import Annulus, annulus_sums, in_steps, rounded
from anomvae.stats.local_contrast import NEAREST, half_of, near

ROOT = Path(__file__).parent.parent
LIBRARY = native.library()
LEVELS = range(0 if LIBRARY is None else LIBRARY.level + 1)
compiled = pytest.mark.skipif(LIBRARY is None, reason="anomvae is installed without a compiler")
every_level = pytest.mark.parametrize("level", LEVELS, ids=native.LEVELS[: len(LEVELS)])
shapes = npst.array_shapes(min_dims=2, max_dims=2, max_side=40)
annuli = st.sampled_from([Annulus(3, 1), Annulus(7, 3), Annulus(21, 7)])


@every_level
@given(shape=shapes | st.just((2, 600)), annulus=annuli, latent=st.integers(1, 5))
def test_codes_are_near_each_other_to_the_bit_as_in_numpy(level, shape, annulus, latent):
    rng = np.random.default_rng(0)
    valid = (rng.uniform(size=shape) < 0.8).astype(np.float32)
    code = rng.normal(size=(latent, *shape)).astype(np.float32) * valid
    neighbours = code, valid, [*half_of(annulus)], NEAREST

    sums = native.near(*neighbours, level=level)

    np.testing.assert_array_equal(sums, near(*neighbours))


@compiled
@given(
    shape=npst.array_shapes(min_dims=2, max_dims=3, max_side=12),
    halves=st.tuples(st.integers(0, 15), st.integers(0, 15)),
)
def test_sums_over_annuli_are_those_of_numpy_even_where_they_wrap_around(shape, halves):
    values = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, shape)
    guard, outer = (2 * half + 1 for half in sorted(halves))

    sums = native.annulus_sums(values, outer, guard)

    np.testing.assert_array_equal(sums, annulus_sums(values, outer, guard))


@compiled
@given(values=npst.arrays(float, (3, 4, 2), elements=st.floats(-100, 100)), seed=st.integers(0, 9))
def test_values_are_rounded_as_by_numpy(values, seed):
    valid = np.random.default_rng(seed).uniform(size=(3, 4)) < 0.7
    values[~valid] = np.nan

    for plane in (
        *np.moveaxis(values, -1, 0),
        np.ascontiguousarray(values[..., 0]),
        values[::2, :, 1],
    ):
        here = valid[:: 2 if len(plane) == 2 else 1]
        np.testing.assert_array_equal(in_steps(plane, here), rounded(plane, here))


@pytest.mark.parametrize("content", [None, b"", b"\x7fELF"])
def test_a_library_that_cannot_be_used_says_why(tmp_path, content):
    if content is not None:
        (tmp_path / "lib.so").write_bytes(content)
    why = "without a C" if content is None else "is damaged"

    with pytest.raises(native.Missing, match=why):
        native.load(tmp_path / "lib.so")


@compiled
def test_a_library_that_is_whole_but_of_another_kind_says_why(tmp_path):
    other = b"no library"
    (tmp_path / "lib.so").write_bytes(other + zlib.crc32(other).to_bytes(4, "little"))

    with pytest.raises(native.Missing, match="cannot be loaded"):
        native.load(tmp_path / "lib.so")


@compiled
@pytest.mark.parametrize("damage", ["cut", "zeros", "bit"])
def test_numpy_computes_where_the_library_is_damaged(tmp_path, damage):
    content = bytearray(native.FILE.read_bytes())
    half = len(content) // 2
    if damage == "bit":
        content[half] ^= 1
    else:
        content[half:] = bytes(half) if damage == "zeros" else b""
    shutil.copytree(ROOT / "anomvae", tmp_path / "anomvae", ignore=shutil.ignore_patterns("*.so"))
    (tmp_path / "anomvae" / native.FILE.name).write_bytes(content)

    command = [sys.executable, "-m", "anomvae", "info", "--engines"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True)

    assert done.returncode == 0
    assert "native  is damaged" in done.stdout
    assert "takes several times as long" in done.stdout


def test_without_a_compiler_the_wheel_is_one_of_python_alone(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.syspath_prepend(ROOT)
    hook = import_module("hatch_build").NativeHook(str(ROOT), {}, None, None, tmp_path, "wheel")
    wheel = {"force_include": {}}

    hook.initialize("standard", wheel)
    hook.finalize("standard", wheel, "")

    assert wheel == {"force_include": {}}
    assert "slower, by numpy alone: no C++ compiler" in "".join(capfd.readouterr())


@pytest.mark.slow
@pytest.mark.parametrize("compiler", [True, False])
def test_anomvae_installs_with_and_without_a_compiler(tmp_path, compiler):
    source, empty = tmp_path / "source", tmp_path / "empty"
    empty.mkdir()
    for name in ("anomvae", "configs", "data_samples", "native"):
        shutil.copytree(ROOT / name, source / name)
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    if compiler and not any(map(shutil.which, ("c++", "g++", "clang++"))):
        pytest.skip("no compiler")
    path = os.environ["PATH"] if compiler else str(empty)

    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(source)]
    subprocess.run(wheel, env={"PATH": path}, check=True, capture_output=True)

    (file,) = tmp_path.glob("*.whl")
    target = tmp_path / "target"
    install = [*pip, "install", "--no-deps", "--target", str(target), str(file)]
    subprocess.run(install, check=True, capture_output=True)
    code = (
        "import logging, anomvae; from support.programs import Drawing; "
        "from anomvae.cli.engines import engine_lines; from anomvae.program import engine_name; "
        "logging.basicConfig(level='INFO', format='%(message)s'); print(anomvae.__file__, "
        "engine_name('auto', Drawing(0).program(3), 'cpu'), *engine_lines(), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=empty,
        env={"PYTHONPATH": f"{target}{os.pathsep}{ROOT / 'tests'}"},
        check=True,
        capture_output=True,
        text=True,
    )
    where, engine, lines = done.stdout.split("\n", 2)
    assert Path(where).is_relative_to(target)
    assert engine == ("native" if compiler else "numpy")
    assert ("native  is not compiled" in lines) == (not compiler)
    assert ("takes several times as long" in lines) == (not compiler)
    assert ("takes several times as long" in done.stderr) == (not compiler)
    assert file.name.endswith("-any.whl") == (not compiler)
