"""From arrival to commit: inbox, limits of devices, group commit, journal."""

from __future__ import annotations

from typing import Final

from headrace.limits.sizes import GIB, KIB, MIB

#: Streams that the gateway remembers of one device, and of all, some 500 bytes each. A buffer has one for
#: life; a device that begins a new one at each start may do so for years, and one that does with every
#: message must not fill the memory.
MAX_STREAMS_PER_DEVICE: Final = 20_000
SITE_MAX_STREAMS: Final = 300_000

#: Batches waiting between broker and journal. Small: what waits here is not acknowledged yet.
ARRIVALS_MAX_BATCHES: Final = 10_000

#: Bytes waiting between broker and journal: with the count above, the ingest's memory bound.
ARRIVALS_MAX_BYTES: Final = 64 * MIB

#: Batches and bytes of one group commit. An fsync costs about 0.3–5 ms whatever it carries; 16 MiB
#: are some 3 million readings, and the ack of the first is not held up for long. The more small
#: payloads come together, the more of them share a row: 8,000 instead of 2,000 took a third of the CPU
#: from 1,000 devices that send reading by reading.
COMMIT_MAX_BATCHES: Final = 8_000
COMMIT_MAX_BYTES: Final = 16 * MIB

#: What one device may send (``limits.readings_per_s``, ``limits.bytes_per_s``), and for how many seconds
#: it may save up what it did not use. More than one agent sends at full speed: a backlog is worked off
#: as fast as the machine can, and who has a device that must not, writes a number for it.
DEVICE_READINGS_PER_S: Final = 5_000_000.0
DEVICE_BYTES_PER_S: Final = 64.0 * MIB
DEVICE_BURST_S: Final = 10.0

#: Different series of one device since the gateway's start (``limits.max_series``), and of all devices
#: (100 bytes each here, and a column or a label in everything behind).
DEVICE_MAX_SERIES: Final = 10_000
SITE_MAX_SERIES: Final = 1_000_000

#: Devices whose use is followed, 300 bytes each and 80 a series; beyond it the one that was seen first
#: begins anew.
LIMITS_MAX_DEVICES: Final = 20_000

#: Devices that are a metric's label of their own; the others are counted together. And devices with
#: gaps, or with a clock that is off, that are shown: who has more looks at the API.
MAX_DEVICE_LABELS: Final = 100
MAX_DEVICE_GAUGES: Final = 1_000

#: Seconds from which a device's clock counts as off: less is the way here.
CLOCK_OFFSET_S: Final = 2.0

#: What of one device waits here while it is over its limit: an agent's window; and of all devices, half
#: of the inbox, so that the others find room.
DEVICE_WAITING_BATCHES: Final = 1_000
DEVICE_WAITING_BYTES: Final = 4 * MIB
WAITING_BATCHES: Final = ARRIVALS_MAX_BATCHES // 2
WAITING_BYTES: Final = ARRIVALS_MAX_BYTES // 2

#: Bytes that a device may take from the inbox before it is the next one's turn, and what a message
#: costs beside its bytes: 100 messages of one reading, or one batch of 10,000.
FAIR_TURN_BYTES: Final = 64 * KIB
FAIR_MESSAGE_BYTES: Final = 512

#: Bytes of decoded readings that wait for one commit. A compressed payload may decode to a hundred times
#: its size, and a group has 2,000 payloads: what is more goes into a commit of its own.
GROUP_MAX_DECODED_BYTES: Final = 128 * MIB

#: Bytes of a payload that is put into one batch with others of its device: a few readings. Larger ones
#: are worth a row of the journal each.
GATHER_MAX_PAYLOAD_BYTES: Final = 2 * KIB

#: Bytes of payloads in one such batch, well below a payload's own bound: readers decode it as one.
GATHER_MAX_BYTES: Final = 1 * MIB

#: Bytes of the journal (``journal.max_bytes``). With required sinks behind and the budget used up
#: the gateway stops acknowledging: the devices hold the rest.
JOURNAL_MAX_BYTES: Final = 8 * GIB

#: Bytes of its disk that the journal leaves free, and at most this share of it: a write-ahead log of the usual size
#: with the largest group commit in it, several times over. Without them nothing could be forgotten.
JOURNAL_DISK_RESERVE_BYTES: Final = 64 * MIB
JOURNAL_DISK_RESERVE_SHARE: Final = 1 / 8

#: Seconds between two looks at how far the lake is, where acks wait for it, and batches that are
#: acknowledged in one step: their identities are in memory.
ACKS_LOOK_S: Final = 0.2
ACKS_STEP_BATCHES: Final = 20_000

#: Bytes of payloads in quarantine with what is said of them, and payloads: more than people look through, and no
#: more than a look at all of them takes a moment. Beyond it the oldest make room, counted, down to this share.
QUARANTINE_MAX_BYTES: Final = 256 * MIB
QUARANTINE_MAX_ROWS: Final = 100_000
QUARANTINE_KEEP_SHARE: Final = 0.9
