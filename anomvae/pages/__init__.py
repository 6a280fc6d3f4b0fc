"""What pages of HTML are made of: style, scripts, templates, and data inside a page.

A room that shows results composes a `Page`: a template of its own, the values that it prints, and
*widgets*: frozen dataclasses (`maps`, `charts`, `tables`) that are written into the page as JSON
and brought to life by the scripts in ``assets/``.  `render` makes one self-contained file, or,
with `Assets`, a page of a site whose style and scripts lie beside it (decision 0027).
Nothing here reads results, and nothing on a page is fetched from elsewhere.
"""

from .assets import Assets, write_assets
from .charts import Axis, Dated, Event, Histogram, Line, LineChart, Mark, Spectra, Timeline
from .data import rows_script, script_json
from .layers import class_layer, flag_classes, score_layer
from .maps import Class, Classes, ImageLayer, MapObject, Scores, Viewer
from .pictures import data_uri, picture
from .rendering import Page, Widget, render
from .tables import Column, Table

__all__ = [
    "Assets",
    "Axis",
    "Class",
    "Classes",
    "Column",
    "Dated",
    "Event",
    "Histogram",
    "ImageLayer",
    "Line",
    "LineChart",
    "MapObject",
    "Mark",
    "Page",
    "Scores",
    "Spectra",
    "Table",
    "Timeline",
    "Viewer",
    "Widget",
    "class_layer",
    "data_uri",
    "flag_classes",
    "picture",
    "render",
    "rows_script",
    "score_layer",
    "script_json",
    "write_assets",
]
