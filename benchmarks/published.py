"""Published AUC of the same scenes, to compare ours with.

Most of these are tuned on the scene they are reported for (windows and ranks chosen by AUC), or are
the best of several seeds: ceilings, not expectations.  One name covers several crops, band subsets
and masks; a figure is of the same scene only if its RX AUC agrees with ours.
"""

from __future__ import annotations

from dataclasses import dataclass

REPRODUCED = "third-party reproduction"
RESCORED = "published map, scored again"
SM_HAD = "table of SM-HAD (IEEE TGRS 2026, README)"
PCA_TLRSR = "PCA-TLRSR (IEEE TCYB), Table II"


@dataclass(frozen=True)
class PublishedAuc:
    """A published AUC."""

    method: str
    auc: str
    """As printed."""
    source: str

    @property
    def value(self) -> float:
        """The number."""
        return float(self.auc)


@dataclass(frozen=True)
class Published:
    """Published figures of a scene."""

    rx: tuple[str, ...]
    """AUC of global RX, which identifies the version of the scene; several values if it is unknown
    which version the figures belong to."""
    classical: tuple[PublishedAuc, ...] = ()
    """Detectors without a network, best first."""
    deep: tuple[PublishedAuc, ...] = ()
    """Detectors with a network, best first."""


PUBLISHED = {
    "abu-airport-1": Published(
        rx=("0.8221",),
        classical=(
            PublishedAuc("local RX", "0.9647", REPRODUCED),
            PublishedAuc("GSAA-SS", "0.9530", "Yu, Dai & Zhang, Table I"),
            PublishedAuc("KIFD", "0.9359", SM_HAD),
        ),
        deep=(
            PublishedAuc("SM-HAD", "0.9793", "SM-HAD (IEEE TGRS 2026, README), best of 3 seeds"),
            PublishedAuc("FERD + SLRX", "0.9653", "FERD (README)"),
            PublishedAuc("FERS", "0.9515", "FERS paper"),
        ),
    ),
    "abu-airport-4": Published(
        rx=("0.9526",),
        classical=(
            PublishedAuc("PTA", "0.9946", SM_HAD),
            PublishedAuc("MsRFQFT", "0.9945", SM_HAD),
            PublishedAuc("PCA-TLRSR", "0.9943", PCA_TLRSR),
        ),
        deep=(
            PublishedAuc("HTD-Mamba", "0.9978", SM_HAD),
            PublishedAuc("FERS", "0.9935", "FERS paper"),
            PublishedAuc("SM-HAD", "0.9929", "SM-HAD (IEEE TGRS 2026, README), best of 3 seeds"),
            PublishedAuc("HTDC", "0.9860", "HTDC (TGRS 2026)"),
        ),
    ),
    "abu-beach-2": Published(
        rx=("0.9106",),
        classical=(PublishedAuc("kernel RX", "0.921", REPRODUCED),),
        deep=(PublishedAuc("HyperSAM", "0.9820", "HyperSAM paper"),),
    ),
    "abu-urban-1": Published(
        rx=("0.9907",),
        classical=(
            PublishedAuc("2S-GLRT", "0.9970", "2S-GLRT (IEEE TNNLS), windows tuned per scene"),
        ),
        deep=(
            PublishedAuc("HTDC", "0.9987", "HTDC (TGRS 2026)"),
            PublishedAuc("SM-HAD", "0.9982", "SM-HAD (IEEE TGRS 2026, README), best of 3 seeds"),
        ),
    ),
    "abu-urban-3": Published(
        rx=("0.9513",),
        deep=(PublishedAuc("MGAE", "0.9748", "MGAE paper"),),
    ),
    "pavia-center": Published(
        rx=("0.9887", "0.9934"),
        deep=(
            PublishedAuc("MGAE", "0.9987", "MGAE paper, mask not stated"),
            PublishedAuc("MrsNet", "0.9985", f"{RESCORED}, mask not stated"),
            PublishedAuc("LREN", "0.9925", "LREN (README)"),
        ),
    ),
    "sandiego-1": Published(
        rx=("0.8884",),
        classical=(PublishedAuc("PCA-TLRSR", "0.9957", PCA_TLRSR),),
        deep=(
            PublishedAuc("DeCNN-AD", "0.9901", PCA_TLRSR),
            PublishedAuc("RGAE", "0.9899", RESCORED),
        ),
    ),
}
"""By the name of the scene's folder."""

NOTE = (
    "Most published figures are tuned on the scene itself (windows and ranks chosen by AUC) or are "
    "the best of several seeds: ceilings, not expectations. Ours are means over the seeds, with "
    "one configuration for all scenes. A row compares like with like only where RX here is RX "
    "there. Behind: the best published figure less our best."
)
