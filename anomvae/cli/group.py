"""The command group: turns errors of commands into one line and an exit code."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from .. import __version__
from ..errors import AnomvaeError, FileError, is_lack_of_memory
from .lazy import LazyGroup
from .output import terminal_text
from .streams import READER_GONE, drop_unwritten, note, prepare_streams, undecoded_messages_logged

COMMANDS = (
    "train",
    "score",
    "detect",
    "like",
    "rethreshold",
    "report",
    "evaluate",
    "embed",
    "reconstruct",
    "plot",
    "figure",
    "threshold",
    "generate",
    "interpolate",
    "export",
    "monitor",
    "explain",
    "info",
    "config",
    "demo",
)
INTERNAL, UNREADABLE, INTERRUPTED = 1, 3, 130
NO_MEMORY = (
    "there is not enough memory. Give fewer bands (--bands), a smaller --tile, fewer --threads or "
    "--workers, smaller scenes, or a machine with more memory."
)
MISSING = (
    "{command} needs {package}, which is not installed here. Install anomvae with all it needs "
    "(pip install anomvae); requirements-score.txt is enough for score, info and monitor run."
)

log = logging.getLogger(__name__)


class Group(LazyGroup):
    """All commands, whose errors become one line and an exit code."""

    def main(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - click's signature
        """Run a command line, whatever state the standard streams are in."""
        try:
            with prepared():
                return super().main(*arguments, **options)
        except OSError as error:  # a message of click itself
            note(f"Error: {error}. Check where the output goes.")
            raise SystemExit(UNREADABLE) from error

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:  # noqa: ANN401
        """Parse the command line; help has the same readers as results."""
        with _until_the_reader_goes():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Run a command; an error becomes one line and its exit code."""
        try:
            with _interrupted_by_sigterm(), _until_the_reader_goes():
                _require_folder()
                return super().invoke(ctx)
        except click.ClickException as error:
            vars(error)["message"] = terminal_text(error.message)  # it quotes names of files
            raise
        except (click.exceptions.Exit, click.Abort):
            raise
        except AnomvaeError as error:
            _fail(ctx, str(error), error.exit_code)
        except KeyboardInterrupt:
            _fail(ctx, "interrupted; nothing half-made is left.", INTERRUPTED)
        except OSError as error:
            _fail(ctx, f"{error}. Check the path, its permissions and the free space.", UNREADABLE)
        except Exception as error:
            log.debug("internal error", exc_info=True)
            _fail(ctx, *_unexpected(error, str(ctx.invoked_subcommand)))


@contextmanager
def prepared() -> Iterator[None]:
    """Prepare the process for commands: its streams, and settings of libraries not yet loaded."""
    prepare_streams()
    # For notebooks, whose module need not be installed here; anomvae shows no window.
    os.environ.pop("MPLBACKEND", None)
    # Before torch is loaded: its threads would wait busily, and take cores from other programs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        with undecoded_messages_logged():
            yield
    finally:
        drop_unwritten()


def _unexpected(error: Exception, command: str) -> tuple[str, int]:
    """Return message and exit code of an error that is not ours."""
    if is_lack_of_memory(error):
        return NO_MEMORY, UNREADABLE
    package = str(getattr(error, "name", "")).partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and package != __package__.partition(".")[0]:
        return MISSING.format(command=command, package=package), UNREADABLE
    message = f"internal error ({type(error).__name__}: {error})."
    return f"{message} Please report it; -vv shows where it happened.", INTERNAL


@contextmanager
def _until_the_reader_goes() -> Iterator[None]:
    """End as other programs do when nobody reads any more what they print."""
    try:
        yield
    except BrokenPipeError as error:
        raise SystemExit(READER_GONE) from error


def _require_folder() -> None:
    """Raise FileError if the current folder was removed: libraries end the process without it."""
    try:
        os.getcwd()
    except OSError as error:
        raise FileError(
            f"The current folder cannot be found ({error.strerror}). Change to one that exists."
        ) from error


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Make SIGTERM interrupt a run as Ctrl-C does, so that it removes its temporary files."""
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or before is not signal.SIG_DFL:
        yield  # only the main thread may set handlers; another handler was set on purpose
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _fail(ctx: click.Context, message: str, code: int) -> None:
    note(f"Error: {message}")
    ctx.exit(code)


@click.group(
    cls=Group,
    commands=COMMANDS,
    package=__package__,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__)
def main() -> None:
    """Find unusual pixels in multi-band rasters.

    \b
    Learn what is normal, then score new scenes:
        anomvae train normal.tif -o model.safetensors
        anomvae score new.tif -m model.safetensors -o maps/
    Or find what is unusual in a single scene:
        anomvae detect scene.tif -o maps/

    Exit codes: 0 done; 1 internal error; 2 usage; 3 a file cannot be read or written, memory is
    too small, or workers are lost; 4 model and scene do not fit; 5 some scenes of a batch failed,
    or alerts wait; 6 another run writes the same results; 10 anomalies found (only with
    --fail-on-anomaly); 130 interrupted; 141 nobody reads the output.
    """
