"""``anomvae monitor``: passes over new scenes, what they found, and what people answer."""

from __future__ import annotations

from importlib import import_module

import click

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
    "labels",
    "backtest",
    "retrain",
)
SHARED = dict.fromkeys(("ack", "mute", "reject"), "answers")
"""The file of commands that share one; that of others has their name."""


class Group(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of their use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command from its file."""
        if cmd_name not in COMMANDS:
            return None
        file = SHARED.get(cmd_name, cmd_name)
        command: click.Command = getattr(import_module(f".{file}", __package__), cmd_name)
        return command


@click.group(cls=Group)
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
