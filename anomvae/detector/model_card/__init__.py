"""Model cards: what a model is for, what it was made of and from, and what is known of its errors.

`model_card` reads the facts of a model file (`facts`); `sections` puts them in words, which
`markdown` and pages write.  No torch is loaded.
"""

from __future__ import annotations

from .facts import (
    Architecture,
    Fitting,
    History,
    ModelCard,
    ScoreFacts,
    ScoreQuantiles,
    ThresholdFacts,
    TrainingBand,
    TrainingData,
)
from .reading import model_card
from .sections import CardTable, Fact, Section

__all__ = [
    "Architecture",
    "CardTable",
    "Fact",
    "Fitting",
    "History",
    "ModelCard",
    "ScoreFacts",
    "ScoreQuantiles",
    "Section",
    "ThresholdFacts",
    "TrainingBand",
    "TrainingData",
    "model_card",
]
