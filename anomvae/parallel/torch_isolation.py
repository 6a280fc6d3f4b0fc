"""Isolation from the settings of torch that the host program has made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from .forks import forked

CREATORS = {torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn}
"""Functions of torch, of those that are used here, whose result has the default type."""


class _Float32(TorchFunctionMode):
    """Gives new tensors of this thread float32: the default type of torch holds for all threads."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - torch's signature
        given = dict(kwargs or {})
        if func in CREATORS and given.get("dtype") is None:
            given["dtype"] = torch.float32
        return func(*args, **given)


@contextmanager
def isolated_torch() -> Iterator[None]:
    """Compute on this thread with the defaults of torch; see `anomvae.parallel.isolation`."""
    if forked() and torch.get_num_threads() > 1:
        torch.set_num_threads(1)
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        # These two slow every call of torch down.
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if torch.get_default_dtype() != torch.float32:
            stack.enter_context(_Float32())
        yield


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Set the number of threads that torch gives each operation."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
