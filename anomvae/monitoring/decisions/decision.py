"""The decision about a scored scene: its outcome, drift, and what becomes of the site's events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ..config import SiteConfig
from .candidates import find_candidates
from .drift import drift_text
from .event import Cluster, Event, open_clusters
from .events import AddedPass, newly_confirmed
from .evidence import SceneEvidence
from .outcomes import Assessment, Outcome, assess, in_place
from .passes import ScenePass, with_pass
from .persistence import StagedMap, stage

if TYPE_CHECKING:
    from ...mapping import MapResult


@dataclass(frozen=True)
class Recorded:
    """What is recorded of a site."""

    passes: Sequence[ScenePass]
    """Its comparable scenes, in the order of acquisition."""
    events: Sequence[Event]
    """Its events that are open, or rejected."""
    next_event: int
    """Number of the next new event."""

    @property
    def open_clusters(self) -> list[Cluster]:
        """The events that are open, as they lie on the map."""
        return open_clusters(self.events)


@dataclass(frozen=True)
class Decision:
    """All that is recorded about a scene beside its score; its context discards an unused map."""

    assessment: Assessment
    passes: Sequence[ScenePass]
    """The comparable scenes of the site with this one, in the order of acquisition."""
    drift: str | None = None
    """From the training reference, JSON; None: not measured."""
    events: tuple[Event, ...] = ()
    """Events that change, as they are from now on."""
    staged: StagedMap | None = None
    """The map to publish once all is recorded; None: it stays as it is."""

    def __enter__(self) -> Decision:
        """Return the decision."""
        return self

    def __exit__(self, *_: object) -> None:
        """Discard the map unless it was published."""
        if self.staged is not None:
            self.staged.discard()


def decide(
    site: SiteConfig,
    scene: ScenePass,
    result: MapResult,
    recorded: Recorded,
    displaced: Callable[[], str | None] = in_place,
) -> Decision:
    """Decide about a scored scene of a site, given what is recorded; raises what `stage` does.

    ``displaced`` returns why the scene lies beside the others; None where it does not.
    """
    assessment = assess(site, result, partial(find_candidates, site, result.files), displaced)
    # A detector that is fitted to the scene itself knows no other scenes.
    drift = None if site.model is None else drift_text(result.drift)
    if assessment.outcome is not Outcome.NOT_COMPARABLE:
        passes = with_pass(recorded.passes, scene)
        staged = stage(
            site,
            recorded.passes,
            scene,
            next_number=recorded.next_event,
            known=recorded.open_clusters,
        )
    else:
        passes = [each for each in recorded.passes if each.source != scene.source]
        if len(passes) == len(recorded.passes):
            return Decision(assessment, passes, drift)
        staged = stage(  # it counted before
            site, passes, next_number=recorded.next_event, known=recorded.open_clusters
        )
    try:
        confirmed = newly_confirmed(recorded.events, staged.clusters, site.alert)
        assessment = assessment.confirming([f"{site.name}-{number}" for number in confirmed])
        added = AddedPass(
            site=site.name,
            scene=scene,
            continues=passes[-1:] == [scene] and assessment.outcome is Outcome.ANOMALOUS,
            rule=site.alert,
            evidence=SceneEvidence(scene, result, assessment),
        )
        events = added.events(recorded.events, staged.clusters, staged.merged)
    except BaseException:
        staged.discard()
        raise
    return Decision(assessment, passes, drift, events=events, staged=staged)
