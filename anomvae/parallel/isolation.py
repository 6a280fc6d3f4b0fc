"""Isolation from the host program, whose settings of numpy and torch decide no result.

A host may have floating-point errors that raise; other default types or devices of torch, autocast,
gradients off; or may have forked this process.  Nothing here loads torch.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np


@contextmanager
def isolated() -> Iterator[None]:
    """Compute on this thread with the defaults of numpy, and of torch where it is loaded.

    These are float32, CPU and gradients.  The settings of the host are back afterwards.  A process
    that was forked computes on one thread of torch from now on.
    """
    with ExitStack() as stack:
        stack.enter_context(np.errstate(divide="warn", over="warn", invalid="warn", under="ignore"))
        if "torch" in sys.modules:
            from .torch_isolation import isolated_torch

            stack.enter_context(isolated_torch())
        yield
