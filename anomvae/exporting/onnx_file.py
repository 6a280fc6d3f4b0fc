"""A detector as a file of ONNX: stored numbers of bands in, terms of the score and flags out.

Numbers are those of the training files: scale and offset of a band are applied in float64, as
`anomvae.raster.values` does, and its nodata number, NaN and infinity are no data.  All outputs are
float32; NaN where a band has no data::

    layout   input x                        outputs score, reconstruction, kl, linear, flag
    rows     (pixel, band)                  (pixel,)
    nchw     (batch, band, 256, 256)        (batch, 1, 256, 256)

``nchw`` is what regressors of the QGIS plugin Deepness are, with its metadata
(https://qgis-plugin-deepness.readthedocs.io).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import BrokenEnvironment, ConfigError
from ..pixels.bands import Bands
from ..program.numpy_engine import NumpyEngine
from ..raster.values import EXTREME, physical_values
from .exported import Exported
from .metadata import OUTPUTS, metadata_of
from .onnx_graph import OPSET, Graph, add_program
from .tracing import TracedProgram

TILE = 256
"""Side of the images of ``nchw``, pixels: Deepness takes a fixed one."""
IR_VERSION = 8
"""Version of the format that came with the opset."""
TOLERANCE = 1e-5
"""Largest difference to the engine of numpy, relative to the score, or to 1 nat if it is less."""
ROUNDING = 4 * float(np.finfo(np.float32).eps)
"""How far a number may lie from nodata to equal it, relative, as in `anomvae.raster.values`."""

Array = NDArray[np.float32]


class Layout(NamedTuple):
    """How pixels lie in the input, and in outputs, which have one band."""

    first: Any
    """Size of the first axis, or a name of any size."""
    sides: tuple[int, ...] = ()
    """Axes behind that of bands: those of images."""

    def shape(self, bands: int) -> list[Any]:
        """Return the shape of an image, or of spectra."""
        return [self.first, bands, *self.sides]


LAYOUTS = {"rows": Layout("pixel"), "nchw": Layout("batch", (TILE, TILE))}


def onnx_bytes(exported: Exported, layout: str = "rows") -> bytes:
    """Return a detector as a file of ONNX, which is tried on spectra of the training quantiles.

    Raises
    ------
    ConfigError
        If the extra ``onnx`` is not installed, or the layout is unknown.
    BrokenEnvironment
        If onnxruntime returns other scores than numpy.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"layout = {layout!r} is unknown. Known: {', '.join(LAYOUTS)}.")
    try:
        import onnx
        import onnxruntime  # noqa: F401 - before the work
    except ImportError as error:
        raise ConfigError(
            f'ONNX is needed for this ({error}). Install it: pip install "anomvae[onnx]".'
        ) from error
    chosen = LAYOUTS[layout]
    model = onnx.helper.make_model(
        _graph(exported, chosen),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="anomvae",
        doc_string=exported.meaning,
    )
    onnx.helper.set_model_props(model, metadata_of(exported, TILE if chosen.sides else None))
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString()
    require_parity(data, exported, chosen)
    return data


def _graph(exported: Exported, layout: Layout) -> Any:  # noqa: ANN401 - ONNX's
    """Return the graph: numbers to values, the program, terms with NaN where data are missing."""
    from onnx import TensorProto, helper

    graph, bands = Graph(), len(exported.bands)
    x = "x"
    if layout.sides:
        x = graph.node("Transpose", x, perm=[0, 2, 3, 1])
    values, known = _values(graph, exported.bands, x)
    filled = graph.node("Where", known, values, graph.constant(exported.program.centre))
    smallest = graph.node("ReduceMin", _number(graph, known), axes=[-1], keepdims=0)
    whole = graph.node("Greater", smallest, graph.constant(0.5))
    terms = add_program(graph, TracedProgram.of(exported.program), filled)
    score = graph.node("Add", graph.node("Add", *terms[:2]), terms[2])
    limit = graph.constant(exported.threshold.value)
    flag = _number(graph, graph.node("Greater", score, limit))
    nothing = graph.constant(np.nan)
    for name, value in zip(OUTPUTS, (score, *terms, flag), strict=True):
        if layout.sides:
            masked = graph.node("Where", whole, value, nothing)
            graph.node("Unsqueeze", masked, graph.integers(1), output=name)
        else:
            graph.node("Where", whole, value, nothing, output=name)
    shape = layout.shape(1) if layout.sides else [layout.first]
    return helper.make_graph(
        graph.nodes,
        "anomvae",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, layout.shape(bands))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in OUTPUTS],
        graph.constants,
    )


def _values(graph: Graph, bands: Bands, x: str) -> tuple[str, str]:
    """Return physical values, and which are known, of numbers as the training files store them."""
    known = graph.node("Less", graph.node("Abs", x), graph.constant(EXTREME))
    nodata = np.array([np.nan if b.nodata is None else b.nodata for b in bands], np.float32)
    if np.isfinite(nodata).any():
        distance = graph.node("Abs", graph.node("Sub", x, graph.constant(nodata)))
        near = graph.node("LessOrEqual", distance, graph.constant(ROUNDING * np.abs(nodata)))
        known = graph.node("And", known, graph.node("Not", near))
    storage = bands.storage
    if storage.states_nothing:
        return x, known
    exact = graph.node("Cast", x, to=_type("DOUBLE"))
    exact = graph.node("Mul", exact, graph.constant(np.array(storage.scale)))
    exact = graph.node("Add", exact, graph.constant(np.array(storage.offset)))
    return _number(graph, exact), known


def _number(graph: Graph, value: str) -> str:
    return graph.node("Cast", value, to=_type("FLOAT"))


def _type(name: str) -> int:
    from onnx import TensorProto

    return int(TensorProto.DataType.Value(name))


def require_parity(data: bytes, exported: Exported, layout: Layout) -> None:
    """Refuse a file whose scores are not those of the engine of numpy, with BrokenEnvironment."""
    numbers = stored_spectra(exported)
    types = {"float32"}
    values = physical_values(numbers[np.newaxis].copy(), exported.bands, types)[0]
    known = np.isfinite(values).all(-1)
    engine = NumpyEngine(exported.program)
    parts = (values[known][i : i + engine.rows] for i in range(0, known.sum(), engine.rows))
    terms = [engine.terms(part, None, code=False)[:3] for part in parts]
    expected = np.concatenate([np.stack(part) for part in terms], axis=1)
    found = onnx_outputs(data, numbers, layout)
    total = np.maximum(expected.sum(0), 1)
    score = expected[0] + expected[1] + expected[2]
    wrong = np.abs(found[:4, known] - [score, *expected]) / total
    if not (wrong <= TOLERANCE).all() or not np.isnan(found[:, ~known]).all():
        raise BrokenEnvironment(
            f"onnxruntime computes other scores than numpy, by {np.nanmax(wrong):.1e} of the score "
            f"where {TOLERANCE:.0e} is the limit: nothing was written. Install another version of "
            f"onnxruntime, or export for QGIS (--qgis)."
        )


def stored_spectra(exported: Exported) -> Array:
    """Return spectra of the training quantiles, as files store them, (n, band); one lacks data.

    The first have one level in all bands, the others levels that rise from band to band.
    """
    levels, bands = exported.quantiles.shape
    steps, starts = np.divmod(np.arange(levels * levels), levels)
    level = (starts[:, np.newaxis] + steps[:, np.newaxis] * np.arange(bands)) % levels
    values = exported.quantiles[level, np.arange(bands)]
    storage = exported.bands.storage
    numbers = ((values - storage.offset) / storage.scale).astype(np.float32)
    return np.concatenate([numbers, np.full((1, bands), np.nan, np.float32)])


def onnx_outputs(data: bytes, numbers: Array, layout: Layout) -> Array:
    """Return the outputs of a file for spectra (n, band), (output, n)."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    x = numbers
    if layout.sides:
        image = np.full((TILE * TILE, numbers.shape[-1]), np.nan, np.float32)
        image[: len(numbers)] = numbers
        x = np.ascontiguousarray(image.T.reshape(1, -1, TILE, TILE))
    outputs = session.run(list(OUTPUTS), {"x": x})
    return np.stack([output.reshape(-1)[: len(numbers)] for output in outputs])
