"""Forks: a child process lacks the threads that libraries had started in its parent."""

import os

_IMPORTED_BY = os.getpid()


def forked() -> bool:
    """Return whether this process is a fork of the one that imported anomvae.

    GDAL and OpenMP keep their threads for later work, and would wait for ever for those of the
    parent: here they may use the calling thread alone.
    """
    return os.getpid() != _IMPORTED_BY
