"""The configuration: pydantic models, read from TOML, with the source of every value.

Keys are the arguments of the Python functions.  ``auto`` stands for what the number of bands or the
way of fitting decides (docs/design.md, section 8).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
)
from pydantic_core import ErrorDetails

from .errors import ConfigError, FileError, hint
from .thresholds import parse_rule

Auto = Literal["auto"]
TRIM = 0.05
"""Share trimmed where pixels are only mostly normal: the best of 2, 5 and 10 % on real scenes."""
Share = Annotated[float, Field(ge=0, lt=1)]


class Table(BaseModel):
    """One table of the file: read-only, and closed to unknown keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class ModelConfig(Table):
    """Which autoencoder to build."""

    family: str = "vae"
    """A name in `anomvae.families.FAMILIES`."""
    latent: PositiveInt | Auto = "auto"
    """Latent features per pixel; auto: min(8, bands / 2)."""
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] | Auto = "auto"
    """Widths of the encoder's layers; auto: 128, 64 above 32 bands, else 64, 32."""
    likelihood: Literal["gaussian", "unit"] = "gaussian"
    """gaussian: noise learnt per band; unit: noise 1, the textbook squared error."""


class TrainingConfig(Table):
    """How long and how carefully to train."""

    pixels: Annotated[int, Field(ge=32)] = 1_000_000
    """Pixels to train on at the most, drawn evenly over the scenes."""
    epochs: PositiveInt = 40
    """Passes over them, unless max_steps ends training sooner."""
    max_steps: PositiveInt = 4000
    """Optimiser steps at the most."""
    batch: PositiveInt = 1024
    """Pixels per step, at the most an eighth of them all."""
    learning_rate: PositiveFloat = 2e-3
    """Peak of the one-cycle schedule."""
    warm_up: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the steps in which the learning rate rises."""
    clip: PositiveFloat = 5.0
    """Largest norm of the gradient."""
    trim: Share | Auto = "auto"
    """Share of each batch, the worst, that is not learnt; auto: 0.05, 0 with --normal."""
    beta: NonNegativeFloat | Auto = "auto"
    """Weight of the KL term in training; auto: as the family says."""
    kl_warm_up: Share | Auto = "auto"
    """Share of training over which that weight rises from 0; auto: as the family says."""
    free_bits: NonNegativeFloat = 0.0
    """Nats of KL per pixel that cost nothing in training."""


class ScoreConfig(Table):
    """How a score is made of reconstruction and KL."""

    noise: Literal["unit", "band", "covariance", "auto"] = "auto"
    """Noise model of the residual; auto: band, covariance in detect."""
    kl_weight: NonNegativeFloat = 1.0
    """Weight of the KL term in the score."""


class Config(Table):
    """Everything that training and scoring need besides the scenes."""

    model: ModelConfig = ModelConfig()
    """Which autoencoder to build."""
    training: TrainingConfig = TrainingConfig()
    """How long and how carefully to train."""
    score: ScoreConfig = ScoreConfig()
    """How a score is made of reconstruction and KL."""
    threshold: Annotated[str, AfterValidator(lambda text: str(_rule(text)))] = "auto"
    """auto, sigma:K, clipped:K, mad:K, quantile:FPR or fixed:VALUE (docs/design.md, section 8);
    auto: sigma:3, clipped:3 in detect."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where to compute; results repeat to the bit on one machine and device."""

    def settled(self, *, in_sample: bool, trim: float) -> Config:
        """Decide what fitting decides.

        Parameters
        ----------
        in_sample : bool
            Whether the detector scores what it was fitted on, as ``detect`` does.
        trim : float
            Share to trim where the configuration leaves it open.
        """
        noise = "covariance" if in_sample else "band"
        rule = "clipped:3" if in_sample else "sigma:3"
        return self.model_copy(
            update={
                "training": _filled(self.training, trim=trim),
                "score": _filled(self.score, noise=noise),
                "threshold": rule if self.threshold == "auto" else self.threshold,
            }
        )


def _rule(text: str) -> str:
    return text if text == "auto" else str(parse_rule(text))


def _filled(table: Any, **values: float | str) -> Any:  # noqa: ANN401 - any of the tables
    open_keys = {key: value for key, value in values.items() if getattr(table, key) == "auto"}
    return table.model_copy(update=open_keys)


@dataclass(frozen=True)
class Resolved:
    """A configuration, and where each of its values came from."""

    config: Config
    """The whole."""
    sources: Mapping[str, str]
    """Dotted key to the file or option that set it; what is missing is the default."""

    def rows(self) -> Iterator[tuple[str, object, str]]:
        """Go through key, value and source."""
        for key, value in _flat(self.config.model_dump()):
            yield key, value, self.sources.get(key, "default")


def shipped(folder: str) -> Path:
    """Find a folder that comes with anomvae: in the installed package, or beside it in a checkout.

    Parameters
    ----------
    folder : {"configs", "data_samples"}
        Its name.
    """
    package = Path(__file__).parent
    inside = package / folder
    return inside if inside.is_dir() else package.parent / folder


def shipped_configs() -> list[str]:
    """Names that `resolve_config` knows without a path."""
    return sorted(path.stem for path in shipped("configs").glob("*.toml"))


def resolve_config(name: str = "default", settings: Sequence[str] = ()) -> Resolved:
    """Read a configuration and override parts of it.

    Parameters
    ----------
    name : str, default "default"
        The name of a shipped configuration, or the path of a TOML file.
    settings : sequence of str
        ``key=value`` pairs with dotted keys, as in ``model.latent=8``; later ones win.

    Raises
    ------
    ConfigError
        Names every key and value that does not fit.
    FileError
        If the file cannot be read.
    """
    path = _path(name)
    data = _read(path)
    sources = {key: str(path) for key, _ in _flat(data)}
    for setting in settings:
        key, value = _setting(setting)
        _put(data, key, value)
        sources[key] = f"--set {setting}"
    where = " with --set ".join([str(path), *settings])
    return Resolved(build_config(data, where), sources)


def build_config(data: Mapping[str, Any], where: str) -> Config:
    """Check a nested mapping; ``where`` says in messages what it came from."""
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{where} does not fit: {explain(error.errors())}") from error


def explain(details: Sequence[ErrorDetails]) -> str:
    """Say what was found and expected; for an unknown key, name the nearest known one."""
    problems: dict[str, list[str]] = {}
    for detail in details:
        keys = [str(part) for part in detail["loc"]]
        if detail["type"] == "extra_forbidden":
            problems[_unknown(keys)] = []
        elif detail["type"] == "value_error":  # one of ours says it all
            problems[detail["msg"].removeprefix("Value error, ")] = []
        else:
            # What follows the key in `loc` only names the alternatives of a union.
            key = ".".join(keys[:2] if keys[0] in _TABLES else keys[:1])
            start = f"{key} = {detail['input']!r}: expected "
            problems.setdefault(start, []).append(_wanted(detail))
    return " ".join(
        start + (" or ".join(ends) + "." if ends else "") for start, ends in problems.items()
    )


def _wanted(detail: ErrorDetails) -> str:
    ours = {"model_type": "a table", "too_short": "at least one number"}
    return ours.get(detail["type"], detail["msg"].removeprefix("Input should be "))


def _unknown(keys: list[str]) -> str:
    *tables, key = keys
    table: type[BaseModel] = _TABLES[tables[0]] if tables else Config
    where = f"[{tables[0]}]" if tables else "the top level"
    return f"{where} has no key {key!r}. {hint(key, table.model_fields)}"


_TABLES: dict[str, type[BaseModel]] = {
    "model": ModelConfig,
    "training": TrainingConfig,
    "score": ScoreConfig,
}


def _path(name: str) -> Path:
    path = Path(name)
    if path.suffix == ".toml" or path.is_file():
        return path
    if name in shipped_configs():
        return shipped("configs") / f"{name}.toml"
    raise ConfigError(
        f"No configuration is called {name!r}, and no file is. {hint(name, shipped_configs())}"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}. Check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error


def _setting(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    try:
        read = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        read = value.strip()  # a bare word, such as model.family=ae
    if not equals or isinstance(read, dict):
        raise ConfigError(f"--set {text}: write it as key=value, such as model.latent=8.")
    return key.strip(), read


def _put(data: dict[str, Any], key: str, value: object) -> None:
    *tables, last = key.split(".")
    for name in tables:
        data = data.setdefault(name, {})
        if not isinstance(data, dict):
            raise ConfigError(f"--set {key}: {name} is a value, not a table.")
    data[last] = value


def _flat(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
