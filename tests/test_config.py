import json
import re
import tomllib
from dataclasses import replace
from operator import attrgetter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomvae.config import Config, build_config, resolve_config, shipped, shipped_configs
from anomvae.config.schema import descriptions, schema
from anomvae.config.table import Table, types_of
from anomvae.config.tables import ContextConfig, ModelConfig, ScoreConfig, TrainingConfig
from anomvae.errors import ConfigError, FileError
from anomvae.monitoring.config import MonitorConfig, is_monitoring

DEFAULT = shipped("configs") / "default.toml"
SHIPPED = sorted(shipped("configs").glob("*.toml"))


def keys(table):
    """Dotted keys of a file: its tables hold no tables."""
    for key, value in table.items():
        yield from ([f"{key}.{name}" for name in value] if isinstance(value, dict) else [key])


def value_of(config, dotted):
    return attrgetter(dotted)(config)


@pytest.mark.parametrize("name", shipped_configs())
def test_every_shipped_configuration_loads_by_name_and_by_path(name):
    by_name = resolve_config(name)
    by_path = resolve_config(str(shipped("configs") / f"{name}.toml"))

    assert by_name.config == by_path.config


def test_monitoring_is_no_configuration_of_a_detector():
    assert "monitor" not in shipped_configs()
    assert "default" in shipped_configs()
    assert is_monitoring(shipped("configs") / "monitor.toml")
    assert not is_monitoring(DEFAULT)


def test_the_default_file_holds_each_key_with_its_default_and_scores_each_pixel_alone():
    config = resolve_config("default").config

    assert config == Config()
    assert set(keys(tomllib.loads(DEFAULT.read_text("utf-8")))) == set(keys(config.to_dict()))
    assert (config.score.local_contrast, config.score.latent_distance) == (0, 0)


def test_small_objects_are_scored_by_their_surroundings():
    config = resolve_config("small-objects").config

    assert config.model.family == "cvae"
    assert min(config.score.local_contrast, config.score.latent_distance) > 0


def test_a_time_series_is_compared_date_by_date_in_more_and_larger_steps():
    config = resolve_config("sequential").config

    assert config.model.family == "sequential"
    assert config.training.epochs > Config().training.epochs
    assert config.training.learning_rate > Config().training.learning_rate


def test_dates_are_compared_by_a_short_code_given_eight_dates_before():
    config = resolve_config("timeseries").config

    assert (config.model.family, config.model.dates, config.model.latent) == ("change", 8, 1)
    assert config.training.epochs > Config().training.epochs


def test_sentinel_2_differs_from_the_default_in_the_threshold_alone():
    config = resolve_config("sentinel2").config

    assert config.threshold == "quantile:0.001"
    assert replace(config, threshold=Config().threshold) == Config()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_key_of_a_shipped_file_has_a_comment(path):
    settings = re.findall(r"^\w+ *=.*$", path.read_text(encoding="utf-8"), re.MULTILINE)

    assert settings
    assert all("  # " in setting for setting in settings)


def test_every_field_is_documented():
    for table in (Config, ModelConfig, TrainingConfig, ContextConfig, ScoreConfig):
        assert descriptions(table).keys() == types_of(table).keys()


@pytest.mark.parametrize(
    ("setting", "answer"),
    [
        ("model.latnet=4", r"[model] has no key 'latnet'. Did you mean 'latent'?"),
        ("modle.latent=4", "the top level has no key 'modle'. Did you mean 'model'?"),
        ("treshold=sigma", "the top level has no key 'treshold'. Did you mean 'threshold'?"),
        (
            "model.x=4",
            "[model] has no key 'x'. Known: family, latent, hidden, likelihood, patch, dates.",
        ),
        ("threshold=sgma:3", "threshold = 'sgma:3': no rule is called 'sgma'. Did you mean"),
        ("threshold=fixed", "write a number behind it"),
        ("threshold=f1", "needs labels"),
        ("threshold=auto+loca:2", "behind + stands local:K"),
        ("threshold=autos", "no rule is called 'autos'"),
        ("threshold=quantile:5", "give one between 0 and 1, such as 0.001"),
        ("model.latent=0", "model.latent = 0: expected greater than 0 or 'auto'."),
        ("model.hidden=[]", "model.hidden = []: expected at least one entry or 'auto'."),
        ("training.trim=1", "training.trim = 1: expected less than 1 or 'auto'."),
        ("training.learning_rate=nan", "--set training.learning_rate: nan is not a finite number"),
        ("training.learning_rate=1" + 400 * "0", "0: expected a finite number"),
        ("score.local_contrast=1.5", "_contrast = 1.5: expected less than or equal to 1."),
        ("score.local_contrast=-0.1", "_contrast = -0.1: expected greater than or equal to 0."),
        ("score.latent_distance=-1", "_distance = -1: expected greater than or equal to 0."),
        ("score.annulus=[21]", "score.annulus = [21]: expected two numbers."),
        ("score.annulus=[21, 7, 3]", "score.annulus = [21, 7, 3]: expected two numbers."),
        ("score.annulus=21", "score.annulus = 21: expected a list."),
        ("score.annulus=[21, 7.5]", "[21, 7.5]: expected entry 2 to be a whole number."),
        ("model.hidden=[8, 0]", "model.hidden = [8, 0]: expected entry 2 to be greater than 0 or"),
        ("model.latent=true", "model.latent = True: expected a whole number or 'auto'."),
        ("context.mean_components=-1", "_components = -1: expected greater than or equal to 0."),
        ("context.anulus=[5, 3]", "[context] has no key 'anulus'. Did you mean 'annulus'?"),
        ("device=gpu", "device = 'gpu': expected 'cpu' or 'cuda'."),
        ("model=3", "model = 3: expected a table."),
        ("threshold.k=3", "threshold is a value, not a table"),
        ("training.max_pixels", "write it as key=value"),
        ("=3", "the top level has no key ''"),
    ],
)
def test_a_setting_that_does_not_fit_is_answered(setting, answer):
    with pytest.raises(ConfigError, match=re.escape(answer)):
        resolve_config("default", [setting])


@pytest.mark.parametrize(
    ("setting", "new"),
    [
        ("context.ring=[15, 7]", "annulus"),
        ("context.means=10", "mean_components"),
        ("context.spreads=5", "std_components"),
        ("context.limit=2", "clip_sigma"),
        ("training.pixels=1000", "max_pixels"),
        ("training.batch=64", "batch_size"),
        ("training.warm_up=0.1", "lr_warmup"),
        ("training.clip=5", "grad_clip"),
        ("score.ring=[21, 7]", "annulus"),
        ("score.contrast=0.5", "local_contrast"),
        ("score.novelty=1", "latent_distance"),
        ("model.likelihood=unit", "mse"),
        ("threshold=clipped:3", "sigma-clip"),
    ],
)
def test_an_old_key_or_word_is_answered_with_the_new_one(setting, new):
    with pytest.raises(ConfigError, match=f" is now called {new}"):
        resolve_config("default", [setting])


WINDOWS = ["context.annulus", "score.annulus", "model.patch"]


@given(key=st.sampled_from(WINDOWS), side=st.integers(-3, 12), guard=st.integers(-3, 12))
def test_a_window_has_two_odd_sides_the_outer_one_larger_and_a_patch_may_lack_a_guard(
    key, side, guard
):
    setting = f"{key}=[{side}, {guard}]"
    kind = key.partition(".")[2]

    if side % 2 and ((0 < guard < side and guard % 2) or (kind == "patch" and 0 == guard < side)):
        assert value_of(resolve_config("default", [setting]).config, key) == (side, guard)
    else:
        with pytest.raises(ConfigError, match=rf"\[{side}, {guard}\] is no {kind}: .*odd.*$"):
            resolve_config("default", [setting])


@pytest.mark.parametrize(("key", "most"), list(zip(WINDOWS, (255, 255, 31), strict=True)))
def test_no_side_is_larger_than_its_limit(key, most):
    assert value_of(resolve_config("default", [f"{key}=[{most}, 1]"]).config, key) == (most, 1)
    with pytest.raises(ConfigError, match=f"up to {most}"):
        resolve_config("default", [f"{key}=[{most + 2}, 1]"])


def test_every_problem_is_named_at_once():
    with pytest.raises(ConfigError) as error:
        build_config({"model": {"latnet": 1, "latent": -1}, "device": 7}, "mine.toml")

    assert all(part in str(error.value) for part in ("latnet", "model.latent = -1", "device = 7"))
    assert str(error.value).startswith("mine.toml does not fit: ")


def test_tables_made_in_python_are_checked_alike():
    config = Config(model=ModelConfig(latent=np.int64(3), hidden=[16, 8]), threshold="sigma")

    assert (config.model.latent, config.model.hidden, config.threshold) == (3, (16, 8), "sigma:3")
    with pytest.raises(ConfigError, match=re.escape("ModelConfig does not fit: latent = 0: expe")):
        ModelConfig(latent=0)
    with pytest.raises(ConfigError, match="device = 'gpu': expected 'cpu' or 'cuda'"):
        replace(config, device="gpu")


@pytest.mark.parametrize("kind", [Config, MonitorConfig])
def test_a_schema_has_every_table_with_every_key_its_limits_and_its_default(kind):
    whole = schema(kind)
    tables = {kind.__name__: whole, **whole["$defs"]}

    for table in (one for one in Table.__subclasses__() if one.__name__ in tables):
        properties = tables[table.__name__]["properties"]
        assert properties.keys() == types_of(table).keys()
        assert all(value["description"] for value in properties.values())
    assert set(re.findall(r"#/\$defs/(\w+)", json.dumps(whole))) == set(whole["$defs"])
    if kind is Config:
        latent = tables["ModelConfig"]["properties"]["latent"]
        limits = {"type": "integer", "exclusiveMinimum": 0, "maximum": 1024}
        assert latent["anyOf"] == [limits, {"enum": ["auto"]}]
        assert latent["default"] == "auto"
        assert tables["ScoreConfig"]["properties"]["annulus"]["default"] == [21, 7]


@settings(max_examples=50)
@given(st.text(max_size=20), st.text(max_size=20))
def test_any_setting_is_accepted_or_refused_by_an_error_of_ours(key, value):
    try:
        resolve_config("default", [f"{key}={value}"])
    except ConfigError:
        return


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("model.latent=3", "model.latent", 3),
        ("model.hidden=[16, 8]", "model.hidden", (16, 8)),
        ("model.family=ae", "model.family", "ae"),
        ('model.family="ae"', "model.family", "ae"),
        (" model.family = ae ", "model.family", "ae"),
        ("training.trim=0", "training.trim", 0.0),
        ("training.max_pixels=10_000", "training.max_pixels", 10_000),
        ("threshold=quantile:0.01", "threshold", "quantile:0.01"),
        ("threshold=sigma", "threshold", "sigma:3"),
        ("threshold=fixed:1234567.25", "threshold", "fixed:1234567.25"),
        ("threshold=auto", "threshold", "auto"),
        ("threshold=auto+local:2.5", "threshold", "auto+local:2.5"),
        ("threshold=budget:5km2", "threshold", "budget:5km2"),
    ],
)
def test_a_setting_overrides_the_file_and_is_named_as_the_source(setting, key, value):
    resolved = resolve_config("default", [setting])

    assert value_of(resolved.config, key) == value
    assert {row: source for row, _, source in resolved.rows()}[key] == f"--set {setting}"


def test_every_value_has_a_source_and_later_settings_win(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[model]\nlatent = 2\n", encoding="utf-8")

    resolved = resolve_config(str(path), ["device=cpu", "device=cuda"])

    sources = {key: source for key, _, source in resolved.rows()}
    assert resolved.config.device == "cuda"
    assert set(sources) == set(keys(Config().to_dict()))
    assert sources.pop("model.latent") == str(path)
    assert sources.pop("device") == "--set device=cuda"
    assert set(sources.values()) == {"default"}


def test_a_folder_of_the_same_name_does_not_hide_a_shipped_configuration(tmp_path, monkeypatch):
    (tmp_path / "default").mkdir()
    monkeypatch.chdir(tmp_path)

    assert resolve_config("default").config == Config()


def test_a_missing_configuration_is_named():
    with pytest.raises(ConfigError, match="Did you mean 'default'"):
        resolve_config("defualt")
    with pytest.raises(FileError, match=r"gone\.toml cannot be read: No such file"):
        resolve_config("gone.toml")


@pytest.mark.parametrize("content", [b"latent = ", b"\xff\xfe\x00", b"[model\n"])
def test_a_file_that_is_not_toml_is_named(tmp_path, content):
    path = tmp_path / "mine.toml"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=r"mine\.toml is not valid TOML"):
        resolve_config(str(path))
