"""The agent: buffer, uplink, memory."""

from __future__ import annotations

from typing import Final

from headrace.limits.sizes import GIB, KIB, MIB

#: Seconds of readings that a power cut may cost the device (``buffer.loss_window_s``). One commit a
#: second is what an SD card stands for years; 0 commits every reading.
LOSS_WINDOW_S: Final = 1.0

#: Bytes of the commit log beside the buffer file: a quarter of an hour of 1 kB commits a second, so
#: that acknowledged readings die there, and little enough to hold in memory and to read at start.
BUFFER_LOG_BYTES: Final = 1 * MIB

#: Bytes of payloads that one commit may put into the log; larger ones are cheap in SQLite, whose
#: pages they fill.
BUFFER_LOG_COMMIT_BYTES: Final = 16 * KIB

#: Bytes of the first record that the others are compressed with: more than a second of a busy device.
BUFFER_LOG_DICTIONARY_BYTES: Final = 64 * KIB

#: Seconds beyond the loss window after which acks are written by themselves, when no commit comes that
#: could carry them.
ACK_SETTLE_S: Final = 2.0

#: Seconds without a round of the uplink or the sealer after which systemd's watchdog is no longer
#: fed. Both wait a minute at most; an SD card may take seconds for an fsync.
THREAD_STALL_S: Final = 120.0

#: Batches that one step drops or thins out to make room in a full buffer, and steps of one commit:
#: bounded work in the path of a live input, and more than the log can bring at once.
BUFFER_ROOM_STEP_BATCHES: Final = 64
BUFFER_ROOM_STEPS: Final = 8

#: Bytes of the disk that the buffer leaves free: to forget what was acknowledged takes pages of SQLite's
#: write-ahead log (4 MiB before it is emptied) and a fold of the commit log. On a disk without them the
#: buffer could never become smaller again.
BUFFER_DISK_RESERVE_BYTES: Final = 8 * MIB

#: Bytes of the agent's buffer file (``buffer.max_bytes``): about 200 million numeric readings, and a
#: share of a 16 GB SD card that leaves room for the system.
BUFFER_MAX_BYTES: Final = 1 * GIB

#: Batches that may be unacknowledged at once (``uplink.window_batches``). At 20 ms round trip 32
#: batches of 10,000 rows keep 16 M readings/s in flight, more than any link carries.
UPLINK_WINDOW_BATCHES: Final = 32

#: Bytes that may be unacknowledged at once: what the agent may hold in memory for the broker.
UPLINK_WINDOW_BYTES: Final = 4 * MIB

#: Seconds without an ack before a batch is sent again (``uplink.ack_timeout_s``). A gateway that is
#: busy with a backlog answers within seconds; half a minute is a lost message.
UPLINK_ACK_TIMEOUT_S: Final = 30.0

#: First and longest pause between two attempts to connect or resend. Full jitter between them keeps
#: a thousand devices from coming back in the same second.
RETRY_FIRST_S: Final = 0.5
RETRY_MAX_S: Final = 60.0

#: Share of the buffer that inputs which can wait (a file) may fill; the rest is for live readings.
BUFFER_WAITING_SHARE: Final = 0.75

#: Seconds that a small message may be held back while others are unacknowledged, so that a busy
#: device sends few large messages; a device with nothing in flight sends at once.
UPLINK_HOLD_S: Final = 0.1

#: Events waiting between the MQTT client's thread and the uplink's. More than a window of acks.
UPLINK_MAX_EVENTS: Final = 10_000

#: Seconds between two publications of the device's state (``uplink.state_interval_s``).
STATE_INTERVAL_S: Final = 10.0

#: Seconds that an agent which is told to stop tries to hand over the rest (``uplink.stop_timeout_s``).
STOP_TIMEOUT_S: Final = 5.0

#: Bytes of a buffer file up to which it is checked as a whole at start; an SD card reads 20 MB/s.
BUFFER_CHECK_MAX_BYTES: Final = 256 * MIB
