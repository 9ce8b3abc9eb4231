"""The batch layer: what an engine is asked for at once."""

from __future__ import annotations

from typing import Final

from headrace.limits.sizes import MIB

#: Readings that DuckDB is asked about at once: a day of more is taken in parts, device by device. At one
#: reading a second they are 130,000 groups, at one in ten seconds 1.3 million, some 250 bytes each.
DUCKDB_MAX_ROWS: Final = 8_000_000

#: The same for Spark, whose results are in the driver's memory at once: 100 bytes a row.
SPARK_MAX_ROWS: Final = 200_000_000

#: Bytes of files that one of Spark's tasks reads, where Arrow reads them: a second or two of one core. Fewer
#: where there are cores for more tasks, but not below the least: starting one takes a tenth of a second.
SPARK_SHARE_BYTES: Final = 64 * MIB
SPARK_LEAST_SHARE_BYTES: Final = 4 * MIB

#: What opening a file counts for in a share: two requests and its footer, the time of so many bytes.
SPARK_FILE_BYTES: Final = 1 * MIB

#: Rows of one batch on the way from Arrow to Spark.
SPARK_BATCH_ROWS: Final = 65_536

#: Rows of one batch of a result.
DUCKDB_BATCH_ROWS: Final = 65_536

#: Memory of DuckDB (``engines.duckdb.memory_mb``), beside some 300 MB of the process: more spills to disk.
DUCKDB_MEMORY_MB: Final = 1_024

#: Bytes of a file of a computed table before the next one begins, and its zstd level; maintenance packs denser.
COMPUTE_FILE_BYTES: Final = 128 * MIB
COMPUTE_LEVEL: Final = 3

#: Times that a region is looked at anew because another process was faster, before it is left to the next run.
COMPUTE_TRIES: Final = 3

#: Columns of a feature table: series times windows and lags.
FEATURE_MAX_COLUMNS: Final = 1_000
#: Steps that a window or a lag may reach back: a week of minutes, read again with each day.
FEATURE_MAX_STEPS: Final = 10_080
