"""The buffer: what stands in it, and what is promised about it.

Two files. ``<buffer>-log`` takes small commits (``headrace.buffer_log`` describes it, and why);
``<buffer>`` is one SQLite database in WAL mode that takes the rest of the log when it is full, large
commits, and everything at a clean stop. A commit is one record, or one transaction:

- A batch, the counter ``sampled``, and the checkpoint of the input that it came from belong together.
  After a kill at any moment an input goes on exactly behind the last reading that is in the buffer.
- At any moment: sampled = acknowledged + buffered + sum of dropped. Acknowledged is not stored, it
  is what is sampled and neither dropped nor there.

Commits of readings are on disk before the call returns. Deletions after an ack are not: losing one
to a power cut means that a batch is sent again and deduplicated, so the SD card is spared them. Of
batches in the log they ride with the next record; of batches in SQLite they are transactions
without an fsync. ``secure_delete`` is off for the same reason.

Tables (readable with plain sqlite3 while the agent runs; ``headrace.buffer_stats`` reads both files)::

    meta         key, value      version, device, stream (16 hex digits), next_seq,
                                 log (id of the log), lsn (its last record that is in here)
    counters     name, value     sampled, dropped:<reason> (readings); written:bytes, written:ms and
                                 written:readings (what the process wrote, in which time, for how many)
    checkpoints  input, value    where an input goes on after a restart
    batches      first_seq       primary key; rows follow in seq without holes
                 last_seq, rows
                 sealed_at       microseconds since 1970 UTC, device clock
                 boot, clock, units, has_text      the batch's header (units as JSON)
                 crc             CRC-32 of payload: SQLite does not check its pages
                 payload         as it goes on the wire

A hole between two batches is what was dropped when the buffer was full: readings that are refused,
dropped or thinned out use up their numbers, so that the gateway can name the gap.

A file of version 1 (no log, ``acknowledged`` as a counter) is taken over as it is.

A buffer that is damaged is moved aside to ``<name>.corrupt-<time>`` with WAL and log, and a new file
with a new stream is started: sequence numbers of the old stream are never used again.
"""

from __future__ import annotations

from typing import Final, Literal

from headrace.limits.sizes import MIB

FORMAT_VERSION: Final = 2

#: What makes room when the budget is used up; ``room`` says what each does.
WhenFull = Literal["refuse_new", "drop_oldest", "thin_out"]

#: Milliseconds to wait for another process's lock: only ``edge-agent buffer`` commands read along.
BUSY_TIMEOUT_MS: Final = 10_000

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoints (input TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (
    first_seq INTEGER PRIMARY KEY,
    last_seq INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    sealed_at INTEGER NOT NULL,
    boot TEXT NOT NULL,
    clock TEXT NOT NULL,
    units TEXT NOT NULL,
    has_text INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    payload BLOB NOT NULL
);
"""

PRAGMAS: Final = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = OFF",
    f"PRAGMA journal_size_limit = {16 * MIB}",
    # 2 MiB of pages per connection: the working set is the tail, and memory is short on a device.
    "PRAGMA cache_size = -2048",
)

SET_META: Final = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
SET_COUNTER: Final = "INSERT OR REPLACE INTO counters VALUES (?, ?)"
SET_CHECKPOINT: Final = "INSERT OR REPLACE INTO checkpoints VALUES (?, ?)"
INSERT_BATCH: Final = "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
IN_RANGE: Final = "FROM batches WHERE first_seq BETWEEN ? AND ? AND last_seq <= ?"
READ_BATCHES: Final = (
    "SELECT first_seq, last_seq, rows, sealed_at, boot, clock, units, has_text, crc, payload "
    "FROM batches WHERE first_seq > ? ORDER BY first_seq"
)
