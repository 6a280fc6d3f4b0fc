"""The command line: one file per command; parse, call, print.

Results go to stdout, progress and logs to stderr.  Commands are imported when they are named, and
heavy packages inside them, so that ``--help`` is quick.  Exit codes are those of `anomvae.errors`.
"""

from .group import Group, main

__all__ = ["Group", "main"]
