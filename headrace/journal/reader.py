"""All that a reader of the journal may ask."""

from __future__ import annotations

from headrace.journal.batches import Batches
from headrace.journal.contents import Contents
from headrace.journal.cursors import Cursors


class JournalReader(Batches, Cursors, Contents):
    """Reads batches, cursors and counts; one connection, used by one thread at a time."""
