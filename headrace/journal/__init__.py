"""The gateway journal's file format, and how other programs read it.

One SQLite database in WAL mode. The gateway is its only writer (``gateway/journal/``); cloud_sync
moves its own cursor; everybody else opens it read-only. Invariants:

- ``offset`` counts up and is never used twice, also after rows were pruned (AUTOINCREMENT).
- A row's payload holds exactly the readings ``first_seq..last_seq`` of (device, stream).
- A row, the range set that remembers it, and the results of consumers that go with it are written in
  one transaction: dedup survives everything that the rows survive.
- ``ranges`` outlive the rows: pruning never forgets what has been seen.
- A consumer's cursor is the last offset that it is done with; required ones hold rows in the file.
- ``meta.journal`` is a random id made with the file. Offsets mean nothing without it: the lake keeps
  its watermark per (site, journal), so a journal that was replaced cannot be mistaken for the old one.

SQLite's own page checksums do not exist, so each row carries the CRC-32 of its payload, checked
whenever a payload is read from the file. What does not hold is passed over, in its place and with a
name (``headrace/damage.py``), and remembered in the quarantine as ``damaged``.

Reading order:

- ``schema``    the tables
- ``rows``      one batch as readers see it
- ``kept``      which landed rows stay for a while; ``lost``: which devices are to send again
- ``file``      the file, opened beside its writer
- ``batches``, ``cursors``, ``contents``   what can be asked
- ``reader``    all of it in one
"""

from headrace.journal.cursors import ACKS, LAKE, REGISTERED
from headrace.journal.reader import JournalReader
from headrace.journal.rows import DAMAGED, JournalRow, describe_damage
from headrace.journal.schema import FILE_NAME

__all__ = [
    "ACKS",
    "DAMAGED",
    "FILE_NAME",
    "LAKE",
    "REGISTERED",
    "JournalReader",
    "JournalRow",
    "describe_damage",
]
