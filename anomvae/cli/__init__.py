"""The command line: one file per command; parse, call, print.

Results go to stdout, progress and logs to stderr.  A command is imported when it is called, heavy
packages inside its function, so ``--help`` is quick.  Exit codes are those of `anomvae.errors`.
"""

from .group import Group, main

__all__ = ["Group", "main"]
