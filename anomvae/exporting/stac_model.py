"""A model as a STAC item of the extension for machine-learning models (MLM), for catalogues.

A model has neither a place nor a date: its geometry is null, and its interval without bounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import __version__
from ..detector import Detector
from ..documents import to_json
from ..errors import FileError
from ..mapping.layer_styles import unit_of
from ..mapping.stac import (
    FILE,
    MODEL,
    PROCESSING,
    VERSION,
    file_facts,
    href_of,
    times_of,
)
from ..pixels.band import Band
from ..raster.products.stac_item import OWN as MADE_BY
from ..stats.thresholds import Threshold

OUTPUTS = {
    "score": "higher is more anomalous; NaN where a pixel has no data",
    "flag": "1 where the score is above the threshold",
}


def model_item(detector: Detector, model: Path, folder: Path) -> bytes:
    """Return the item of a detector, of the file ``model``, that is to lie in a folder.

    Raises
    ------
    FileError
        If the file cannot be read.
    """
    try:
        facts = file_facts(model)
    except OSError as error:
        raise FileError(f"{model} cannot be read: {error.strerror}. Check the path.") from error
    item = {
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": [MODEL, FILE, PROCESSING],
        "id": f"anomvae-{detector.id}",
        "geometry": None,
        "properties": {**times_of(None), **_properties(detector)},
        "links": [],
        "assets": {
            "model": {
                "href": href_of(str(model), folder),
                "type": "application/octet-stream",
                "title": "Weights and card, safetensors",
                "roles": ["mlm:model", "mlm:weights", "data"],
                "mlm:artifact_type": "safetensors.torch.save_file",
                # STAC 1.1 takes bands in properties only where an asset has some.
                "bands": [{"name": band.name} for band in detector.bands],
                **facts,
            }
        },
    }
    return f"{to_json(item, indent=2)}\n".encode()


def _properties(detector: Detector) -> dict[str, Any]:
    card, training = detector.card, detector.card.training
    return {
        "title": f"anomvae {card.family}, {len(card.bands)} bands",
        "description": f"{detector.meaning}; trained on {training.pixels:,} normal pixels",
        "bands": [_band(band) for band in card.bands],
        "processing:software": {"anomvae": card.anomvae or __version__},
        "processing:lineage": _lineage(training.scenes),
        "mlm:name": f"anomvae {card.family}",
        "mlm:architecture": f"variational autoencoder ({card.family})",
        "mlm:tasks": ["regression", "segmentation"],
        "mlm:framework": "PyTorch",
        **_framework_version(card.torch),
        "mlm:total_parameters": sum(int(weight.size) for weight in _arrays(detector)),
        "mlm:pretrained": True,
        "mlm:pretrained_source": ", ".join(training.scenes) or "arrays",
        "mlm:batch_size_suggestion": training.batch_size,
        "mlm:accelerator": None,
        "mlm:accelerator_constrained": False,
        "mlm:input": [_input(detector)],
        "mlm:output": [_output(name, text, detector) for name, text in OUTPUTS.items()],
        "mlm:hyperparameters": {
            "family": card.family,
            "latent": card.latent,
            "hidden": list(card.hidden),
            "likelihood": card.likelihood,
            "noise": card.noise,
            "beta": training.beta,
            "steps": training.steps,
            "batch_size": training.batch_size,
            "seed": training.seed,
        },
        **_threshold(card.threshold),
        MADE_BY: detector.id,
    }


def _lineage(scenes: tuple[str, ...]) -> str:
    return f"Trained on {', '.join(scenes)}" if scenes else "Trained on arrays"


def _arrays(detector: Detector) -> list[Any]:
    return list(detector.weights.values())


def _framework_version(text: str) -> Mapping[str, str]:
    """Return the version of torch, where it reads as the extension demands."""
    parts = text.partition("+")[0].split(".")
    plain = len(parts) == 3 and all(part.isdecimal() for part in parts)
    return {"mlm:framework_version": ".".join(parts)} if plain else {}


def _band(band: Band) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": band.name}
    if band.wavelength is not None:
        facts["description"] = f"{band.wavelength:.6g} nm"
    return facts


def _input(detector: Detector) -> dict[str, Any]:
    bands = [{"name": band.name} for band in detector.bands]
    dates = detector.compares_dates
    order = ["batch", *(["time"] if dates else []), "bands"]
    shape = [-1, *([-1] if dates else []), len(bands)]
    described = "values of the bands of pixels, in the units of the training scenes"
    if detector.covariates:
        described += f"; behind them {len(detector.covariates)} covariates"
    return {
        "name": "spectra",
        "description": described,
        "bands": bands,
        "input": {"shape": shape, "dim_order": order, "data_type": "float32"},
    }


def _output(name: str, text: str, detector: Detector) -> dict[str, Any]:
    unit = unit_of(detector.meaning)
    score = name == "score"
    return {
        "name": name,
        "description": f"{text}; {unit}" if score and unit else text,
        "tasks": ["regression" if score else "segmentation"],
        "result": {
            "shape": [-1],
            "dim_order": ["batch"],
            "data_type": "float32" if score else "uint8",
        },
    }


def _threshold(threshold: Threshold | None) -> dict[str, Any]:
    if threshold is None or threshold.pending:
        return {}
    return {"anomvae:threshold": threshold.value, "anomvae:threshold_rule": threshold.rule}
