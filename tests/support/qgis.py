"""Layers opened by QGIS without a window, by the interpreter of the system."""

import json

from .exports import run_by_system

OPEN = """
import json, os, sys
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
from qgis.core import *
from qgis.PyQt.QtCore import QSize
application = QgsApplication([], False)
application.initQgis()
scores, flags, outlines, picture, side, names = json.loads(sys.argv[1])

def opened(path, kind):
    layer = kind(path, "layer")
    assert layer.isValid(), path
    return layer

def stops(layer):
    shader = layer.renderer().shader().rasterShaderFunction()
    items = shader.colorRampItemList()
    return [[item.value, item.color.name(), item.label] for item in items]

layers = {name: opened(name, QgsVectorLayer) for name in outlines}
score, classes = opened(scores, QgsRasterLayer), opened(flags, QgsRasterLayer)
found = {
    "crs": score.crs().authid(),
    "kinds": [layer.renderer().type() for layer in (score, classes)],
    "stops": stops(score),
    "classes": [[c.value, c.label, c.color.name(), c.color.alpha()]
                for c in classes.renderer().classes()],
    "others": {name: stops(opened(name, QgsRasterLayer)) for name in names},
    "outlines": [
        [layer.renderer().type(), layer.labeling().settings().fieldName, layer.crs().authid(),
         layer.featureCount(), layer.fields().names(),
         [layer.editorWidgetSetup(n).type() for n in range(layer.fields().count())],
         [round(n, 3) for n in (layer.extent().xMinimum(), layer.extent().yMaximum())]]
        for layer in layers.values()
    ],
}
settings = QgsMapSettings()
settings.setLayers([*layers.values(), classes, score] if picture["all"] else [score])
settings.setDestinationCrs(score.crs())
settings.setOutputSize(QSize(side, side))
settings.setExtent(score.extent())
job = QgsMapRendererSequentialJob(settings)
job.start()
job.waitForFinished()
assert job.renderedImage().save(picture["file"])
print(json.dumps(found), flush=True)
os._exit(0)  # QGIS crashes when it is taken down without a window
"""


def opened_by_qgis(files, picture, *, side=300, outlines=(), others=(), everything=True):
    """Open results by their names alone; return what QGIS shows, and draw a picture of it."""
    given = [
        str(files.scores),
        str(files.flags),
        list(map(str, outlines)),
        {"file": str(picture), "all": everything},
        side,
        list(map(str, others)),
    ]
    return json.loads(run_by_system("-c", OPEN, json.dumps(given)))
