"""Detectors for other programs: a graph of ONNX, a script of QGIS.

`Exported` holds what of a detector leaves anomvae (`exported`), `TracedProgram` the operations of
its scoring program (`tracing`).  An export writes these in its language: `onnx_bytes` as a graph
(`onnx_file`, `onnx_graph`), `qgis_script` as Python of numpy and GDAL (`script`, `numpy_code`).
`model_item` describes a model for catalogues (STAC).
"""

from typing import TYPE_CHECKING

from .. import lazily

if TYPE_CHECKING:
    from .exported import Exported
    from .onnx_file import onnx_bytes
    from .script import qgis_script
    from .stac_model import model_item

__all__ = ["Exported", "model_item", "onnx_bytes", "qgis_script"]

__getattr__ = lazily(
    __name__,
    {
        "exported": ("Exported",),
        "stac_model": ("model_item",),
        "onnx_file": ("onnx_bytes",),
        "script": ("qgis_script",),
    },
)
