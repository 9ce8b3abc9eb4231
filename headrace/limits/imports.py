"""Import jobs: what is in memory and on disk at once, and how other systems are asked."""

from __future__ import annotations

from typing import Final

from headrace.limits.sizes import KIB, MIB

#: Readings that a source hands over at once: one transaction of the spool. 100,000 are 4 MB of columns,
#: and what a kill makes the job read again.
IMPORT_CHUNK_ROWS: Final = 100_000

#: Readings of one batch of the spool; with texts fewer, so that a batch stays below what decodes.
IMPORT_BATCH_ROWS: Final = 100_000
IMPORT_BATCH_TEXT_BYTES: Final = 4 * MIB

#: Bytes of a CSV file that are read at once.
IMPORT_CSV_BLOCK_BYTES: Final = 4 * MIB

#: Columns of a file, and keys of a page's records; each costs a handful of Arrow calls a chunk. It is also what tells
#: a table from a file that is none.
IMPORT_MAX_COLUMNS: Final = 10_000

#: Objects in objects of a JSON record.
IMPORT_MAX_DEPTH: Final = 64

#: Bytes of a file that are looked at to find out how it is written, and rows that are shown.
SNIFF_BYTES: Final = 256 * KIB
SNIFF_ROWS: Final = 5
#: Characters of a line that are looked at: Python's csv takes cells of 131,072.
SNIFF_LINE_CHARS: Final = 100_000

#: Bytes of one answer of an HTTP API. An answer is in memory as text and as columns.
HTTP_ANSWER_BYTES: Final = 64 * MIB

#: Seconds for a connection and for an answer: exports of a day begin late.
HTTP_CONNECT_S: Final = 10.0
HTTP_READ_S: Final = 120.0

#: Tries of one request, and the longest pause between two: half an hour in all, more than a restart of
#: the other side and than an hourly quota that is nearly over. After it the job ends and can be resumed.
HTTP_TRIES: Final = 8
HTTP_PAUSE_FIRST_S: Final = 1.0
HTTP_PAUSE_MAX_S: Final = 600.0

#: Rows that InfluxDB is asked for at once; the server holds them in memory too.
INFLUXDB_PAGE_ROWS: Final = 20_000
#: Rows at one single time that a page may grow to: series of one measurement that are written together.
INFLUXDB_MAX_PAGE_ROWS: Final = 640_000

#: Bytes and lines of an export that are taken at once: events of some kB each.
EXPORT_CHUNK_BYTES: Final = 8 * MIB
EXPORT_CHUNK_LINES: Final = 20_000

#: Rows of a GA4 report that one request may ask for, as its documentation says.
GA4_PAGE_ROWS: Final = 100_000
