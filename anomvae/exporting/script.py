"""A detector as one script for QGIS's Processing toolbox, with numpy and GDAL alone.

The script has three parts: the program of the model as lines of numpy (`numpy_code`), the text of
those functions of anomvae that it calls, and the modules of `bodies`.  None of it is kept in step
by hand (docs/decisions/0026-exports.md).
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from .. import __version__
from ..program import arithmetic, numpy_engine, products
from ..program.numpy_engine import rows_of
from ..raster import values
from .exported import Exported
from .numpy_code import Code
from .tracing import TracedProgram

FUNCTIONS = (
    (products, "product"),
    (arithmetic, "gelu"),
    (numpy_engine, "padded"),
    (values, "physical_values"),
)
"""What the program and the modules of `bodies` call, with all that it needs of its module."""
BODIES = ("scoring", "writing", "processing")
HEAD = '''"""Score rasters by an anomaly detector of anomvae: a Processing script of QGIS.

{model}
It was written by anomvae {version}; it needs numpy and GDAL. In QGIS: Processing toolbox, Scripts,
Add Script to Toolbox. In a shell: python FILE.py RASTER SCORES.tif FLAGS.tif (--help).
"""

from __future__ import annotations

import argparse
import base64
import os
import sys
from contextlib import contextmanager
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np


def array(kind, shape, text):
    """Return an array of its bytes in base64."""
    return np.frombuffer(base64.b64decode(text), kind).reshape(shape).astype(kind[1:])

'''


TAIL = """
if __name__ == "__main__":
    sys.exit(run_command(MODEL, sys.argv[1:]))
try:
    ScoreRaster = algorithm_of(MODEL)
except ImportError:  # another program imports this one
    pass
"""


def qgis_script(exported: Exported) -> bytes:
    """Return a detector as a script."""
    parts = [
        HEAD.format(model=_plain(_title(exported)), version=__version__),
        *(f"{text}\n" for module, name in FUNCTIONS for text in _definitions(module, name)),
        *(f"\n{_body(name)}\n" for name in BODIES),
        Code(TracedProgram.of(exported.program)).text,
        _model(exported),
        TAIL,
    ]
    return "\n".join(parts).encode()


def _title(exported: Exported) -> str:
    count, rule = len(exported.bands), exported.threshold.rule
    return f"Model {exported.id}: {exported.family} of {count} bands, threshold {rule}."


def _plain(text: str) -> str:
    """Return a text that cannot end the docstring it is in."""
    return repr(text)[1:-1].replace('"', "'")


def _model(exported: Exported) -> str:
    """Return the line that makes the `bodies.scoring.Model` of the script."""
    fields = ("index", "name", "scale", "offset", "nodata")
    bands = (
        ", ".join(f"{field}={_literal(getattr(band, field))}" for field in fields)
        for band in exported.bands
    )
    rows = "".join(f"        SimpleNamespace({band}),\n" for band in bands)
    facts = {
        "ANOMVAE_ID": exported.id,
        "ANOMVAE_NAME": f"{exported.family} {exported.id}",
        "ANOMVAE_MODEL": _title(exported),
        "ANOMVAE_SCORE": exported.meaning,
        "ANOMVAE_VERSION": __version__,
        "ANOMVAE_THRESHOLD": repr(exported.threshold.value),
        "ANOMVAE_RULE": exported.threshold.rule,
    }
    values = {
        "facts": repr(facts),
        "bands": f"[\n{rows}    ]",
        "named": repr(exported.bands.named),
        "source": repr(exported.bands.source),
        "threshold": repr(exported.threshold.value),
        "rows": repr(rows_of(exported.program)),
        "terms": "terms",
    }
    lines = "".join(f"    {name}={value},\n" for name, value in values.items())
    return f"\nMODEL = Model(\n{lines})"


def _literal(value: object) -> str:
    """Return an expression of a value; `repr` of a number that is not finite is none."""
    finite = not isinstance(value, float) or math.isfinite(value)
    return repr(value) if finite else f"float({str(value)!r})"


def _definitions(module: ModuleType, name: str) -> Iterator[str]:
    """Return the text of a function, and of what it needs of its module, in the order there."""
    text = Path(str(module.__file__)).read_text(encoding="utf-8")
    defined = {name: node for node in ast.parse(text).body for name in _names(node)}
    needed, left = set(), {name}
    while left:
        needed |= left
        used = {found for each in left for found in _used(defined[each])}
        left = used & defined.keys() - needed
    for name, node in defined.items():
        if name in needed:
            yield _text(text, node)


def _names(node: ast.stmt) -> list[str]:
    """Return the names that a statement defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def _used(node: ast.AST) -> Iterator[str]:
    """Return the names in a statement, without those of types alone."""
    if isinstance(node, ast.Name):
        yield node.id
    for field, value in ast.iter_fields(node):
        if field not in {"annotation", "returns"}:
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, ast.AST):
                    yield from _used(inner)


def _body(name: str) -> str:
    """Return a module of `bodies` without its docstring, imports and bare declarations."""
    text = Path(__file__).with_name("bodies").joinpath(f"{name}.py").read_text(encoding="utf-8")
    kept = (node for node in ast.parse(text).body if not _is_declaration(node))
    return "\n\n\n".join(_text(text, node) for node in kept)


def _is_declaration(node: ast.stmt) -> bool:
    """Return whether a statement imports, declares a name without a value, or is a docstring."""
    if isinstance(node, ast.AnnAssign):
        return node.value is None
    return isinstance(node, ast.Import | ast.ImportFrom | ast.Expr)


def _text(text: str, node: ast.stmt) -> str:
    """Return the lines of a statement, with its decorators."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])
