"""Pages made of a template, values and widgets.

Whatever a template prints is escaped and printable.  A content security policy forbids all that a
page does not bring along: a name that were taken for markup could still run nothing, and fetch
nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from ..words import NONE, share
from .assets import KIT, ORDER, SCRIPTS, START, STYLE, Assets, asset, digest
from .charts import Histogram, LineChart, Spectra, Timeline
from .data import printable_text, script_json
from .maps import Viewer
from .tables import Table

Widget = Viewer | Table | Histogram | LineChart | Spectra | Timeline
ID = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True)
class Page:
    """What a page shows."""

    title: str
    room: str
    """Package that renders it; its folder ``templates`` has the template."""
    template: str
    values: Mapping[str, object]
    """The names that the template sees; the title is one."""
    widgets: Mapping[str, Widget] = field(default_factory=dict)
    """By the id of their element, which is chosen by the room, never by data."""
    scripts: tuple[str, ...] = ()
    """The room's own, in its folder ``assets``; they run after the kit's."""
    styles: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Parts:
    """What `base.html` places in head and foot."""

    policy: str
    style_texts: tuple[Markup, ...] = ()
    style_links: tuple[str, ...] = ()
    script_texts: tuple[Markup, ...] = ()
    script_links: tuple[str, ...] = ()
    data: tuple[tuple[str, Markup], ...] = ()


def render(page: Page, assets: Assets | None = None) -> bytes:
    """Return a page as HTML in UTF-8.

    Parameters
    ----------
    page
        What it shows.
    assets
        Files of `write_assets` that it links to; without, style and scripts are inside the page.

    Raises
    ------
    ValueError
        When the id of a widget is none of lower-case letters, digits and hyphens.
    jinja2.UndefinedError
        When the template prints a name that has no value.
    """
    wrong = [name for name in page.widgets if not ID.fullmatch(name)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no id of a widget. Use a-z, 0-9 and hyphens.")
    template = environment(page.room).get_template(page.template)
    parts = _inlined(page) if assets is None else _linked(page, assets)
    text = template.render({"title": page.title, **page.values, "parts": parts})
    return text.encode()


def scripts_of(page: Page) -> list[str]:
    """Return the names of the kit's scripts that the widgets of a page need, in order."""
    used = {name for widget in page.widgets.values() for name in SCRIPTS[kind_of(widget)]}
    return [*(name for name in ORDER if name in used), START] if used else []


def kind_of(widget: Widget) -> str:
    """Return the kind of a widget, by which a script knows it."""
    if isinstance(widget, Viewer):
        return "viewer"
    return "table" if isinstance(widget, Table) else widget.kind


def _inlined(page: Page) -> _Parts:
    styles = [asset(KIT, STYLE), *(asset(page.room, name) for name in page.styles)]
    scripts = [asset(KIT, name) for name in scripts_of(page)]
    scripts += [asset(page.room, name) for name in page.scripts]
    return _Parts(
        _policy(" ".join(map(digest, styles)), " ".join(map(digest, scripts)) or "'none'"),
        style_texts=tuple(map(Markup, styles)),
        script_texts=tuple(map(Markup, scripts)),
        data=_data(page),
    )


def _linked(page: Page, assets: Assets) -> _Parts:
    return _Parts(
        _policy("'self'", "'self'"),
        style_links=tuple(map(assets.address, (STYLE, *page.styles))),
        script_links=tuple(map(assets.address, (*scripts_of(page), *page.scripts))),
        data=_data(page),
    )


def _policy(style: str, script: str) -> str:
    rest = "base-uri 'none'; form-action 'none'"
    return (
        f"default-src 'none'; img-src data: 'self'; style-src {style}; script-src {script}; {rest}"
    )


def _data(page: Page) -> tuple[tuple[str, Markup], ...]:
    return tuple(
        (name, Markup(script_json({"widget": kind_of(widget), "of": widget})))
        for name, widget in page.widgets.items()
    )


@lru_cache
def environment(room: str) -> Environment:
    """Return the jinja2 environment of a room: its templates, then those of the kit."""
    made = Environment(
        loader=FunctionLoader(lambda name: _template(room, name)),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"count": count, "percent": percent}
    return made


def _template(room: str, name: str) -> str | None:
    for package in (room, KIT):
        path = files(package) / "templates" / name
        if path.is_file():
            return path.read_text(encoding="utf-8")
    return None


def _shown(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable_text(value)
    return NONE if value is None else value


def count(value: float | None) -> str:
    """Return a number of things with commas: ``1,234,567``."""
    return NONE if value is None or not math.isfinite(value) else f"{value:,.0f}"


def percent(value: float | None) -> str:
    """Return a share as percent: ``0.12 %``."""
    return NONE if value is None or not math.isfinite(value) else share(value)
