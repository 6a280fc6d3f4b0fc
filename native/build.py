"""Compile the kernel: ``python native/build.py`` puts the library beside the Python modules.

A C++ compiler alone is needed: GCC or Clang, that of the environment variable CXX if there is one.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIBRARY = "libanomvae.so"
COMPILERS = ("c++", "g++", "clang++")
FLAGS = ("-std=c++17", "-O3", "-ffp-contract=off", "-fPIC", "-fvisibility=hidden", "-w")
LINKER = ("-Wl,--as-needed",) if sys.platform == "linux" else ()
"""The library needs nothing of the C++ library."""
LEVELS = {
    "avx512": ("-DLEVEL_AVX512", "-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma",
               "-mprefer-vector-width=512"),
    "avx2": ("-DLEVEL_AVX2", "-mavx2", "-mfma"),
}  # fmt: skip
"""Flags for a set of instructions of x86; every processor has the portable one."""


class NoCompiler(Exception):
    """There is no compiler, or it does not compile the kernel."""


def compiler() -> list[str]:
    """Return the command of the compiler; raises `NoCompiler`."""
    named = shlex.split(os.environ.get("CXX", ""))
    found = [[path] for name in COMPILERS if (path := shutil.which(name))]
    for command in [named, *found]:
        if command and shutil.which(command[0]):
            return command
    raise NoCompiler(f"no C++ compiler: none of {', '.join(COMPILERS)} is on the path")


def objects(command: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the command of each object file."""
    x86 = platform.machine().lower() in {"x86_64", "amd64"}
    levels = {"portable": (), **(LEVELS if x86 else {})}
    for level, flags in levels.items():
        source = str(HERE / "kernel.cpp")
        yield f"{level}.o", [*command, *FLAGS, *flags, "-c", source]
    yield "native.o", [*command, *FLAGS, "-c", str(HERE / "native.cpp")]


def build(folder: Path) -> Path:
    """Compile the library into a folder, and return its path; raises `NoCompiler`."""
    command = compiler()
    with tempfile.TemporaryDirectory() as name:
        made = Path(name) / LIBRARY
        parts = []
        for part, compile_part in objects(command):
            run([*compile_part, "-o", part], name)
            parts.append(part)
        run([*command, "-shared", *parts, *LINKER, "-o", LIBRARY], name)
        with made.open("rb+") as file:  # anomvae/native.py looks whether the file is whole
            file.write(zlib.crc32(file.read()).to_bytes(4, "little"))
        folder.mkdir(parents=True, exist_ok=True)
        moved = shutil.copy(made, folder / f".{LIBRARY}.new")
        os.replace(moved, folder / LIBRARY)  # a process may have the old one open
    return folder / LIBRARY


def run(command: list[str], folder: str) -> None:
    """Run a command in a folder; raises `NoCompiler` with the end of what it printed."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    except OSError as error:
        raise NoCompiler(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise NoCompiler(f"{command[0]} fails:\n{last}")


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{build(HERE.parent / 'anomvae')}\n")
    except NoCompiler as error:
        sys.exit(f"The compiled kernel is missing: {error}")
