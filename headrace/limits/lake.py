"""Landing, registering."""

from __future__ import annotations

from typing import Final

from headrace.limits.sizes import MIB

#: Rows and journal bytes that one landing takes. 1 million rows are about 0.2 s of work on one core, a
#: file of 4 MB and 370 MB of memory in all, the next million decoded included; twice as many took 600 MB
#: and a tenth more CPU. What is behind goes into the next.
LANDING_MAX_ROWS: Final = 1_000_000
LANDING_MAX_BYTES: Final = 64 * MIB

#: Bytes that the payloads of one landing may unpack to: a payload of 8 KiB can hold 64 MiB of texts, and a landing
#: has three ranges in memory, each twice. A million numbers unpack to 20 MiB.
LANDING_MAX_UNPACKED_BYTES: Final = 256 * MIB

#: What a registrar takes from a site. A manifest says a range for each stream of a landing: 64 MiB of journal hold
#: half a million devices at most, 130 bytes each. Files: what the largest ``landing.max_rows`` and
#: ``landing.max_bytes`` make, and their rows as columns, which is what must fit into memory to leave some of them
#: out. A footer takes 1 kB for each column of a row group.
MANIFEST_MAX_BYTES: Final = 128 * MIB
LANDED_FILE_MAX_BYTES: Final = 2048 * MIB
LANDED_FILE_MAX_ROWS: Final = 100_000_000
LANDED_FILE_MAX_UNPACKED_BYTES: Final = 4096 * MIB
FOOTER_MAX_BYTES: Final = 16 * MIB

#: What the journal keeps of rows that have landed (``landing.keep_s``, ``landing.keep_bytes``), to make a
#: damaged object again: a day, in which somebody looks, and 512 MiB, which are 100 million readings.
KEEP_LANDED_S: Final = 86_400.0
KEEP_LANDED_BYTES: Final = 512 * MIB

#: They are let go in steps of that much: 100 steps of 30 bytes, written down with each landing.
KEPT_STEP_S: Final = 900
KEPT_STEP_BYTES: Final = 16 * MIB

#: Part of the journal's budget up to which landed rows are kept.
KEEP_LANDED_SHARE: Final = 0.5

#: How often a site is asked for a landing that stays damaged, before it is given up.
RESEND_MAX_ATTEMPTS: Final = 3

#: Seconds between two landings when little arrives (``landing.interval_s``): small files are the
#: plague of lakes, so outside a demo a site lands once a minute.
LANDING_INTERVAL_S: Final = 60.0

#: Seconds between two registrations (``register.interval_s``): each is a commit and a snapshot.
REGISTER_INTERVAL_S: Final = 60.0

#: Manifests that one registration commits together.
REGISTER_MAX_MANIFESTS: Final = 100

#: Commits of one pass that another writer was faster than, each of which is tried again at once: a compaction
#: commits once in seconds, so one is usual and more than this is a registrar that is always faster.
REGISTER_MAX_CONFLICTS: Final = 5

#: Manifests whose identities are added to a journal's ledger together: at one landing a minute every four
#: hours, some 100 kB for 2,000 streams. So many at most are read again when another journal needs them.
LEDGER_EVERY_MANIFESTS: Final = 256

#: Streams of lost journals that a registrar keeps in memory, 500 bytes each; beyond it ledgers are read again.
LEDGER_MAX_STREAMS: Final = 200_000

#: Rows of a row group in a data file: a query for one series of many reads a few of them, and each
#: costs about 1 kB of statistics.
PARQUET_ROW_GROUP_ROWS: Final = 262_144

#: zstd level of landed files: twice as good as 1 on what sensors send, for the same CPU. Compaction has
#: its own (``maintain.level``).
PARQUET_LANDING_LEVEL: Final = 3

#: Rows up to which a landing is small, and its level: 0.7 us of CPU a reading instead of 0.1, at most 50 ms a landing,
#: for 9 % fewer bytes. What is behind comes in landings of a million, for which this would be too dear.
PARQUET_SMALL_ROWS: Final = 65_536
PARQUET_SMALL_LEVEL: Final = 15

#: Bytes of a page before compression: a row group of any number column fits (``cloud_sync.landing.encoding``).
PARQUET_PAGE_BYTES: Final = 8 * MIB

#: Times that are encoded in two ways to see which is smaller: 1 ms of CPU a file, 5 ms at the level of small ones.
PARQUET_SAMPLE_ROWS: Final = 16_384

#: zstd's level of such a trial, where the file's is not lower. Differences of arrivals shrink to a fifth above level 9
#: and not at all below it; 19 would choose the same for three times the CPU.
PARQUET_TRIAL_LEVEL: Final = 15

#: Snapshots that the Iceberg table keeps (``register.keep_snapshots``): an hour of time travel at one
#: registration a minute; each costs about 1 kB in the table's metadata, which every commit rewrites.
KEEP_SNAPSHOTS: Final = 60

#: Objects above the first size go up in parts of the second, so that an upload that was cut goes on where
#: it was: 8 MiB are 6 s on a line of 12 Mbit/s. S3 takes no parts below 5 MiB but the last.
UPLOAD_WHOLE_MAX_BYTES: Final = 16 * MIB
UPLOAD_PART_BYTES: Final = 8 * MIB

#: Uploads that nobody has finished after this time are aborted: a site that is cut off for a week-end
#: still finds its parts.
UPLOAD_ABANDONED_S: Final = 7 * 86_400.0

#: Seconds to reach an object store, and for one request to it. An upload of 30 MB takes 20 s on a
#: line of 12 Mbit/s.
STORE_CONNECT_TIMEOUT_S: Final = 5.0
STORE_READ_TIMEOUT_S: Final = 60.0

#: Seconds that a client library may try again by itself: the journal waits longer than any of them, and
#: a retry of ours is counted and said.
STORE_RETRY_S: Final = 5.0

#: Payloads and bytes of one raw file: both are in memory while it is written, some 70 MB.
RAW_FILE_PAYLOADS: Final = 50_000
RAW_FILE_BYTES: Final = 32 * MIB

#: Payloads of a row group, and those that a replay takes at once.
RAW_ROW_GROUP_PAYLOADS: Final = 5_000
RAW_READ_PAYLOADS: Final = 500

#: Seconds between two keepings (``raw.interval_s``): each is a file and, in a cloud, a request that costs.
RAW_INTERVAL_S: Final = 300.0

#: Readings that a replay makes at once, and raw files of one commit.
REPLAY_MAX_ROWS: Final = 1_000_000
REPLAY_COMMIT_FILES: Final = 50

#: Differences that a replay names; their number is told in any case.
REPLAY_MAX_DIFFERENCES: Final = 20

#: Seconds between two looks at what was registered since, for the newest reading of each series: a
#: query reads what landed in between itself, some five files; and manifests that one look merges at a time.
LATEST_INTERVAL_S: Final = 300.0
LATEST_FOLD_MANIFESTS: Final = 20
