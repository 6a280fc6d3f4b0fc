"""``anomvae monitor``: passes over new scenes, what they found, and what people answer."""

from __future__ import annotations

import click

from ..lazy import LazyGroup

COMMANDS = (
    "example",
    "init",
    "run",
    "status",
    "events",
    "history",
    "ack",
    "mute",
    "reject",
    "page",
    "labels",
    "backtest",
    "retrain",
)
SHARED = dict.fromkeys(("ack", "mute", "reject"), "answers")
"""The file of commands that share one; that of others has their name."""


@click.group(cls=LazyGroup, commands=COMMANDS, package=__package__, shared=SHARED)
def monitor() -> None:
    """Watch sites: score each new scene once, and send alerts of events.

    \b
    CONFIG is a TOML file; configs/monitor.toml is a commented example:
        anomvae monitor init incoming/       # writes a first one
        anomvae monitor run watch.toml       # from cron, systemd or Airflow
        anomvae monitor status watch.toml
        anomvae monitor events watch.toml    # what lasts
        anomvae monitor history watch.toml --csv > scenes.csv
    """
