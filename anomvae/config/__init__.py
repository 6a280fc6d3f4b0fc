"""The configuration: pydantic models (`tables`), read from TOML with the source of every value.

Keys are the arguments of the Python functions.  ``auto`` stands for what the number of bands or the
way of fitting decides (docs/design.md, section 8).
"""

from .monitoring import (
    AlertRule,
    FolderConfig,
    HealthConfig,
    MonitorConfig,
    PlaceConfig,
    RetryConfig,
    StacConfig,
    UrlsConfig,
)
from .reading import (
    Resolved,
    build_config,
    is_monitoring,
    read_monitoring,
    resolve_config,
    shipped,
    shipped_configs,
)
from .receivers import MailConfig, WaitConfig, WebhookConfig
from .tables import PATCH, TRIM, Config, TrainingConfig

__all__ = [
    "PATCH",
    "TRIM",
    "AlertRule",
    "Config",
    "FolderConfig",
    "HealthConfig",
    "MailConfig",
    "MonitorConfig",
    "PlaceConfig",
    "Resolved",
    "RetryConfig",
    "StacConfig",
    "TrainingConfig",
    "UrlsConfig",
    "WaitConfig",
    "WebhookConfig",
    "build_config",
    "is_monitoring",
    "read_monitoring",
    "resolve_config",
    "shipped",
    "shipped_configs",
]
