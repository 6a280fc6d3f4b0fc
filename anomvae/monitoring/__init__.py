"""Watch sites: score what is new, exactly once, and tell of what is unusual.

`run_once` (`run`) makes one pass and ends; cron, systemd or Airflow call it.  It lists scenes
(`sources`, `catalogue`), scores those that are due (`site`, `scoring`), keeps what is known in
SQLite (`database`, `state`), and tells people (`alerts`, `channels`, `outbox`).  Who watches the
watch has `health` and `report`.  torch is loaded only when there is a scene to score.
"""

from .report import Overview, history, overview
from .run import Pass, RunEnvironment, run_once

__all__ = ["Overview", "Pass", "RunEnvironment", "history", "overview", "run_once"]
