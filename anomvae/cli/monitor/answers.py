"""``anomvae monitor ack``, ``mute`` and ``reject``: what people answer about events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ..output import echo
from .arguments import config_arg


def _answering(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the arguments of an answer to a command."""
    parts = (
        config_arg,
        click.argument("events", nargs=-1, required=True, metavar="EVENT..."),
        click.option("--reason", required=True, metavar="TEXT", help="Why, in one line."),
        click.option("--undo", is_flag=True, help="Take the answer back."),
    )
    for part in reversed(parts):
        command = part(command)
    return command


@click.command()
@_answering
def ack(config: str, events: tuple[str, ...], reason: str, undo: bool) -> None:
    """Acknowledge EVENTs of CONFIG: they are real, and people know of them.

    An acknowledged event gives an alert of its end, and none of what continues; its ground is
    anomalous in the labels.

    \b
    Example:
        anomvae monitor ack watch.toml harbour-3 --reason "new pier, permit 4711"
    """
    _answer(config, events, "acknowledged", reason, undo)


@click.command()
@_answering
def mute(config: str, events: tuple[str, ...], reason: str, undo: bool) -> None:
    """Mute EVENTs of CONFIG: no alerts about them until they are closed.

    Whether they are real is left open, and the labels have no data there.
    """
    _answer(config, events, "muted", reason, undo)


@click.command()
@_answering
def reject(config: str, events: tuple[str, ...], reason: str, undo: bool) -> None:
    """Reject EVENTs of CONFIG: they are false alarms.

    A rejected event never gives an alert again, and its ground is normal in the labels.
    """
    _answer(config, events, "rejected", reason, undo)


def _answer(config: str, events: tuple[str, ...], answer: str, reason: str, undo: bool) -> None:
    from datetime import UTC, datetime

    from ...monitoring.answers import Remark, give_answer, withdraw_answer
    from ...monitoring.config import read_monitoring
    from ...monitoring.decisions.event import Answer

    remark = Remark(_user(), reason, datetime.now(UTC))
    store = withdraw_answer if undo else give_answer
    store(read_monitoring(config).state, events, Answer(answer), remark)
    for event in dict.fromkeys(events):
        echo(f"{event}: {f'no longer {answer}' if undo else answer}")


def _user() -> str:
    import getpass
    import os

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # as in a container: the number has no name
        return f"user {os.getuid()}"
