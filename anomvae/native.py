"""The compiled kernel: its library, and the structures that it takes (`native/interface.h`).

It is compiled when anomvae is installed, if there is a C++ compiler (`native/build.py`).  Without
it callers compute in numpy, which takes longer.  The best set of instructions of the processor is
chosen when the library is loaded; another one is an argument, for tests.
"""

from __future__ import annotations

import ctypes
import zlib
from collections.abc import Sequence
from ctypes import POINTER, c_double, c_float, c_int32, c_int64, c_void_p
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

INTERFACE = 6
"""Version of the structures below."""
FILE = Path(__file__).with_name("libanomvae.so")
WHOLE = 0x2144DF1C
"""CRC-32 of anything that ends with its own CRC-32, the lowest byte first."""
LEVELS = ("portable", "AVX2", "AVX-512")
"""Sets of instructions; a processor with one has those before it."""
LANES = 16
"""Floats in the largest vector."""

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Input(ctypes.Structure):
    """Values of examples, which become planes."""

    _fields_ = (
        ("data", c_void_p),
        ("example_stride", c_int64),
        ("value_stride", c_int64),
        ("scale", c_void_p),
        ("offset", c_void_p),
        ("nodata", c_void_p),
        ("centre", c_void_p),
        ("farthest", c_void_p),
        ("type", c_int32),
        ("values", c_int32),
        ("plane", c_int32),
        ("stored", c_int32),
    )


class Step(ctypes.Structure):
    """An operation on planes."""

    _fields_ = (
        ("weight", c_void_p),
        ("bias", c_void_p),
        ("number", c_float),
        ("operation", c_int32),
        ("in_", c_int32),
        ("inputs", c_int32),
        ("out", c_int32),
        ("outputs", c_int32),
        ("other", c_int32),
        ("others", c_int32),
    )


class Output(ctypes.Structure):
    """Planes that are kept."""

    _fields_ = (
        ("data", c_void_p),
        ("example_stride", c_int64),
        ("value_stride", c_int64),
        ("plane", c_int32),
        ("values", c_int32),
        ("most", c_float),
        ("spare", c_int32),
    )


class Program(ctypes.Structure):
    """Steps between inputs and outputs."""

    _fields_ = (
        ("inputs", POINTER(Input)),
        ("steps", POINTER(Step)),
        ("outputs", POINTER(Output)),
        ("input_count", c_int32),
        ("step_count", c_int32),
        ("output_count", c_int32),
        ("planes", c_int32),
    )


class Annulus(ctypes.Structure):
    """Pixels of a date."""

    _fields_ = (
        ("code", c_void_p),
        ("valid", c_void_p),
        ("near", c_void_p),
        ("offsets", c_void_p),
        ("rows", c_int64),
        ("cols", c_int64),
        ("plane", c_int64),
        ("line", c_int64),
        ("first", c_int64),
        ("latent", c_int32),
        ("offset_count", c_int32),
        ("least", c_float),
        ("spare", c_int32),
    )


class Library(NamedTuple):
    """The loaded library."""

    functions: ctypes.CDLL
    """Its functions."""
    level: int
    """Number of the best set of instructions of this processor in `LEVELS`."""


class Missing(Exception):
    """There is no library that can be used: the message says what it lacks."""


def load(path: Path = FILE) -> Library:
    """Load the library from a file.

    Raises
    ------
    Missing
        When there is none, or one that is damaged or does not fit this machine or this version of
        anomvae.
    """
    if not path.exists():
        raise Missing("is not compiled: anomvae was installed without a C++ compiler")
    try:
        if zlib.crc32(path.read_bytes()) != WHOLE:  # half a library would end the process
            raise Missing(f"is damaged: {path} is not what was compiled. Install anomvae again")
        functions = ctypes.CDLL(str(path))
        version = functions.anomvae_interface()
    except (OSError, AttributeError) as error:
        raise Missing(f"cannot be loaded: {error}") from error
    if version != INTERFACE:
        raise Missing("is compiled for another version of anomvae: install it again")
    return Library(functions, functions.anomvae_level())


def library() -> Library | None:
    """Return the library, None without one."""
    found = _library()
    return None if isinstance(found, str) else found


def missing() -> str:
    """Return why there is no library, such as "is not compiled"; empty: there is one."""
    found = _library()
    return found if isinstance(found, str) else ""


@cache
def _library() -> Library | str:
    try:
        return load()
    except Missing as error:
        return str(error)


def instructions(level: int | None = None) -> Library:
    """Return the library with a set of instructions, by default the best one.

    Raises
    ------
    Missing
        When there is no library, or this processor lacks the instructions.
    """
    found = _library()
    if isinstance(found, str):
        raise Missing(f"The kernel {found}.")
    if level is None:
        return found
    if not 0 <= level <= found.level:
        raise Missing(f"This processor has no {LEVELS[level]} instructions.")
    return found._replace(level=level)


def near(
    code: Floats,
    valid: Floats,
    offsets: Sequence[tuple[int, int]],
    least: float,
    *,
    level: int | None = None,
) -> Floats:
    """Sum 1 / (squared distance of codes + ``least``) over neighbours of pixels, (row, col).

    Parameters
    ----------
    code : array of float32, axes (latent, row, col)
        Codes; 0 where not valid.
    valid : array of float32, axes (row, col)
        1 where there are data, else 0.
    offsets : sequence of (row, col)
        One of each two opposite neighbours; the sum has them in this order.
    least : float
        What is added to squared distances.
    level : int, optional
        Instructions, a number of `LEVELS`.
    """
    found, sums = instructions(level), np.empty(valid.shape, np.float32)
    radius = int(np.abs(offsets).max())
    margin = (radius, radius), (radius, radius + LANES)
    code, valid = np.pad(code, ((0, 0), *margin)), np.pad(valid, margin)
    steps = np.array(offsets, np.int64) @ (valid.shape[1], 1)
    annulus = Annulus(
        *map(address, (code, valid, sums, steps)),
        *(*sums.shape, valid.size, valid.shape[1], radius * valid.shape[1] + radius),
        *(len(code), len(steps), least, 0),
    )
    found.functions.anomvae_near(ctypes.byref(annulus), found.level)
    return sums


def annulus_sums(values: Integers, outer: int, guard: int) -> Integers:
    """Sum over squares of odd sides ``outer`` without ``guard``, axes (..., row, col); 0 outside.

    Sums may wrap around.
    """
    functions = instructions().functions
    values = np.ascontiguousarray(values, np.int64)
    sums, (rows, cols) = np.empty_like(values), values.shape[-2:]
    room = np.empty(4 * (cols + outer // 2 + 1), np.int64)
    sizes = [c_int64(size) for size in (rows, cols, outer // 2, guard // 2)]
    planes = (array.reshape(-1, rows, cols) for array in (values, sums))
    for arrays in zip(*planes, strict=True):
        functions.anomvae_annulus_sums(*map(c_void_p, map(address, (*arrays, room))), *sizes)
    return sums


def in_steps(values: NDArray[np.float64], valid: Mask, most: float, step: float) -> Integers:
    """Round values clipped at ``most`` to numbers of steps, 2^-k; 0 where they are not valid.

    Values and ``valid`` have axes (..., row, col); values may lie apart, but evenly.
    """
    functions = instructions().functions
    if not (flat := values.reshape(-1)).size:
        return np.zeros(values.shape, np.int64)
    valid, out = np.ascontiguousarray(valid), np.empty(values.shape, np.int64)
    functions.anomvae_in_steps(
        *(c_void_p(address(flat)), c_int64(flat.strides[0] // flat.itemsize)),
        *(c_void_p(address(valid)), c_void_p(address(out)), c_int64(flat.size)),
        *(c_double(most), c_double(1 / step)),
    )
    return out


def address(array: NDArray[Any]) -> int:
    """Return where the values of a contiguous array begin; it must outlive the call."""
    return int(array.__array_interface__["data"][0])  # array.ctypes takes six times as long
