"""All kinds of fault."""

from benchmarks.faults import (
    disks,
    documents,
    equal,
    kills,
    models,
    servers,
    sources,
    tiffs,
)

MODULES = (kills, models, tiffs, documents, sources, servers, disks, equal)
KINDS = tuple(kind for module in MODULES for kind in module.KINDS)
