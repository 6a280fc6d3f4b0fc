"""What mkdocs does beyond pages of docs/: generated pages, tables, links to other files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import api
import commands
import notebooks
import outside
import results
import settings
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

NOTEBOOKS = "ANOMVAE_DOCS_NOTEBOOKS"
"""Variable of the environment: ``skip`` builds without running notebooks, while writing pages."""
HOME, DECISIONS = "index.md", "decisions/index.md"
SERVED = re.compile(r'"https://unpkg\.com/[^"]*"')
ADDRESS = r"[\"']?(https?://[^\"'\s)>]+)"
FETCHING = {
    ".html": re.compile(rf"(?:\bsrc=|<link[^>]*\bhref=){ADDRESS}"),
    ".css": re.compile(rf"(?:url\(|@import )\s*{ADDRESS}"),
    ".js": re.compile(rf"(?:fetch\(|import\(|importScripts\(|\.src\s*=){ADDRESS}"),
}
"""What makes a browser fetch, by the suffix of a file."""
COMMANDS = "All commands"
"""Entry of the navigation that becomes the pages of commands."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages of commands into the navigation."""
    config.nav = _expanded(config.nav)
    return config


def _expanded(entries: Any) -> Any:  # noqa: ANN401 - the tree of mkdocs
    if isinstance(entries, list):
        return [_expanded(entry) for entry in entries]
    if isinstance(entries, dict):
        return {
            title: commands.navigation() if value == COMMANDS else _expanded(value)
            for title, value in entries.items()
        }
    return entries


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add generated pages, then the files outside docs/ that any page links to."""
    made = {**commands.pages(), **settings.pages(), **api.pages(), DECISIONS: outside.decisions()}
    pictures: dict[str, bytes] = {}
    for name in notebooks.names():
        rendered = notebooks.render(name, run=os.environ.get(NOTEBOOKS) != "skip")
        made[f"notebooks/{name}.md"] = rendered.text
        pictures |= {f"notebooks/{path}": data for path, data in rendered.pictures.items()}
    made |= _linked(_texts(files) | made)
    for path, text in (made | pictures).items():
        files.append(File.generated(config, path, content=text))
    return files


def _texts(files: Files) -> dict[str, str]:
    """Return the text of each page of docs/."""
    return {
        file.src_uri: Path(file.abs_src_path).read_text(encoding="utf-8")
        for file in files.documentation_pages()
        if file.abs_src_path is not None
    }


def _linked(pages: dict[str, str]) -> dict[str, str]:
    """Return pages of what lies outside docs/, links in those pages followed."""
    found: dict[str, str] = {}
    waiting = pages
    while waiting:
        targets = outside.targets(waiting.items())
        waiting = {
            outside.page_of(target): outside.show(target)
            for target in targets
            if outside.page_of(target) not in found
        }
        found |= waiting
    return found


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:  # noqa: ANN401 - mkdocs
    """Fill in tables, and lead links to other files to the pages that show them."""
    if page.file.src_uri == HOME:
        page.meta["hide"] = ["navigation"]  # the tabs have it all, and pictures need the width
    return outside.relinked(results.filled(markdown), page.file.src_uri)


def on_post_build(config: MkDocsConfig) -> None:
    """Take addresses out of the scripts of the theme, which fetch what old browsers lack."""
    for script in Path(config.site_dir, "assets", "javascripts").glob("bundle.*.js"):
        text = script.read_text(encoding="utf-8")
        script.write_text(SERVED.sub('"data:,"', text), encoding="utf-8")
    found = sorted(fetched(Path(config.site_dir)))
    if found:
        raise PluginError(f"The site would fetch {', '.join(found)}. Ship what it needs.")


def fetched(site: Path) -> Iterator[str]:
    """Yield the addresses of servers that pages, styles and scripts of a site would fetch."""
    for path in site.rglob("*"):
        fetching = FETCHING.get(path.suffix)
        if fetching is not None:
            for met in fetching.finditer(path.read_text(encoding="utf-8")):
                yield f"{met.group(1)} ({path.relative_to(site)})"
