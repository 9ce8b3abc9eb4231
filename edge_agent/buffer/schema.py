"""The buffer file: what stands in it, and what is promised about it.

One SQLite database in WAL mode. Everything that belongs together changes in one transaction:

- A batch, its counter ``sampled``, and the checkpoint of the input that it came from. After a kill
  at any moment an input goes on exactly behind the last reading that is in the file.
- The deletion of a batch and its counter ``acknowledged``.
- So at any moment: sampled = acknowledged + buffered + sum of dropped.

Commits of readings are ``synchronous=FULL`` (fsync before the call returns). Commits of deletions
are ``NORMAL``: losing one to a power cut means that a batch is sent again and deduplicated, so the
SD card is spared an fsync per ack. ``secure_delete`` is off for the same reason.

Tables (readable with plain sqlite3 while the agent runs; ``headrace.buffer_stats`` does)::

    meta         key, value      version, device, stream (16 hex digits), next_seq
    counters     name, value     sampled, acknowledged, dropped:<reason>  (readings)
    checkpoints  input, value    where an input goes on after a restart
    batches      first_seq       primary key; rows follow in seq without holes
                 last_seq, rows
                 sealed_at       microseconds since 1970 UTC, device clock
                 boot, clock, units, has_text      the batch's header (units as JSON)
                 crc             CRC-32 of payload: SQLite does not check its pages
                 payload         as it goes on the wire

A hole between two batches is what was dropped when the buffer was full: readings that are refused
use up their numbers, so that the gateway can name the gap.

A file that is damaged is moved aside to ``<name>.corrupt-<time>`` with its WAL, and a new file with
a new stream is started: sequence numbers of the old stream are never used again.
"""

from __future__ import annotations

from typing import Final

from headrace.limits import MIB

FORMAT_VERSION: Final = 1
DROPPED_PREFIX: Final = "dropped:"

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

ADD_TO_COUNTER: Final = "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value"
SET_META: Final = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
SET_CHECKPOINT: Final = "INSERT OR REPLACE INTO checkpoints VALUES (?, ?)"
INSERT_BATCH: Final = "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
READ_BATCHES: Final = (
    "SELECT first_seq, last_seq, rows, sealed_at, boot, clock, units, has_text, crc, payload "
    "FROM batches WHERE first_seq > ? ORDER BY first_seq"
)
