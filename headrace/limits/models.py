"""Models in their repository: publishing, signing, training."""

from __future__ import annotations

from typing import Final

from headrace.limits.sizes import MIB

#: Bytes of one file of a model: a Pi can hold this. The shipped graph has 4 kB, a forest of 50 trees
#: 0.5 MB.
MODEL_MAX_FILE_BYTES: Final = 64 * MIB

#: Rows of golden vectors: enough to see a wrong operator, few enough to run at every start.
MODEL_GOLDEN_MAX_ROWS: Final = 1_000

#: Promotions that a repository remembers; beyond it the oldest that no longer decides anything goes.
MODEL_MAX_PROMOTIONS: Final = 1_000

#: Seconds to reach a model repository, to wait for the next bytes, and for one file in all: 64 MiB
#: on a line of 1 Mbit/s.
MODEL_CONNECT_TIMEOUT_S: Final = 10.0
MODEL_READ_TIMEOUT_S: Final = 30.0
MODEL_DOWNLOAD_TIMEOUT_S: Final = 600.0

#: Bytes of the repository's metadata, as clients read and publishers write them. 5 MB of targets are
#: some 7,000 versions of models.
MODEL_MAX_METADATA_BYTES: Final = {
    "root": 512_000,
    "timestamp": 16_384,
    "snapshot": 2_000_000,
    "targets": 5_000_000,
}

#: Days that signatures hold. A root is renewed by people with keys from a safe; targets are signed
#: again with every publication; snapshot and timestamp by a job, and a site that was off line for
#: five months must still find them valid when it comes back.
MODEL_ROOT_DAYS: Final = 3 * 365
MODEL_TARGETS_DAYS: Final = 365
MODEL_ONLINE_DAYS: Final = 183

#: Readings that one training takes into memory, about 40 bytes each.
TRAIN_MAX_READINGS: Final = 50_000_000
