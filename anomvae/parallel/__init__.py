"""Run a function over many pieces of work; each way behaves like `map`: results come in order.

`serial` does one piece after the other; `ahead` uses threads of this process, `processes` other
processes of this machine, `dask` those of a cluster.  All take work from its iterator only as their
results are taken, so that memory does not grow with the work.  A worker that dies is replaced, and
what it was at is begun anew.
"""

from .cluster import dask
from .local import processes
from .mapper import Mapper, Progress, ahead, quiet, serial
from .warnings import captured_warnings

__all__ = [
    "Mapper",
    "Progress",
    "ahead",
    "captured_warnings",
    "dask",
    "processes",
    "quiet",
    "serial",
]
