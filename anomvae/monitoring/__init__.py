"""Watch sites: score each new scene exactly once, and send alerts of unusual ones.

`run_once` (`run`) makes one pass and ends; cron, systemd or Airflow call it.  It reads the
configuration (`config`, `receivers`, `checks`), lists scenes (`sources`; `catalogue`, `items`,
`stac_io`), scores those that are due (`site`, `date_history`, `scoring`), keeps their state in
SQLite (`database`, `state`), and sends alerts (`alerts`, `channels`, `web`, `outbox`).  What fails
is a `problem`: of a scene, of a site, or of neither; it stops nothing else.  `health` and `report`
show whether the watch itself works.  torch is loaded only when there is a scene to score.
"""

from .report import Overview, events, history, overview
from .run import Pass, RunEnvironment, run_once

__all__ = ["Overview", "Pass", "RunEnvironment", "events", "history", "overview", "run_once"]
