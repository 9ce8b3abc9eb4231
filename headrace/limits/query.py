"""Asking: of one statement, whoever asks it, and of the endpoint."""

from __future__ import annotations

from typing import Final

from headrace.limits.sizes import MIB

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
