"""The page of the public names, one block of mkdocstrings for each."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import anomvae

WIDTH = 72
"""Characters of arguments in one line."""
PATH = "reference/api.md"
INTRODUCTION = """# Python

What `import anomvae` offers. Names are looked up when they are first used, so the import itself
loads no torch. Anything that is not on this page may change without notice.
"""
GROUPS = {
    "Train and score": "train detect_scene detect score_scene rethreshold map_baseline load "
    "Detector refit_threshold MapResult ScoreOptions Scores Encoding",
    "Scenes": "Scene Selection Access Limits",
    "Objects, and why": "read_objects Objects AnomalyObject explain Explanation find_like "
    "PixelTarget ObjectTarget SpectrumTarget SpectraTable",
    "Evaluation": "evaluate evaluate_detector compare EvaluateOptions Evaluation Comparison",
    "Pages, figures, cards": "report Report map_figure object_figure model_card ModelCard",
    "Arrays": "detect_array score_array ArrayResult VAEDetector RXDetector",
    "Layers and spectra of a model": "embed_scene reconstruct_scene generate interpolate "
    "MapOptions PixelMap",
    "Errors": "AnomvaeError",
}
"""Public names by heading; those that none lists follow at the end."""


def pages() -> dict[str, str]:
    """Return the page of the public names."""
    listed = {name for names in GROUPS.values() for name in names.split()}
    rest = [name for name in anomvae.__all__ if name not in listed and not name.startswith("__")]
    groups = {**GROUPS, **({"More": " ".join(rest)} if rest else {})}
    lines = [INTRODUCTION]
    for heading, names in groups.items():
        lines += [f"## {heading}", ""]
        lines += [block(name) for name in names.split() if name in anomvae.__all__]
    return {PATH: "\n".join(lines)}


def block(name: str) -> str:
    """Return the block of one name: how it is called, and its documentation."""
    value = getattr(anomvae, name)
    home = value.__module__ if inspect.isclass(value) or inspect.isfunction(value) else "anomvae"
    call = f"```python\nanomvae.{name}{_arguments(value)}\n```\n\n" if callable(value) else ""
    return f"### `anomvae.{name}` {{ #{name} }}\n\n{call}::: {home}.{name}\n"


def _arguments(value: Callable[..., object]) -> str:
    """Return the arguments of a function or class, with the defaults that are short."""
    found = inspect.signature(value)
    plain = [
        each.replace(annotation=each.empty, default=_shown(each.default))
        for each in found.parameters.values()
    ]
    text = str(found.replace(parameters=plain, return_annotation=found.empty))
    return text if len(text) <= WIDTH else _folded(text)


def _folded(text: str) -> str:
    """Write one argument on each line."""
    return "(\n    " + text[1:-1].replace(", ", ",\n    ") + ",\n)"


class _Shown:
    """A default that is too long to be written out."""

    def __repr__(self) -> str:
        return "..."


def _shown(default: object) -> object:
    short = default is None or isinstance(default, bool | int | float | str)
    return default if short or default is inspect.Parameter.empty else _Shown()
