"""Replay an archive through a watch, and through its rules changed one at a time.

`archive` finds the scenes of a span, `results` their maps, scored or finished; `replay` makes the
passes of the watch over them, in a temporary folder; `variants` are the rules, `answered` what
people answered about events; an `outlook` shows what a replay did, and advises.
"""

from .archive import Span
from .outlook import Advice, Outlook
from .sites import SiteBacktest, backtest_sites

__all__ = ["Advice", "Outlook", "SiteBacktest", "Span", "backtest_sites"]
