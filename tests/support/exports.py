"""Exports of detectors, and the interpreters of Python that run them."""

import subprocess
from functools import cache
from types import SimpleNamespace

import numpy as np

from anomvae.exporting import Exported, qgis_script
from anomvae.pixels.bands import unnamed_bands
from anomvae.stats.thresholds import Threshold

SYSTEM = "/usr/bin/python3"
"""Where Debian's packages of GDAL and QGIS are."""
HEADLESS = """
import os, sys
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
from qgis.core import *
application = QgsApplication([], False)
application.initQgis()
sys.path.append("/usr/share/qgis/python/plugins")
from processing.script import ScriptUtils
script, source, scores, flags = sys.argv[1:]
algorithm = ScriptUtils.loadAlgorithm("model", script)
layer, context = QgsRasterLayer(source, "scene"), QgsProcessingContext()
QgsProject.instance().addMapLayer(layer)
context.setProject(QgsProject.instance())
feedback = QgsProcessingFeedback()
given = {"INPUT": layer, "SCORES": scores, "FLAGS": flags}
results, ok = algorithm.run(given, context, feedback)
assert ok, feedback.textLog()
layers = [QgsRasterLayer(file, "x") for file in (scores, flags)]
print(results["FLAGGED"], *(layer.renderer().type() for layer in layers), flush=True)
os._exit(0)  # QGIS crashes when it is taken down without a window
"""


def exported(program, bands=None, quantiles=None, threshold=30.0):
    """Make an export of a program that no detector has."""
    bands = bands or unnamed_bands(program.bands)
    if quantiles is None:
        steps = np.linspace(-3, 3, 11)[:, np.newaxis]
        quantiles = program.centre.astype(float) + steps * (program.farthest / 100)
    chosen = Threshold(threshold, 0.01, "fixed:30", 100, held_out=False)
    return Exported(program, bands, chosen, quantiles, "abc", "vae", "score, nats", 100.0)


def script_of(export):
    """Run a script as a module; return its names."""
    names = {"__name__": "script"}
    exec(compile(qgis_script(export), "script.py", "exec"), names)
    return SimpleNamespace(**names)


@cache
def lacks(module):
    """Return whether the interpreter of the system lacks a module."""
    try:
        code = f"import numpy, {module}"
        return subprocess.run([SYSTEM, "-c", code], capture_output=True).returncode != 0
    except OSError:
        return True


def run_by_system(*arguments):
    """Run the interpreter of the system; return its output, or fail with its errors."""
    done = subprocess.run([SYSTEM, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
