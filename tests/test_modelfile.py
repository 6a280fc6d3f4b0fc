"""The model file: it gives back what was written, finds damage, and refuses foreign files."""

import json
import pickle
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from safetensors.numpy import save
from support.format1 import as_format_1, entry_of, sealed
from support.spectra import plan_of, scene

from anomvae.detector import Detector, fit_detector, fit_surroundings
from anomvae.detector.card import Card, Training
from anomvae.detector.modelfile import (
    FORMAT,
    KEY,
    ModelFile,
    is_model,
    read_card,
    read_model,
    to_bytes,
)
from anomvae.errors import ModelFileError
from anomvae.pixels.annulus import Annulus
from anomvae.pixels.bands import Band, Bands, unnamed_bands
from anomvae.pixels.covariates import Covariate
from anomvae.stats.context import ContextPlan, conditioned
from anomvae.stats.held_out import HeldOutRate
from anomvae.stats.latent import LatentStatistics
from anomvae.stats.local_contrast import LocalContrastWeighting
from anomvae.stats.scores import NormalScores
from anomvae.stats.thresholds import Threshold, parse_rule
from anomvae.training.sampling import Sample

TRAINING = Training(("a.tif", "b.tif"), 7, 900, 40, 32, 0.05, 1.0, (3.5, 1 / 3), None, 0.1)
CARD = Card(
    family="vae",
    latent=2,
    hidden=(8, 4),
    likelihood="gaussian",
    bands=Bands((Band(2, "nir", 842.0, 1e-4, -0.1, -9999.0), Band(1, "blü")), 3, True),
    dropped=("red",),
    noise="band",
    kl_weight=1.0,
    training=TRAINING,
    threshold=Threshold(12.3456789012345, 0.001, "sigma:3", 900, True),
    anomvae="0.1.0",
    torch="2.13.0",
)
PLAN = ContextPlan(Annulus(15, 7), mean_components=10, std_components=5, clip_sigma=2.0)
WEIGHTING = LocalContrastWeighting(
    Annulus(21, 7), 0.65, 1.0, variance=1 / 3, distance=-2.5, level=1e-300
)
COVARIATES = (
    Covariate("continuous", "dem.tif", "höhe"),
    Covariate("categorical", "cover.tif", classes=(1.0, 2.5)),
    Covariate("day"),
)
CONDITIONED = replace(CARD, family="cvae", context=PLAN, weighting=WEIGHTING, covariates=COVARIATES)
LATENT = LatentStatistics(units=(1.25, 0.0, 0.5), levels=(1.25, 0.5))
FULL = replace(
    CONDITIONED,
    held_out=HeldOutRate(1 / 3, 180, 13, 0.25, 0.5),
    training=replace(TRAINING, latent=LATENT),
    patch=Annulus(outer=7, guard=3),
    linear_weight=0.25,
    background=True,
    residuals=True,
    kind="iwae",
    drift=True,
    draws=16,
)
TABLES = ["threshold", "held_out", "context", "weighting", "patch"]
OPTIONAL = {
    *TABLES,
    "covariates",
    "linear_weight",
    "background",
    "residuals",
    "kind",
    "draws",
    "drift",
}
TENSORS = {
    "model.weight": np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32),
    "scaler.centre": np.array([1e-300, -0.0]),
    "steps": np.array(7, np.int64),
}
MODEL = ModelFile(CARD, TENSORS)
BYTES = to_bytes(MODEL)
# Pure ASCII: an escape such as \u00fc means the same with a capital.
PLAIN = to_bytes(replace(MODEL, card=replace(CARD, bands=unnamed_bands(2))))
OTHER_FILES = [b"", b"\0", b"II*\0" + bytes(200), b"a plain text file", bytes(64)]
HEADER = 8 + int.from_bytes(BYTES[:8], "little")

in_folder = settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
arrays = npst.arrays(
    st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_]),
    npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "model.safetensors"
        path.write_bytes(content)
        return path

    return write


@given(st.dictionaries(st.text("abc.", min_size=1, max_size=5), arrays, max_size=4))
@in_folder
def test_tensors_come_back_to_the_bit(write, tensors):
    read = read_model(write(to_bytes(ModelFile(CARD, tensors)))).tensors

    assert read.keys() == tensors.keys()
    for name, array in tensors.items():
        assert (read[name].dtype, read[name].shape) == (array.dtype, array.shape)
        assert read[name].tobytes() == array.tobytes()


@pytest.mark.parametrize(
    "card",
    [
        CARD,
        replace(CARD, threshold=None, dropped=(), anomvae="", torch=""),
        replace(CARD, bands=unnamed_bands(400)),
        replace(CARD, training=replace(TRAINING, scenes=(), elbo=-3.25)),
        CONDITIONED,
        FULL,
        replace(CARD, training=replace(TRAINING, latent=LatentStatistics(perplexity=1 / 3))),
        replace(CARD, weighting=LocalContrastWeighting(Annulus(3, 1), 0.0, 1.0)),
        replace(CARD, context=PLAN),
    ],
)
def test_the_card_comes_back_as_it_was(write, card):
    path = write(to_bytes(ModelFile(card, TENSORS)))

    assert read_model(path).card == card
    assert read_card(path) == card
    assert is_model(path)


@pytest.mark.parametrize("length", range(0, 272, 8))
def test_a_model_is_read_whatever_the_length_of_its_header(write, length):
    # The first byte of the file is the length modulo 256; a pickle begins with 0x80, too.
    path = write(to_bytes(replace(MODEL, card=replace(CARD, torch="x" * length))))

    assert read_model(path).card.torch == "x" * length


def test_equal_models_give_equal_bytes():
    turned = dict(reversed(TENSORS.items()))
    strided = {name: array.copy(order="F") for name, array in TENSORS.items()}

    assert to_bytes(ModelFile(replace(CARD), turned)) == BYTES
    assert to_bytes(ModelFile(replace(CARD), strided)) == BYTES


def test_the_header_has_one_metadata_key_and_its_format():
    size = int.from_bytes(BYTES[:8], "little")
    metadata = json.loads(BYTES[8 : 8 + size])["__metadata__"]

    assert list(metadata) == [KEY]
    assert entry_of(BYTES)["format"] == FORMAT == 2
    fields = asdict(CARD).keys() - (OPTIONAL - {"threshold"})
    assert entry_of(BYTES).keys() == fields | {"format", "checksum", "tensors"}


@given(place=st.integers(0, len(PLAIN) * 8 - 1))
@in_folder
def test_a_flipped_bit_is_found(write, place):
    content = bytearray(PLAIN)
    content[place // 8] ^= 1 << place % 8

    with pytest.raises(ModelFileError):
        read_model(write(content))


@given(size=st.integers(0, len(BYTES) - 1))
@in_folder
def test_a_truncated_file_is_found(write, size):
    # Its first byte alone may be that of a pickle.
    with pytest.raises(ModelFileError, match=r"damaged|pickle"):
        read_model(write(BYTES[:size]))


def test_a_field_that_holds_its_default_is_not_written(write):
    bare = ModelFile(replace(CARD, threshold=None), TENSORS)

    without, entry = (entry_of(to_bytes(model)) for model in (bare, ModelFile(FULL, TENSORS)))

    assert not OPTIONAL & without.keys()
    pooled = ModelFile(replace(CARD, held_out=HeldOutRate(0.5, 180)), TENSORS)
    assert entry_of(to_bytes(pooled))["held_out"] == {"rate": 0.5, "pixels": 180}
    assert "latent" not in without["training"]
    assert entry.keys() >= OPTIONAL
    assert entry["context"] == asdict(PLAN)
    assert entry["weighting"] == asdict(WEIGHTING)
    assert entry["training"]["latent"] == {"units": [1.25, 0.0, 0.5], "levels": [1.25, 0.5]}


@given(more=st.binary(min_size=1, max_size=50))
@in_folder
def test_appended_bytes_are_found(write, more):
    with pytest.raises(ModelFileError, match="damaged"):
        read_model(write(BYTES + more))


@given(st.binary(max_size=200))
@in_folder
def test_any_other_bytes_are_a_model_file_error(write, content):
    path = write(content)

    with pytest.raises(ModelFileError):
        read_model(path)
    with pytest.raises(ModelFileError):
        read_card(path)


def test_the_card_is_read_without_the_tensors(write):
    assert read_card(write(BYTES[:HEADER])) == CARD


def test_a_changed_card_is_found_without_the_tensors(write):
    changed = BYTES.replace(b"12.3456789012345", b"92.3456789012345")

    with pytest.raises(ModelFileError, match="its card does not match its checksum"):
        read_card(write(changed))


@pytest.mark.parametrize("read", [read_model, read_card])
class TestForeignFiles:
    """Every way to read a model refuses these."""

    def test_a_newer_format_says_to_update(self, write, read):
        path = write(sealed({"format": 3, "anomvae": "9.1", "shape": "unknown"}, TENSORS))

        with pytest.raises(ModelFileError, match=r"format 3, written by anomvae 9\.1.*Update"):
            read(path)

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            *((pickle.dumps(list(range(999)), n), "is a pickle") for n in range(2, 6)),
            (b"PK\x03\x04" + bytes(99), "a zip archive"),
            *((content, "damaged or no model file") for content in OTHER_FILES),
        ],
    )
    def test_other_files_are_named_by_what_they_are(self, write, read, content, problem):
        path = write(content)

        with pytest.raises(ModelFileError, match=problem):
            read(path)
        assert not is_model(path)

    @pytest.mark.parametrize(
        "metadata", [None, {"format": "pt"}, {KEY: "[]"}, {KEY: "not json"}, {KEY: "{}"}]
    )
    def test_safetensors_of_other_programs_are_refused(self, write, read, metadata):
        path = write(save(TENSORS, metadata=metadata))

        with pytest.raises(ModelFileError, match="not one of anomvae's"):
            read(path)

    @pytest.mark.parametrize(
        ("name", "problem"),
        [("gone.safetensors", "cannot be read: No such file"), ("", "cannot be read: Is a dir")],
    )
    def test_a_path_without_a_file_is_named(self, tmp_path, read, name, problem):
        with pytest.raises(ModelFileError, match=rf"{tmp_path / name} {problem}"):
            read(tmp_path / name)

    @pytest.mark.parametrize(
        "where", ["", "bands", "training", "training latent", "weighting annulus", *TABLES]
    )
    def test_an_unknown_field_is_refused(self, write, read, where):
        entry = entry_of(to_bytes(ModelFile(FULL, TENSORS)))
        table = entry
        for name in where.split():
            table = table[name]
        table["surprise"] = 1

        with pytest.raises(ModelFileError, match=r"does not fit format 2 .*surprise"):
            read(write(sealed(entry, TENSORS)))

    @pytest.mark.parametrize("field", sorted(set(asdict(CARD)) - OPTIONAL))
    def test_a_missing_field_is_refused(self, write, read, field):
        entry = entry_of(BYTES)
        del entry[field]

        with pytest.raises(ModelFileError, match=f"does not fit format 2 .*{field}"):
            read(write(sealed(entry, TENSORS)))


# Format 1


@pytest.mark.parametrize("card", [CARD, FULL, replace(FULL, likelihood="mse")])
def test_a_file_of_format_1_holds_the_same_card_and_tensors(write, card):
    rule = Threshold(12.5, 0.001, "sigma-clip:3", 900, True)
    scaling = {"scaler.std": np.ones(2), "context.std": np.arange(3.0)}
    model = ModelFile(replace(card, threshold=rule), TENSORS | scaling)

    old = as_format_1(to_bytes(model))

    words = {"dropped", "weighting", "annulus", "batch_size", "sigma-clip:3", "mse", "continuous"}
    assert not [word for word in words if f'"{word}"' in json.dumps(entry_of(old))]
    assert to_bytes(read_model(write(old))) == to_bytes(model)
    assert read_card(write(old)) == model.card


def test_a_changed_tensor_of_format_1_is_found(write):
    content = bytearray(as_format_1(BYTES))
    content[-3] ^= 1

    with pytest.raises(ModelFileError, match="its tensors do not match their checksum"):
        read_model(write(content))


def test_a_detector_of_format_1_scores_to_the_bit_as_before(write):
    block = block_with_covariates()
    detector = fitted(block)

    loaded = Detector.load(write(as_format_1(detector.to_bytes())))

    assert loaded.card == detector.card
    assert [one.kind for one in loaded.covariates] == ["continuous", "categorical", "day"]
    assert loaded.threshold.rule == "sigma-clip:3"
    assert loaded.id == detector.id
    assert np.stack(loaded.score(block)).tobytes() == np.stack(detector.score(block)).tobytes()


def block_with_covariates():
    """Return five bands, then a height, one of two classes, and a day of the year."""
    height = np.random.default_rng(0).normal(500, 50, (1, 25, 40, 1))
    classes = np.where(np.arange(40) < 20, 1.0, 2.5)[:, None] * np.ones((1, 25, 1, 1))
    day = np.broadcast_to([0.6, -0.8], (1, 25, 40, 2))
    values = np.concatenate([height, classes, day], axis=-1)
    return np.concatenate([scene((25, 40), bands=5), values], axis=-1, dtype=np.float32)


def fitted(block):
    """Fit a detector with a context, covariates of all kinds and a local-contrast weighting."""
    plan = plan_of(
        covariates=True,
        model={"family": "cvae"},
        training={"max_steps": 20},
        score={"local_contrast": 0.5, "latent_distance": 1.0, "annulus": (9, 5)},
    )
    where = np.ones(block.shape[:-1], bool)

    def sample(view):
        return Sample(view.split(block, where)[:], np.empty((0, 0), np.float32))

    covariates = tuple(replace(one, classes=()) for one in COVARIATES)
    context = fit_surroundings(sample(plan.view), unnamed_bands(5), plan, 1, covariates)
    examples = sample(conditioned(plan.view, context))
    detector = fit_detector(examples, unnamed_bands(5), plan, 0, context=context)
    scores = detector.score(block).total
    return detector.with_threshold(
        parse_rule("sigma-clip:3"), NormalScores.of(scores, held_out=False)
    )
