"""Model files of format 1, as anomvae 0.1 wrote them: format 2 under its former names."""

import hashlib
import json

from safetensors.numpy import load, save

from anomvae.detector.modelfile import KEY

KEYS = {
    "": {"dropped": "dead", "weighting": "prominence"},
    "context": {
        "annulus": "ring",
        "mean_components": "means",
        "std_components": "spreads",
        "clip_sigma": "limit",
    },
    "weighting": {"annulus": "ring", "local_contrast": "contrast", "latent_distance": "novelty"},
    "training": {"batch_size": "batch", "latent": "code"},
}
WORDS = {"continuous": "numbers", "categorical": "classes", "mse": "unit"}
TENSORS = {
    "context.std": "context.spread",
    "model.context_network.missing": "model.context_network.unseen",
    "scaler.std": "scaler.spread",
}


def as_format_1(content):
    """Return the file of format 1 with the content of a file of format 2."""
    tensors = {TENSORS.get(name, name): array for name, array in load(content).items()}
    entry = entry_of(content)
    for table in KEYS.keys() & entry.keys():
        entry[table] = renamed(table, entry[table])
    entry = renamed("", entry)
    entry["likelihood"] = WORDS.get(entry["likelihood"], entry["likelihood"])
    for one in entry.get("covariates", []):
        one["kind"] = WORDS.get(one["kind"], one["kind"])
    if "threshold" in entry:
        entry["threshold"]["rule"] = entry["threshold"]["rule"].replace("sigma-clip", "clipped")
    return sealed(entry | {"format": 1, "tensors": digest(tensors)}, tensors)


def entry_of(content):
    """Return the JSON entry of a model file."""
    size = int.from_bytes(content[:8], "little")
    return json.loads(json.loads(content[8 : 8 + size])["__metadata__"][KEY])


def sealed(entry, tensors):
    """Write a model file with this entry, whatever it holds, under a right checksum."""
    rest = {key: value for key, value in entry.items() if key != "checksum"}
    checksum = hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
    metadata = {KEY: json.dumps(rest | {"checksum": checksum}, sort_keys=True)}
    return save(tensors, metadata=metadata)


def renamed(table, data):
    """Return a table of the entry under its former keys."""
    return {KEYS[table].get(key, key): value for key, value in data.items()}


def digest(tensors):
    """Return the checksum of tensors."""
    whole = hashlib.sha256()
    for name, array in sorted(tensors.items()):
        whole.update(f"{name} {array.dtype.str} {array.shape}".encode())
        whole.update(array.tobytes())
    return whole.hexdigest()
