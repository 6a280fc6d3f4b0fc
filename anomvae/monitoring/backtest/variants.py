"""The rules of a site, switched off or changed one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ...errors import ConfigError
from ...stats.thresholds import Rule, parse_rule
from ..config import SiteConfig
from ..rule_tables import AreaConfig

AS_CONFIGURED = "as configured"
CONFIRMATIONS = ("1 of 1", "2 of 3", "3 of 4")
SIGMAS = ("sigma", "log-sigma", "gaussian", "sigma-clip", "mad")
"""Rules whose number is a multiple of a spread."""
FACTORS = {"quantile": 0.1, "conformal": 0.1, "budget": 0.5, "fixed": 1.25}
"""By which the number of another rule becomes stricter."""
NOT_VARIED = "masks, model and dates are not varied: maps hold no scores without them"
"""What only new scores could show."""


@dataclass(frozen=True)
class Variant:
    """A site with one rule that differs."""

    change: str
    """What differs, as it is written in the configuration."""
    site: SiteConfig
    rule: str | None = None
    """Rule of the threshold, where it differs."""


def variants_of(site: SiteConfig, rule: str) -> Iterator[Variant]:
    """Yield the site with each rule that can be decided anew from finished maps.

    ``rule`` is the one that chose the thresholds of the maps.
    """
    for confirm in CONFIRMATIONS:
        if confirm != site.alert.confirm:
            yield _alert(site, f'confirm = "{confirm}"', confirm=confirm)
    if site.alert.cool_down_days:
        yield _alert(site, "cool_down_days off", cool_down_days=0.0)
    if site.max_masked < 1:
        yield Variant("max_masked off", replace(site, max_masked=1.0))
    yield from _sizes(site)
    if site.area != AreaConfig():
        yield Variant("areas off", replace(site, area=AreaConfig()))
    for other in _steps(rule):
        yield Variant(f'threshold = "{other}"', site, str(other))


def _sizes(site: SiteConfig) -> Iterator[Variant]:
    rule = site.alert
    if rule.min_area_px > 1:
        yield _alert(site, "min_area_px off", min_area_px=1)
    larger = 2 * rule.min_area_px
    yield _alert(site, f"min_area_px = {larger}", min_area_px=larger)
    if rule.min_area_m2 is not None:
        yield _alert(site, "min_area_m2 off", min_area_m2=None)
    if rule.min_objects > 1:
        yield _alert(site, "min_objects off", min_objects=1)
    if rule.min_share is not None:
        yield _alert(site, "min_share off", min_share=None)


def _alert(site: SiteConfig, change: str, **values: Any) -> Variant:  # noqa: ANN401 - of any key
    alert = replace(site.alert, **values)
    return Variant(change, replace(site, alert=alert))


def _steps(text: str) -> Iterator[Rule]:
    """Yield a stricter rule and a laxer one; none where no map can be decided by them."""
    try:
        rule = parse_rule(text)
    except ConfigError:  # of another version
        return
    if rule.name in SIGMAS:
        numbers = [rule.number + 1, rule.number - 1]
    else:
        factor = FACTORS.get(rule.name, 0.0)
        numbers = [rule.number * factor, rule.number / factor] if factor else []
    for number in numbers:
        if not rule.kind.number or (number > 0 and not rule.kind.number.problem(number)):
            yield replace(rule, number=float(f"{number:.6g}"), otherwise=None)
