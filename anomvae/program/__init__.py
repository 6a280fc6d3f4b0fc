"""The scoring program of a detector: arrays, operations on them, and engines that evaluate them.

`Program` (`program`) is made of layers (`layers`), a code (`codes`), sometimes a context network
(`contexts`), and a kind of score (`kinds`); it is written in an arithmetic (`arithmetic`).  An
engine (`engine`) returns its terms.  Nothing here needs torch but the engine of its name.
"""

from .arithmetic import Arithmetic
from .codebook import Codebook
from .codes import Code, Normal, Point
from .engine import (
    AUTO,
    ENGINES,
    REFERENCE,
    Engine,
    StoredEngine,
    engine_made,
    engine_name,
)
from .kinds import AtMean, Kind, OfCode, OfDraws
from .ladder import Ladder
from .layers import Layer
from .program import Prepared, Program, ProgramTerms

__all__ = [
    "AUTO",
    "ENGINES",
    "REFERENCE",
    "Arithmetic",
    "AtMean",
    "Code",
    "Codebook",
    "Engine",
    "Kind",
    "Ladder",
    "Layer",
    "Normal",
    "OfCode",
    "OfDraws",
    "Point",
    "Prepared",
    "Program",
    "ProgramTerms",
    "StoredEngine",
    "engine_made",
    "engine_name",
]
