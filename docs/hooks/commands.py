"""Pages of the command line, generated from the commands themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from anomvae.cli import main

FOLDER = "reference/commands"
PREFORMATTED = "\b\n"


def all_commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, with the words that call it, in order."""
    yield from _below("anomvae", main)


def _below(name: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    ctx = click.Context(group, info_name=name)
    for word in group.list_commands(ctx):
        command = group.get_command(ctx, word)
        if command is None or command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from _below(f"{name} {word}", command)
        else:
            yield f"{name} {word}", command


def path_of(name: str) -> str:
    """Return the page of a command, below the folder of documents."""
    return f"{FOLDER}/{'-'.join(name.split()[1:])}.md"


def pages() -> dict[str, str]:
    """Return the page of each command, and the one that lists them."""
    commands = dict(all_commands())
    found = {path_of(name): page(name, command) for name, command in commands.items()}
    rows = [
        f"| [`{name}`]({path_of(name).rpartition('/')[2]}) | {_short(command)} |"
        for name, command in commands.items()
    ]
    found[f"{FOLDER}/index.md"] = "\n".join(
        [
            "# Commands",
            "",
            *map(paragraph, paragraphs(main)),
            "",
            "| command | does |",
            "|---|---|",
            *rows,
        ]
    )
    return found


def _short(command: click.Command) -> str:
    return prose(command.get_short_help_str(200))


def navigation() -> list[dict[str, str]]:
    """Return the entries of the navigation, one for each page."""
    return [{"All commands": f"{FOLDER}/index.md"}] + [
        {name.removeprefix("anomvae "): path_of(name)} for name, _ in all_commands()
    ]


def page(name: str, command: click.Command) -> str:
    """Return the page of a command: what it does, how it is called, its options."""
    ctx = click.Context(command, info_name=name)
    usage = f"{name} {' '.join(command.collect_usage_pieces(ctx))}"
    records = [
        record
        for parameter in command.get_params(ctx)
        if isinstance(parameter, click.Option)
        if (record := parameter.get_help_record(ctx)) is not None
    ]
    lines = [f"# {name}", "", "```text", usage, "```", ""]
    for text in paragraphs(command):
        lines += [paragraph(text), ""]
    lines += ["## Options", ""]
    for option, about in records:
        lines += [f"`{option}`", f":   {prose(about)}", ""]
    return "\n".join(lines)


def paragraphs(command: click.Command) -> list[str]:
    """Split the help of a command into paragraphs, as click does."""
    return inspect.cleandoc(command.help or "").split("\n\n")


def paragraph(text: str) -> str:
    """Return a paragraph of help as Markdown; commands in it become a block of code."""
    if not text.startswith(PREFORMATTED):
        return prose(text)
    lines = text.removeprefix(PREFORMATTED).splitlines()
    made: list[str] = []
    inside = False
    for line in lines:
        code = line.startswith("    ")
        if code != inside:
            made += ["", "```sh"] if code else ["```", ""]
        inside = code
        made.append(line.removeprefix("    ") if code else prose(line) + "  ")
    return "\n".join([*made, "```"] if inside else made)


def prose(text: str) -> str:
    """Return a text of the command line as Markdown that shows the same characters."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(part if part.startswith("`") else _escaped(part) for part in parts)


def _escaped(text: str) -> str:
    """Escape what Markdown and HTML would take for markup."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([*_\[\]|{}#~^])", r"\\\1", text)
