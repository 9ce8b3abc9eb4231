"""The journal's one writer: a group of work becomes one transaction, or nothing happened.

The file's format and invariants are in ``headrace/journal/``. ``commit`` is all there is to it:

1. dedup against what has been seen (staged), number what has no number
2. insert batches, range changes, devices, quarantined payloads, consumers' state and cursors
3. COMMIT, which returns after the fsync (WAL, synchronous=FULL)
4. only now apply the stage in memory and say what may be acknowledged

Any failure rolls back file and memory alike, and the caller still holds the work.

Reading order:

- ``transaction``  one group on its way
- ``keys``         requests that may be repeated
- ``retention``    what is kept, and when the journal is full
- ``disk_room``    what it may take of its disk
- ``quarantine_bound``  what is kept of refused payloads
- ``writer``       the file and its one writer
"""

from gateway.journal.transaction import Committed
from gateway.journal.writer import JournalWriter

__all__ = ["Committed", "JournalWriter"]
