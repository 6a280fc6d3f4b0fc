"""The configuration: `tables`, read from TOML with the source of every value (`reading`).

`table` and `values` check what is read, `schema` describes it for editors.

Keys are the arguments of the Python functions.  ``auto`` stands for what the number of bands or the
way of fitting decides (docs/design.md, section 8).
"""

from ..stats.limits import PATCH
from .reading import Resolved, build_config, resolve_config, shipped, shipped_configs
from .tables import TRIM, Config, TrainingConfig

__all__ = [
    "PATCH",
    "TRIM",
    "Config",
    "Resolved",
    "TrainingConfig",
    "build_config",
    "resolve_config",
    "shipped",
    "shipped_configs",
]
