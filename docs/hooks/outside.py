"""Files outside docs/ that pages link to: each becomes a page, and the links lead there."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
FOLDER = "files"
LANGUAGES = {
    ".py": "python",
    ".toml": "toml",
    ".yaml": "yaml",
    ".md": "",
    ".cpp": "cpp",
    ".h": "cpp",
}
LINK = re.compile(r"(\]\()([^)\s#:]+)((?:#[^)\s]*)?\))")
PAGES = {"README.md": "index.md"}
"""Files that a page of the site replaces."""
FENCE = re.compile(r"(^ *```.*?^ *```$)", re.DOTALL | re.MULTILINE)


def page_of(target: str) -> str:
    """Return the page that shows a file or folder of the repository, named from its root."""
    return PAGES.get(target) or f"{FOLDER}/{target.removesuffix('.md')}.md"


def resolve(link: str, page: str) -> str | None:
    """Return what a link of a page leads to outside docs/, from the root of the repository.

    None if it leads to a page, or nowhere.
    """
    source = original(page)
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    if target.startswith(("docs/", "../")) and target != "docs/decisions":
        return None
    return target if (ROOT / target).exists() else None


def original(page: str) -> str:
    """Return the file of the repository that a page shows."""
    if page.startswith(f"{FOLDER}/"):
        shown = page.removeprefix(f"{FOLDER}/")
        return shown if (ROOT / shown).exists() else shown.removesuffix(".md")
    return f"docs/{page}"


def relinked(text: str, page: str) -> str:
    """Return a page whose links to files outside docs/ lead to the pages that show them."""

    def changed(met: re.Match[str]) -> str:
        before, link, after = met.groups()
        target = resolve(link, page)
        if target is None:
            return met.group()
        shown = "decisions/index.md" if target == "docs/decisions" else page_of(target)
        if page.startswith(f"{FOLDER}/") and target.startswith("docs/"):
            shown = target.removeprefix("docs/")
        return before + posixpath.relpath(shown, posixpath.dirname(page) or ".") + after

    parts = FENCE.split(text)
    return "".join(part if FENCE.fullmatch(part) else LINK.sub(changed, part) for part in parts)


def targets(pages: Iterable[tuple[str, str]]) -> set[str]:
    """Return the files and folders outside docs/ that pages link to, from the root."""
    found = {
        target
        for page, text in pages
        for part in FENCE.split(text)
        for met in LINK.finditer(part)
        if (target := resolve(met.group(2), page)) is not None and target != "docs/decisions"
    }
    return {target for target in found if target not in PAGES}


def show(target: str) -> str:
    """Return the page of a file or folder of the repository."""
    path = ROOT / target
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    files = sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]
    lines = [f"# {target}", ""]
    for file in files:
        lines += [f"## {file.name}", ""] if path.is_dir() else []
        language = LANGUAGES.get(PurePosixPath(file.name).suffix, "text")
        lines += [f"````{language}", file.read_text(encoding="utf-8").rstrip(), "````", ""]
    return "\n".join(lines)


def decisions() -> str:
    """Return the page that lists the decision records, each with its title."""
    lines = [
        "# Decisions",
        "",
        "Why anomvae is built the way it is; each record was written with the change it describes.",
        "",
    ]
    for path in sorted((ROOT / "docs" / "decisions").glob("0*.md")):
        title = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        lines.append(f"- [{title}]({path.name})")
    return "\n".join(lines)
