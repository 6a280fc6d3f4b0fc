"""The configuration of a watch: sites, sources, alerts, retries, health.

`source_tables` has the tables of sources, `rule_tables` those of decisions, `receivers` those of
the receivers of alerts, `checks` the checks of single values.
Relative paths start at the folder of the file, so that they do not depend on the working directory
of cron.  A secret is the name of an environment variable, never a value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from ..config.reading import put_setting, read_toml
from ..config.table import Table
from ..config.values import Between, Entries
from ..errors import ConfigError, hint, listed
from ..mapping.options import LOSSLESS, ScoreOptions
from ..stats.thresholds import parse_rule
from .checks import ConfigText, Count, MaskText, Name, PathText, Seconds, TimeOut, require_safe
from .receivers import AlertsConfig, WaitConfig
from .rule_tables import AlertRule, AreaConfig, DriftConfig
from .source_tables import FolderConfig, StacConfig, UrlsConfig

SOURCES = ("folder", "urls", "stac")
TIMESERIES = "timeseries"
"""Configuration that is fitted to each scene where a site has neither model nor configuration."""
DATES = 9
"""Dates per scene of a site with a configuration alone: the scene and those before it."""


class SiteConfig(Table):
    """A site that is watched."""

    name: Name
    """Its name in the state, in alerts and in metrics."""
    model: PathText | None = None
    """The model file ..."""
    config: ConfigText | None = None
    """... or the configuration of a detector that is fitted to each scene: the name of a shipped
    one or a TOML file.  Where there is neither and ``dates`` are given, it is ``timeseries``."""
    out: PathText
    """Folder for the deliverables; each scene has a folder of its own in it."""
    mask: MaskText | None = None
    """Pixels to ignore: a raster (0 = ignore), ``scl:FILE`` and the like, ``auto`` or ``none``."""
    mask_dilate: Annotated[int, Between(least=0, most=1000)] = 0
    """Pixels by which what is hidden grows."""
    max_masked: Annotated[float, Between(least=0, most=1)] = 0.9
    """A scene of which masks hide a larger share, of the pixels with data, is not comparable."""
    max_displacement: Annotated[float, Between(above=0)] = 0.75
    """A scene that lies farther beside the scene before it on the same grid, pixels, is not
    comparable; 8 or more: that is not measured."""
    grid: Literal["warp", "refuse"] = "warp"
    """What to do with a scene on another grid than the site's: warp its flags, and the dates before
    that it is compared with, or refuse it."""
    nodata: tuple[float, ...] = ()
    """Stored values of the scenes that are no data, beyond those that the files declare."""
    resolution: Annotated[float, Between(above=0)] | None = None
    """Side of a pixel, metres, of products with several grids; None: their default."""
    radiometry: Literal["auto", "as-stored"] = "auto"
    """Whether the data may decide how values are stored where files do not state it."""
    threshold: str | None = None
    """Rule that replaces the model's threshold, from the scores that the model keeps."""
    dates: Count = 1
    """Dates per scene of a detector that compares dates: the scene's own and those before it; 9
    where only ``config`` is given."""
    allow_drivers: tuple[str, ...] = ()
    """GDAL's drivers that open scenes, too, although they may fetch what a file names."""
    no_limits: bool = False
    """Whether to open rasters of any size, number of bands and block size."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where to compute."""
    engine: Literal["auto", "native", "numpy", "torch"] = "auto"
    """What computes the scores."""
    only: Literal["score"] | None = None
    """``score``: the maps hold the score without its terms."""
    compress: str = LOSSLESS
    """How the maps are compressed: ``zstd``, or ``lerc:E``, which rounds scores by at most E."""
    gpkg: bool = False
    """Whether a GeoPackage of the objects of each scene is written, too."""
    items: bool = False
    """Whether a STAC item of each scene and its results is written, too; ``stac`` is a source."""
    folder: FolderConfig | None = None
    """Scenes from a folder ..."""
    urls: UrlsConfig | None = None
    """... or from a list of addresses ..."""
    stac: StacConfig | None = None
    """... or from a catalogue."""
    alert: AlertRule = AlertRule()
    """What is an anomaly, and which changes of events are alerts."""
    area: AreaConfig = AreaConfig()
    """Where the site is watched."""
    drift: DriftConfig = DriftConfig()
    """When a warning reports drift."""

    @classmethod
    def prepared(cls, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add the number of dates that follows from a configuration."""
        if data.get("config") is not None and "dates" not in data:
            return {**data, "dates": DATES}
        return data

    def require(self) -> None:
        """Require one detector, one source, and one choice of masks."""
        if self.threshold is not None:
            parse_rule(self.threshold)
        _ = self.score_options  # which refuses what compresses nothing
        if self.model is not None and self.config is not None:
            raise ValueError(
                f"{self.name!r} has `model` and `config`: give the model that scores its scenes, "
                f"or the configuration that is fitted to each of them."
            )
        if self.model is None and self.config is None and self.dates == 1:
            raise ValueError(
                f"{self.name!r} has no detector: give `model`, the file of `anomvae train`, or "
                f"`dates`, as in dates = 9, to compare each scene with those before it."
            )
        sources = [name for name in SOURCES if getattr(self, name) is not None]
        if len(sources) != 1:
            raise ValueError(
                f"{self.name!r} has {len(sources)} sources: give one of "
                f"{', '.join(f'[site.{name}]' for name in SOURCES)}."
            )
        self._require_one_choice_of_masks()

    @property
    def score_options(self) -> ScoreOptions:
        """Options of scoring: what lies in the scene's own folder is an earlier try."""
        return ScoreOptions(
            min_area=self.alert.min_area_px,
            gpkg=self.gpkg,
            stac=self.items,
            model_path=self.model,
            only=self.only,
            compress=self.compress,
            overwrite=True,
        )

    @property
    def fitted_config(self) -> str:
        """The configuration that is fitted to each scene where there is no model."""
        return self.config or TIMESERIES

    @property
    def scene_masks(self) -> str | None:
        """The masks that each scene has of its own, as configured; None: those of its product."""
        if self.stac is not None:
            return self.stac.mask_asset
        return None if self.folder is None else self.folder.mask_pattern

    def _require_one_choice_of_masks(self) -> None:
        if self.scene_masks is None:  # then rasters are not loaded to read a configuration
            return
        from ..raster.mask_choice import AUTO, parse_mask

        if AUTO not in {one.kind for one in parse_mask(self.mask)}:
            raise ValueError(
                f"{self.name!r} has masks of each scene ({self.scene_masks!r}), which mask = "
                f"{self.mask!r} replaces: leave one of them out, or write 'auto,binary:FILE' to "
                f"use both."
            )


class RetryConfig(WaitConfig):
    """When a failed scene is tried again."""

    wait_seconds: Seconds = 300.0
    """After the first failure; each further failure doubles it, s."""
    max_wait_seconds: Seconds = 86_400.0
    """Longest wait, s."""
    tries: Count = 5
    """Tries before a scene is given up."""


class HealthConfig(Table):
    """How the watch itself is monitored."""

    log: PathText | None = None
    """Log file, a JSON line per event."""
    prometheus: PathText | None = None
    """Textfile for the node exporter, ``*.prom``."""
    heartbeat: str | None = None
    """Address to call after a run without failures ..."""
    heartbeat_env: str | None = None
    """... or the environment variable that holds it."""
    timeout: TimeOut = 10.0
    """Longest time of the call, s."""

    def require(self) -> None:
        """Require one address at the most, and a safe one."""
        if self.heartbeat is not None and self.heartbeat_env is not None:
            raise ValueError("[health] has both `heartbeat` and `heartbeat_env`: give one of them.")
        if self.heartbeat is not None:
            require_safe(self.heartbeat, allow_http=True)


class PagesConfig(Table):
    """The pages of a watch, which each run brings up to date."""

    dir: PathText
    """Their folder: a new or empty one, or one of earlier pages."""


class MonitorConfig(Table):
    """The whole configuration."""

    renamed: ClassVar[Mapping[str, str]] = {"place": "site"}

    state: PathText = "state"
    """Folder of the database and the lock."""
    site: Annotated[tuple[SiteConfig, ...], Entries()]
    """The sites."""
    retry: RetryConfig = RetryConfig()
    """When a failed scene is tried again."""
    alerts: AlertsConfig = AlertsConfig()
    """Receivers of alerts."""
    health: HealthConfig = HealthConfig()
    """How the watch itself is monitored."""
    pages: PagesConfig | None = None
    """Pages to look at; None: only `anomvae monitor page` writes some."""

    @property
    def result_folders(self) -> tuple[Path, ...]:
        """The folders of results, which hold no scenes."""
        return tuple(Path(site.out) for site in self.site)

    def site_called(self, name: str) -> SiteConfig:
        """Return the site of a name; raises `ConfigError` if there is none."""
        names = [site.name for site in self.site]
        if name not in names:
            raise ConfigError(f"No site is called {name!r}. {hint(name, names)}")
        return self.site[names.index(name)]

    def require(self) -> None:
        """Require that sites, and receivers of alerts, have names of their own."""
        receivers = [webhook.name for webhook in self.alerts.webhook]
        receivers += [mail.name for mail in self.alerts.mail]
        receivers += [messages.name for messages in self.alerts.apprise]
        _require_unique("sites", [site.name for site in self.site])
        _require_unique("receivers of alerts", ["stdout", "feed", *receivers])


def read_monitoring(path: str | Path, settings: Sequence[str] = ()) -> MonitorConfig:
    """Read a monitoring configuration; ``settings`` override keys of all sites.

    Raises
    ------
    ConfigError
        Names every key and value that does not fit.
    FileError
        If the file cannot be read.
    """
    file = Path(path)
    data, where = read_toml(file), " with --set ".join([str(file), *settings])
    sites = data.get("site")
    for site in sites if isinstance(sites, list) else []:
        for setting in settings if isinstance(site, dict) else []:
            put_setting(site, setting)
    return MonitorConfig.read(data, where, file.absolute().parent)


def is_monitoring(path: str | Path) -> bool:
    """Return whether a file configures monitoring rather than a detector."""
    return Path(path).is_file() and not {"site", "place"}.isdisjoint(read_toml(Path(path)))


def _require_unique(what: str, names: list[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"several {what} are called {listed(twice)}: give each its own name.")
