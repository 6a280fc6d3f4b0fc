"""A traced program as a graph of ONNX.

Operators are those of opset 17, which onnxruntime has since 1.12; values are float32 and features
the last axis, whatever axes lie before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .tracing import Operand, Operation, Symbol, TracedProgram

OPSET = 17


class Graph:
    """Nodes and constants of a graph; values go by their names."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401 - ONNX's
        """Add a node, and return the name of its output."""
        from onnx import helper

        name = str(attributes.pop("output", f"v{len(self.nodes)}"))
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, value: NDArray[Any] | float) -> str:
        """Add a constant, and return its name; a number is float32."""
        from onnx import numpy_helper

        array = np.asarray(value, np.float32 if np.ndim(value) == 0 else None)
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def integers(self, *values: int) -> str:
        """Add whole numbers, such as the axes of an operator."""
        return self.constant(np.array(values, np.int64))


def add_program(graph: Graph, traced: TracedProgram, x: str) -> tuple[str, str, str]:
    """Add the operations of a program that takes ``x``; return the names of its terms."""
    values = [x]

    def name_of(operand: Operand) -> str:
        if isinstance(operand, Symbol):
            return values[operand.number]
        return "" if operand is None else graph.constant(operand)

    for operation in traced.operations:
        names = [name_of(operand) for operand in operation.operands]
        values.append(_added(graph, operation, names))
    reconstruction, kl, linear = map(name_of, traced.terms)
    return reconstruction, kl, linear


def _added(graph: Graph, operation: Operation, names: list[str]) -> str:
    if operation.name in OPERATORS:
        return graph.node(OPERATORS[operation.name], *names)
    return COMPOSED[operation.name](graph, names, operation.options)


OPERATORS = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "negative": "Neg",
    "exp": "Exp",
    "product": "MatMul",
    "rows": "Gather",
}
"""Operators of operations that are one."""


def _clip(graph: Graph, names: list[str], options: tuple[int, ...]) -> str:
    x, low, high = names  # bounds may be arrays, which the operator Clip refuses
    x = graph.node("Max", x, low) if low else x
    return graph.node("Min", x, high) if high else x


def _columns(graph: Graph, names: list[str], options: tuple[int, ...]) -> str:
    start, stop = options
    ends = graph.integers(start), graph.integers(stop)
    return graph.node("Slice", *names, *ends, graph.integers(-1))


def _expand(graph: Graph, names: list[str], options: tuple[int, ...]) -> str:
    return graph.node("Unsqueeze", *names, graph.integers(-1))


def _sum(graph: Graph, names: list[str], options: tuple[int, ...]) -> str:
    return graph.node("ReduceSum", *names, graph.integers(-1), keepdims=0)


def _argmin(graph: Graph, names: list[str], options: tuple[int, ...]) -> str:
    return graph.node("ArgMin", *names, axis=-1, keepdims=0)


def _join(graph: Graph, names: list[str], options: tuple[int, ...]) -> str:
    return graph.node("Concat", *names, axis=-1)


def _gelu(graph: Graph, names: list[str], options: tuple[int, ...]) -> str:
    (x,) = names
    scaled = graph.node("Mul", x, graph.constant(1 / math.sqrt(2)))
    phi = graph.node("Add", graph.node("Erf", scaled), graph.constant(1.0))
    return graph.node("Mul", graph.node("Mul", x, phi), graph.constant(0.5))


def _log1p(graph: Graph, names: list[str], options: tuple[int, ...]) -> str:
    return graph.node("Log", graph.node("Add", *names, graph.constant(1.0)))


def _logaddexp(graph: Graph, names: list[str], options: tuple[int, ...]) -> str:
    distance = graph.node("Abs", graph.node("Sub", *names))
    more = _log1p(graph, [graph.node("Exp", graph.node("Neg", distance))], ())
    return graph.node("Add", graph.node("Max", *names), more)


COMPOSED: dict[str, Callable[[Graph, list[str], tuple[int, ...]], str]] = {
    "clip": _clip,
    "columns": _columns,
    "expand": _expand,
    "sum": _sum,
    "argmin": _argmin,
    "join": _join,
    "gelu": _gelu,
    "log1p": _log1p,
    "logaddexp": _logaddexp,
}
"""What makes the other operations of several operators, or of one with attributes."""
