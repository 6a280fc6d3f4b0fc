"""Arguments and options that commands of ``anomvae monitor`` share."""

from __future__ import annotations

import click

config_arg = click.argument("config")
site_opt = click.option("--site", help="Only this site.")
