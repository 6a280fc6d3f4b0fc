"""All kinds of fault."""

from benchmarks.faults import disks, documents, kills, models, tiffs

KINDS = (*kills.KINDS, *disks.KINDS, *models.KINDS, *tiffs.KINDS, *documents.KINDS)
