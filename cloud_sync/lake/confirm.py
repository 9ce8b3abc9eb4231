"""Tell sites what is registered of their journals, so that devices may forget it.

The journal on this machine gets a cursor, ``registered``; it follows the cursor ``lake`` of landing. Journals
elsewhere get a receipt in the object store, which their own cloud-sync reads (``headrace/lake/receipts.py``).
Nothing here is needed for the table to be right: after a kill the watermarks say it all again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from headrace.errors import LakeError, LakeUnavailable
from headrace.journal import LAKE, REGISTERED, JournalReader
from headrace.lake.receipts import read_receipt, write_receipt
from headrace.lake.store import Store
from headrace.landing import parse_watermark_key, watermark_key

log = logging.getLogger(__name__)


def confirm(reader: JournalReader, registered: int) -> int:
    """Move the journal's cursor; returns the batches that have landed and are not registered.

    Never beyond what has landed: where an older copy of the journal was put back, the same offsets stand
    for other readings, and those are nowhere yet.
    """
    landed, known = reader.cursor(LAKE), reader.cursor(REGISTERED)
    registered = min(registered, landed)
    if registered > known:
        reader.move_cursor(REGISTERED, registered, required=False)
    return landed - max(registered, known)


def ask(reader: JournalReader, store: Store) -> int:
    """Learn from the receipt what a registrar elsewhere has registered; returns like ``confirm``."""
    landed = reader.cursor(LAKE)
    if landed == reader.cursor(REGISTERED):
        return 0
    return confirm(reader, read_receipt(store, reader.site, reader.journal_id))


class Receipts:
    """Writes receipts, each when it changes; used by one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: dict[str, int] = {}

    def tell(self, marks: Mapping[str, int], *, but: tuple[str, str] | None) -> None:
        """Bring receipts up to the table's watermarks, except that of the journal on this machine."""
        own = watermark_key(*but) if but is not None else ""
        for key, mark in marks.items():
            if key != own and self._known(key) < mark:
                write_receipt(self._store, *parse_watermark_key(key), mark)
                self._told[key] = mark

    def _known(self, key: str) -> int:
        """What the site was told before; of all sites a start writes to those alone that lack something."""
        known = self._told.get(key)
        if known is None:
            known = self._told[key] = self._read(key)
        return known

    def _read(self, key: str) -> int:
        try:
            return read_receipt(self._store, *parse_watermark_key(key))
        except LakeUnavailable:
            raise
        except LakeError as error:
            log.warning("%s; written again", error)
            return 0
