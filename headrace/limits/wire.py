"""A batch on the wire, and what decoding it may cost."""

from __future__ import annotations

from typing import Final

from headrace.limits.sizes import KIB, MIB

#: Rows in one batch. The cost is per message, so large is fast; 10,000 rows are about 60 kB on the
#: wire and 200 kB in memory: nothing for a Pi, and small enough that a resend is cheap.
MAX_BATCH_ROWS: Final = 10_000

#: Rows that a gateway accepts in one batch, whoever sends it. Above the agent's own bound, so that
#: other senders may choose; a million rows decode into about 40 MB.
MAX_PAYLOAD_ROWS: Final = 1_000_000

#: Names that batches cut out of one set of columns may share; beyond it each gets a list of its own,
#: because readers go through a batch's names one by one.
MAX_SHARED_NAMES: Final = 32

#: Bytes of one payload as it arrives. Larger than any honest batch, small next to a gateway's RAM.
MAX_PAYLOAD_BYTES: Final = 8 * MIB

#: Bytes of one payload after decompression: what stops a decompression bomb.
MAX_DECODED_BYTES: Final = 64 * MIB

#: Records of one SenML pack. Each is an object in memory, some 400 bytes with what is made of it, and
#: a payload of 8 MiB can hold 2.8 million empty ones; honest packs have thousands.
MAX_SENML_RECORDS: Final = 200_000

#: Bytes and metrics of one Sparkplug payload: the birth of a node with 50,000 metrics. A metric is an
#: object in memory, some 150 bytes, and may take two bytes of the payload.
SPARKPLUG_MAX_PAYLOAD_BYTES: Final = 4 * MIB
SPARKPLUG_MAX_METRICS: Final = 200_000

#: Entries of one map, depth, and items in all of a CBOR payload. A SenML record has up to 15 entries; a
#: map of 100,000 keys that were chosen to collide takes hours to build. An item takes up to 100 bytes.
CBOR_MAX_MAP_ENTRIES: Final = 256
CBOR_MAX_DEPTH: Final = 16
CBOR_MAX_ITEMS: Final = 2_000_000

#: Characters of a series name. Names become tags and columns everywhere; InfluxDB allows 64 KiB,
#: Graphite-style names with a few tags stay far below 512.
MAX_NAME_CHARS: Final = 512

#: Bytes of one text value. A log line or a JSON document fits; a file belongs elsewhere.
MAX_TEXT_BYTES: Final = 64 * KIB

#: Bytes of a data set, a template, an array, bytes or the properties of a metric. It becomes a text, which
#: has a bound of its own, but first objects: one for two bytes in the worst case.
SPARKPLUG_MAX_PART_BYTES: Final = 4 * MAX_TEXT_BYTES

#: Bytes of text values that an agent puts into one batch: 16 of the longest texts. With the rows
#: above, far below what a gateway accepts.
MAX_BATCH_TEXT_BYTES: Final = 4 * MIB

#: Ranges in one ack. A resend after a long outage may acknowledge many holes; more go in a second ack.
MAX_ACK_RANGES: Final = 1_000

#: Ranges kept per (device, stream) in the gateway. Each is a hole in what a device sent; a device
#: that is honest has a handful, and 10,000 cost about 2 MB.
MAX_RANGES_PER_STREAM: Final = 10_000
