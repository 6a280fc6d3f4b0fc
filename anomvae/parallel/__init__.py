"""Apply a function to many items of work; each way behaves like `map`: results come in order.

`serial` uses this thread, `ahead` threads of this process, `processes` processes of this machine,
`dask` the workers of a cluster.  All read the iterator of work only as their results are taken, so
that memory does not grow with the work.  A worker that dies is replaced, and its items are started
again.  `isolated` keeps the settings of the host out of results.
"""

from .cluster import dask
from .forks import forked
from .isolation import isolated
from .local import processes
from .mapper import Mapper, Progress, ahead, quiet, serial
from .warnings import captured_warnings

__all__ = [
    "Mapper",
    "Progress",
    "ahead",
    "captured_warnings",
    "dask",
    "forked",
    "isolated",
    "processes",
    "quiet",
    "serial",
]
