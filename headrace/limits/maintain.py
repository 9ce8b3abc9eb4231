"""Maintenance of the lake: compaction, expiry, removal, retention."""

from __future__ import annotations

from typing import Final

from headrace.limits.sizes import MIB

#: Seconds between two rounds (``maintain.interval_s``). A round with nothing to do reads the tables'
#: metadata and no data.
INTERVAL_S: Final = 3_600.0

#: Bytes of a compacted file (``maintain.target_bytes``): some 80 million readings. Smaller ones cost a
#: request each, larger ones are no faster to read and take longer to lose.
TARGET_BYTES: Final = 256 * MIB

#: Runs of files of a day that is not over which are worth one merge (``maintain.min_files``): with a
#: landing a minute, a reading is rewritten twice on its first day.
MIN_FILES: Final = 16

#: Seconds after midnight UTC until a day counts as over (``maintain.settle_s``): what comes later is late.
SETTLE_S: Final = 3_600.0

#: zstd level of days that are over (``maintain.level``), and of merges on the way there: 6 takes a tenth fewer bytes
#: than 3 for 0.05 us of CPU a reading, and levels up to 15 no fewer.
DENSE_LEVEL: Final = 19
MERGE_LEVEL: Final = 6

#: A day that is dense is rewritten for late readings when they are this part of it, not for each.
LATE_SHARE: Final = 0.1

#: Runs that one merge reads side by side, and rows of their open row groups: each run that is read holds the
#: decompressed pages of a row group, some 40 bytes a row. What is more takes one more merge.
FAN_IN: Final = 200
FAN_IN_ROWS: Final = 4_000_000

#: Bytes of decoded batches in memory, all runs of a merge together.
MERGE_BYTES: Final = 64 * MIB

#: Rows of one batch of a run: fewer cost more calls than work, more save nothing. Of long texts fewer all the same.
MERGE_MIN_ROWS: Final = 1_024
MERGE_MAX_ROWS: Final = 65_536
MERGE_MIN_BYTES: Final = MIB

#: Bytes of texts of one row group, which is in memory some three times while it is written: 262,144 log lines
#: of a kilobyte each would be 256 MiB.
ROW_GROUP_TEXT_BYTES: Final = 64 * MIB

#: Rows of a file that is not in order and is therefore sorted as a whole, about 100 bytes each. Larger
#: ones are left as they are; no lander makes them.
SORT_MAX_ROWS: Final = 4_000_000

#: Data files of a table that are remembered by the manifests that name them, some 500 bytes each: a round asks for
#: all of them before and behind each commit.
KEPT_ENTRIES: Final = 50_000

#: Times that a finished compaction is offered to the table; each takes some 50 ms while others commit.
COMMIT_TRIES: Final = 10

#: Seconds that a replaced file stays after no snapshot names it any more (``maintain.grace_s``): readers
#: that planned with an old snapshot finish.
GRACE_S: Final = 900.0

#: Seconds until what a killed compaction left behind is taken for that (``maintain.orphan_age_s``):
#: longer than any rewriting of a day takes.
ORPHAN_AGE_S: Final = 86_400.0

#: Rows that a dry run encodes of each merge to say what it would save: about a second of CPU.
ESTIMATE_ROWS: Final = 262_144

#: Seconds behind which no file comes any more to a landing that is registered: a site that was off in the middle of
#: one may be back after a week-end, or a holiday. What is older is not listed again.
LANDING_SETTLED_S: Final = 14 * 86_400.0
