"""Engines: what evaluates scoring programs, and how one is chosen.

An engine is made for one program.  It returns the terms of examples as `anomvae.program.program`
defines them, within 2e-6 of a float64 evaluation, relative, and an example has the same bits
whatever its neighbours, the number of examples, and the threads that call: engines are called from
several threads at a time, each with BLAS alone, and release Python's lock while they compute.

A row of `ENGINES` decides for which programs and devices there is an engine; ``auto`` takes the
first that runs there.  Engines import what they need when they are made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from .. import native
from ..errors import ConfigError, hint
from ..pixels.stored_block import Numbers, Stored
from .codebook import Codebook
from .codes import Normal, Point
from .ladder import Ladder
from .layers import Array
from .program import Program, ProgramTerms

log = logging.getLogger(__name__)

AUTO = "auto"
REFERENCE = "numpy"
"""The engine of everything that is not a score, such as explanations."""


class Engine(Protocol):
    """Evaluates one scoring program."""

    @property
    def rows(self) -> int:
        """Examples that a call takes at most."""

    def terms(self, x: Array, features: Array | None, *, code: bool) -> ProgramTerms:
        """Return the terms of examples.

        Parameters
        ----------
        x : array of float32, shape (n, ..., band)
            1 to `rows` examples in data units, of any strides; NaN only where a context network
            takes missing pixels.
        features : array of float32, shape (n, ..., feature), or None
            What the model is conditioned on, standardised.
        code : bool
            Whether codes are wanted; without, their array may have no columns.

        Returns
        -------
        ProgramTerms
            New arrays of float32.
        """


@runtime_checkable
class StoredEngine(Engine, Protocol):
    """An engine that also evaluates numbers as a file stores them."""

    def stored_terms(self, numbers: Numbers, stored: Stored) -> ProgramTerms:
        """Return the terms of numbers, (n, band), of any strides and any n; without codes.

        They are those of the values, to the bit; NaN where a band has no data.
        """


@dataclass(frozen=True)
class EngineRow:
    """A row of the table of engines."""

    lack: Callable[[Program, str], str]
    """Why it does not run a program on a device, such as "has no GPU"; empty: it does."""
    make: Callable[[Program, str], Engine]
    """Make the engine of a program, on a device."""


def _native_lack(program: Program, device: str) -> str:
    if device != "cpu":
        return "has no GPU"
    if not (program.dense or program.of_patches):
        return "runs no program with dates or draws"
    if not isinstance(program.code, Point | Normal | Ladder | Codebook):
        return f"has no steps for the code {type(program.code).__name__}"
    return native.missing()


def _native(program: Program, device: str) -> Engine:
    from .native_engine import NativeEngine
    from .native_patches import NativePatchEngine

    return NativeEngine(program) if program.dense else NativePatchEngine(program)


def _numpy(program: Program, device: str) -> Engine:
    from .numpy_engine import NumpyEngine

    return NumpyEngine(program)


def _torch(program: Program, device: str) -> Engine:
    from .torch_engine import TorchEngine

    return TorchEngine(program, device)


ENGINES = {
    "native": EngineRow(_native_lack, _native),
    "numpy": EngineRow(lambda program, device: "" if device == "cpu" else "has no GPU", _numpy),
    "torch": EngineRow(lambda program, device: "", _torch),
}
"""Engines by name, in the order of ``auto``."""


def engine_made(name: str, program: Program, device: str) -> Engine:
    """Make the engine of a name (`engine_name`)."""
    return ENGINES[name].make(program, device)


def engine_name(name: str, program: Program, device: str) -> str:
    """Return the name of the engine that runs a program on a device.

    Raises
    ------
    ConfigError
        If no engine has this name, or it does not run the program there.
    """
    if name == AUTO:
        lacks = {key: row.lack(program, device) for key, row in ENGINES.items()}
        chosen = next(key for key, lack in lacks.items() if not lack)
        if chosen == "numpy" and lacks["native"] == native.missing():
            log.info("scoring takes several times as long by numpy: native %s", lacks["native"])
        return chosen
    if name not in ENGINES:
        raise ConfigError(f"engine = {name!r} is unknown. {hint(name, [AUTO, *ENGINES])}")
    lack = ENGINES[name].lack(program, device)
    if lack:
        raise ConfigError(f"engine = {name!r} {lack} (device = {device!r}). Give engine = 'auto'.")
    return name
