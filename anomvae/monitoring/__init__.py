"""Watch sites: score each new scene exactly once, decide about it, and send alerts of events.

`run_once` (`run`) makes one pass and ends; cron, systemd or Airflow call it.  It reads the
configuration (`config`, `source_tables`, `rule_tables`, `receivers`, `checks`), lists scenes
(`listing`, `folder`, `sources`, `catalogue`), selects those that are due (`due`), scores them
(`site`, `date_history`, `scoring`), decides about them (`decisions`), keeps their state in SQLite
(`database`, `state`), and sends alerts of what changed about events (`announcing`, `alerts`,
`channels`, `messenger`, `outbox`).  What fails is a `problem`: of a scene, of a site, or of
neither; it stops nothing else.  What of a source is no scene is noted (`notices`).

`preview` and `deep_check` show what a run would do, `health`, `report`, `drift_report` and `pages`
what runs did.  People answer about events (`answers`, `labels`), train a successor of a model
(`retraining`), replay an archive (`backtest`), and begin a watch (`new_watch`).  torch is loaded
only when there is a scene to score, and rasters for a pass alone: names are resolved lazily.
"""

from typing import TYPE_CHECKING

from .. import lazily

if TYPE_CHECKING:
    from .pages import PagesWritten, write_pages
    from .report import Overview, events, history, overview
    from .run import Pass, RunEnvironment, run_once

__all__ = [
    "Overview",
    "PagesWritten",
    "Pass",
    "RunEnvironment",
    "events",
    "history",
    "overview",
    "run_once",
    "write_pages",
]

__getattr__ = lazily(
    __name__,
    {
        "pages": ("PagesWritten", "write_pages"),
        "report": ("Overview", "events", "history", "overview"),
        "run": ("Pass", "RunEnvironment", "run_once"),
    },
)
