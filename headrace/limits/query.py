"""Asking: of one statement, whoever asks it, and of the endpoint."""

from __future__ import annotations

from typing import Final

from headrace.limits.sizes import KIB, MIB

#: Readings of the journal's tail that a query decodes into memory: about 60 bytes each. A tail that
#: is longer belongs landed.
QUERY_TAIL_MAX_ROWS: Final = 20_000_000
QUERY_TAIL_MAX_BYTES: Final = 512 * MIB

#: Rows of one batch of a query's result: what is in memory at once while it is printed.
QUERY_BATCH_ROWS: Final = 65_536

#: Rows of a query result printed as a table; csv, json and arrow are not cut.
QUERY_TABLE_MAX_ROWS: Final = 1_000

#: Characters of a statement: those that people and dashboards write have less than 10,000.
QUERY_MAX_CHARS: Final = 100_000

#: Memory of DuckDB while it looks ahead over empty tables: constants are folded then.
PLANNER_MEMORY: Final = "256MB"

#: Of the endpoint (``[serve]``): questions that run at once, each in a process of 220 MB before it is
#: asked; seconds, rows and memory of one. A dashboard's question takes a tenth of a second; who wants more
#: than 10 million rows is better off with the files.
SERVE_MAX_QUERIES: Final = 2
SERVE_MAX_SECONDS: Final = 30.0
SERVE_MAX_ROWS: Final = 10_000_000
SERVE_MAX_MEMORY_MB: Final = 1_024

#: Megabytes of temporary files of one question: sorting ten million rows needs about one gigabyte.
SERVE_SPILL_MB: Final = 4_096

#: Memory of a worker beside DuckDB's: Arrow batches on their way, the journal's tail, Parquet metadata.
WORKER_OWN_MEMORY_MB: Final = 768

#: Bytes of one piece of an answer between worker and server, and what is held back before the first goes
#: out: until then an error has a status of its own.
SERVE_FRAME_BYTES: Final = 256 * KIB

#: Bytes of a request's body: a statement and its parameters.
SERVE_MAX_BODY_BYTES: Final = 1 * MIB

#: Questions that wait while all workers are busy, and how long, before they are told 503.
SERVE_MAX_WAITING: Final = 100
SERVE_WAIT_S: Final = 10.0

#: Seconds that a worker has to hear that its time is over, before it is killed; and that a reader who
#: takes an answer slowly has for all of it.
SERVE_STOP_S: Final = 3.0
SERVE_SEND_S: Final = 300.0

#: Seconds that a reader may take nothing of an answer: a worker waits with it, and others wait for the worker.
SERVE_STALL_S: Final = 30.0

#: Seconds for a request's body.
SERVE_BODY_S: Final = 30.0

#: Values of one list as a parameter: each becomes a node of the statement's tree, of a kilobyte.
QUERY_MAX_LIST: Final = 10_000

#: Seconds that a worker may take to start: it loads DuckDB, Arrow and Iceberg.
WORKER_START_S: Final = 60.0

#: Seconds until a worker's question that goes on after it was interrupted is interrupted again.
WORKER_INTERRUPT_S: Final = 0.1

#: Connections at once.
SERVE_MAX_CONNECTIONS: Final = 200

#: Bytes of the token file: 10,000 tokens of 100 characters.
SERVE_MAX_TOKENS_BYTES: Final = 1 * MIB
