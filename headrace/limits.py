"""Every bound of the system, its default and the reason for it.

Nothing in Headrace grows without a bound (rule 5 of docs/design.md), and the bounds stand here and
nowhere else. Configuration may lower or raise those that a key refers to; the others are fixed.
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB

# --- a batch on the wire -------------------------------------------------------------------------

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

#: Streams that the gateway remembers of one device, and of all, some 500 bytes each. A buffer has one for
#: life; a device that begins a new one at each start may do so for years, and one that does with every
#: message must not fill the memory.
MAX_STREAMS_PER_DEVICE: Final = 20_000
SITE_MAX_STREAMS: Final = 300_000

# --- the agent ------------------------------------------------------------------------------------

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

#: Inputs that may run at the same time in one agent: threads of the scheduler's pool.
INPUT_WORKERS: Final = 8

#: Readings that one poll of one input may produce before it is refused as a runaway plugin.
MAX_POLL_ROWS: Final = 100_000

#: Different series that one input may produce in its life: names made from data (a time, an id) are
#: a mistake that would fill every table behind it.
MAX_SERIES_PER_INPUT: Final = 10_000

#: Series of one input whose failure is said in the log, each once; beyond it failures are counted only.
INPUT_MAX_COMPLAINTS: Final = 1_000

#: Depth and leaves of a JSON document that an input takes apart. Zigbee2MQTT and Tasmota stay below 6
#: and 100; a bridge's list of all devices is not a reading.
JSON_MAX_DEPTH: Final = 8
JSON_MAX_VALUES: Final = 1_000

#: Sensor channels that one input follows under /sys; a server board has about 200.
SYSFS_MAX_CHANNELS: Final = 1_000

#: Seconds between two looks for sensors that came or went; looking costs about 1 ms.
SYSFS_RESCAN_S: Final = 60.0

#: Messages and bytes that wait between a local broker and the poll that takes them: minutes of a
#: house full of sensors. What comes on top is dropped, counted.
MQTT_INPUT_MAX_WAITING: Final = 10_000
MQTT_INPUT_MAX_WAITING_BYTES: Final = 4 * MIB

#: Bytes of one message of a local broker; sensors send hundreds.
MQTT_INPUT_MAX_PAYLOAD_BYTES: Final = 64 * KIB

#: Bytes that a command of the exec input may print (``exec.max_bytes``) before it is ended.
EXEC_MAX_OUTPUT_BYTES: Final = 1 * MIB

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

# --- the gateway ----------------------------------------------------------------------------------

#: Sparkplug nodes, and metrics of all their births together: a large plant. A metric takes some 300
#: bytes of memory. A node beyond it is not understood where it gives aliases, and ends in quarantine.
SPARKPLUG_MAX_NODES: Final = 2_000
SPARKPLUG_MAX_KNOWN: Final = 500_000

#: Seconds between two requests for a node's birth. A birth may be 4 MiB; a node that cannot be reborn
#: must not be asked with every value that it sends.
SPARKPLUG_REBIRTH_S: Final = 5.0

#: What waits for a node's birth: a second of a busy node, and no longer than two requests take.
SPARKPLUG_HOLD_MESSAGES: Final = 1_000
SPARKPLUG_HOLD_BYTES: Final = 4 * MIB
SPARKPLUG_HOLD_S: Final = 12.0

#: Seconds between two looks at what waits.
SPARKPLUG_LOOK_S: Final = 0.5

#: Readings of one Sparkplug message that the MQTT sink writes, some 20 bytes each, and series that it gives
#: aliases to.
SPARKPLUG_SINK_ROWS: Final = 2_000
SPARKPLUG_SINK_MAX_SERIES: Final = 200_000

#: Messages that the Kafka source takes from its client at once, and KiB that the client fetches ahead for
#: each partition: a second of a busy topic.
KAFKA_SOURCE_CHUNK_MESSAGES: Final = 500
KAFKA_SOURCE_FETCH_KIB: Final = 16 * KIB

#: Seconds between two commits of offsets: what comes again after a crash is known, so it costs time only.
KAFKA_SOURCE_COMMIT_S: Final = 1.0

#: Seconds that a source which loses partitions, or stops, waits for the journal to have what it took.
KAFKA_SOURCE_DRAIN_S: Final = 5.0

#: Seconds without a heartbeat after which the group gives our partitions to others, and of the heartbeat: a
#: gateway that was killed has its partitions again after so long.
KAFKA_SOURCE_SESSION_S: Final = 10.0
KAFKA_SOURCE_HEARTBEAT_S: Final = 1.0

#: Seconds for an answer about topics.
KAFKA_SOURCE_TIMEOUT_S: Final = 10.0

#: Answers (acks, nacks) that wait for an external broker, some 200 bytes each. Beyond it they are
#: dropped, counted, and the devices ask again.
BROKER_MAX_OUTGOING: Final = 50_000

#: Seconds that an external broker keeps the session of a gateway that is away: its devices' batches
#: wait there. Devices of ours hold theirs in any case.
BROKER_SESSION_EXPIRY_S: Final = 7 * 86_400

#: Bytes of one MQTT packet that is taken from an external broker. Twice a payload's bound, so that one
#: that is too large is refused with a reason instead of vanishing at the broker.
BROKER_MAX_PACKET_BYTES: Final = 2 * MAX_PAYLOAD_BYTES

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

#: Rows of committed batches kept decoded in memory for inference, rules, sinks and console.
#: 2 million rows are about 60 MB; a consumer further behind reads the journal instead.
FEED_MAX_ROWS: Final = 2_000_000
FEED_MAX_BATCHES: Final = 20_000

#: Bytes of the same, for rows with long texts.
FEED_MAX_BYTES: Final = 128 * MIB

#: Bytes of a payload that is put into one batch with others of its device: a few readings. Larger ones
#: are worth a row of the journal each.
GATHER_MAX_PAYLOAD_BYTES: Final = 2 * KIB

#: Bytes of payloads in one such batch, well below a payload's own bound: readers decode it as one.
GATHER_MAX_BYTES: Final = 1 * MIB

#: Seconds (in which the gateway ran) that an Idempotency-Key is remembered: a day, in which a device
#: whose link broke in mid-request has come back; and how many of all devices, 70 bytes of the journal's
#: file each: 115 requests/s for that day. Beyond it requests with new keys have to wait.
KEY_REMEMBERED_S: Final = 86_400
KEYS_MAX: Final = 10_000_000

#: Tokens for the HTTP ingest: one for each device of a large site; all are in memory.
HTTP_MAX_TOKENS: Final = 10_000

#: Connections of the HTTP ingest at once, and how many of them one address other than this machine's
#: may have: a device needs one, and nobody shall have all of them.
HTTP_MAX_CONNECTIONS: Final = 500
HTTP_MAX_CONNECTIONS_PER_SOURCE: Final = 200

#: Bytes of a request's line and headers; clients send less than 1 KiB.
HTTP_MAX_HEAD_BYTES: Final = 16 * KIB

#: Bytes of the bodies of all requests at once, as they came and unpacked: from the first byte until the
#: journal has them. Beyond it requests are answered with 429.
HTTP_MAX_BODIES_BYTES: Final = 64 * MIB

#: Seconds for a request's headers, and for its body: 8 MiB at 2 Mbit/s, 100 kB at 30 kbit/s.
HTTP_HEAD_S: Final = 10.0
HTTP_BODY_S: Final = 30.0

#: Seconds and bytes that the rest of a body which was refused is read and thrown away, so that a client
#: which sends first and reads then finds the answer.
HTTP_LINGER_S: Final = 5.0
HTTP_LINGER_BYTES: Final = 64 * MIB

#: Seconds that a connection stays open between two requests: Telegraf sends every 10.
HTTP_KEEP_ALIVE_S: Final = 60

#: Seconds that a request waits for its commit before it is told to come again, and what it is told.
HTTP_COMMIT_S: Final = 10.0
HTTP_RETRY_AFTER_S: Final = 5

#: Bytes of a compressed body from which it is unpacked in a thread: up to there it takes 1 ms.
HTTP_UNPACK_INLINE_BYTES: Final = 128 * KIB

#: Characters of an Idempotency-Key: a UUID has 36.
HTTP_MAX_KEY_CHARS: Final = 255

#: Devices whose lines may come in one request, where a tag says whose they are.
HTTP_MAX_DEVICES_PER_REQUEST: Final = 1_000

#: Bytes of the journal (``journal.max_bytes``). With required sinks behind and the budget used up
#: the gateway stops acknowledging: the devices hold the rest.
JOURNAL_MAX_BYTES: Final = 8 * GIB

#: Seconds between two looks at how far the lake is, where acks wait for it, and batches that are
#: acknowledged in one step: their identities are in memory.
ACKS_LOOK_S: Final = 0.2
ACKS_STEP_BATCHES: Final = 20_000

#: Bytes of payloads in quarantine; beyond it the oldest make room, counted.
QUARANTINE_MAX_BYTES: Final = 256 * MIB

#: Rows that a consumer takes from the feed in one step.
CONSUMER_MAX_ROWS: Final = 200_000

#: Devices whose live state (last values, a few minutes of chart) the gateway keeps in memory.
LIVE_MAX_DEVICES: Final = 10_000

#: Seconds between two looks of the live view at what has arrived; the console refreshes once a second.
LIVE_LOOK_S: Final = 0.8

#: Series per device, and points per series, in the live view: 15 minutes at 1 Hz.
LIVE_MAX_SERIES: Final = 200
LIVE_MAX_POINTS: Final = 900

#: Points of all series together, 16 bytes each; with many series fewer of each are kept, down to a few.
LIVE_TOTAL_POINTS: Final = 4_000_000
LIVE_MIN_POINTS: Final = 20

#: Series whose types and units are followed, some 200 bytes each, units of one of them, and notices that
#: the API lists.
SCHEMA_MAX_SERIES: Final = 200_000
SCHEMA_MAX_UNITS: Final = 8
SCHEMA_MAX_NOTICES: Final = 1_000

#: Alerts that the console and the API keep in memory; the lake keeps all of them.
LIVE_MAX_ALERTS: Final = 1_000

#: Viewers of the console at once; each costs the gateway about 1 ms a second.
CONSOLE_MAX_VIEWERS: Final = 100

#: Seconds between two refreshes of the console, and minutes of chart that it shows.
CONSOLE_REFRESH_S: Final = 1.0
CONSOLE_WINDOW_S: Final = 300

#: Rows of devices on one page of the console, and alerts in its table; a filter finds the others.
CONSOLE_PAGE_ROWS: Final = 20
CONSOLE_MAX_ALERTS: Final = 100

#: Devices and series on the console's chart at once: as many colours and panels as the eye separates.
CONSOLE_MAX_DEVICES: Final = 6
CONSOLE_MAX_PANELS: Final = 6

#: Seconds without a batch after which the console calls a device silent. An agent has sent six
#: states by then; a rule for silence, where there is one, says it earlier.
CONSOLE_SILENT_AFTER_S: Final = 60

#: Times of a device that inference holds while it waits for the missing features of that time.
INFERENCE_MAX_PENDING_TIMES: Final = 256

#: Pending times of a device that survive a restart of the gateway: enough for a batch that was cut
#: in two, small enough (about 100 bytes each) to write with every step.
INFERENCE_STORED_PENDING_TIMES: Final = 8

#: Devices that may have times pending at once; the one that waits longest makes room, counted.
INFERENCE_MAX_PENDING_DEVICES: Final = 10_000

#: Feature rows in one call of a model; a row of 8 floats and its layers take about 200 bytes.
INFERENCE_MAX_ROWS: Final = 65_536

#: Series that rules remember the last judged time of, about 200 bytes each. Beyond it the one that
#: was seen first and has no alert is forgotten: a late reading of it might then be judged again.
RULES_MAX_SERIES: Final = 200_000

#: Devices that silence rules know. Beyond it new ones are not watched, said once in the log.
RULES_MAX_DEVICES: Final = 10_000

#: Seconds that a reading's time may lie ahead of its arrival before rules judge it as of then. Clocks
#: of honest devices differ by less; one reading from 2100 must not blind a rule until 2100.
RULES_MAX_AHEAD_S: Final = 60

#: Seconds between two looks of the silence rules beyond which the gateway itself was away.
RULES_CLOCK_JUMP_S: Final = 10

#: Notifications waiting per target; beyond it the oldest is given up, counted. A site that raises
#: more than this while its mail server is away reads the console anyway.
NOTIFY_MAX_WAITING: Final = 100

#: Alerts spelled out in one notification; the rest is a number.
NOTIFY_MAX_LINES: Final = 20

#: Seconds for one notification to leave (mail servers are slow), and attempts before it is given up.
NOTIFY_TIMEOUT_S: Final = 20.0
NOTIFY_MAX_ATTEMPTS: Final = 10

#: Seconds between two looks of the gateway at itself (``vitals.interval_s``). A chart of a day has
#: 2,880 points a series then; some 30 series of the gateway and 5 of a device.
VITALS_INTERVAL_S: Final = 30.0

#: Devices that a look reports on, each with a batch of its own: 33 batches/s at the default interval.
VITALS_MAX_DEVICES: Final = 1_000

#: Seconds after which a device that is not heard any more is left out: it was taken away.
VITALS_FORGET_S: Final = 7 * 86_400

#: (device, rule) pairs followed as firing at once; a site with more has other worries.
VITALS_MAX_FIRING: Final = 10_000

#: Seconds for one HTTP request to a sink.
SINK_TIMEOUT_S: Final = 10.0

#: Attempts spent on finding the bad readings in what a destination refused as a whole; what is not
#: told apart by then goes to quarantine together. 200 find about 15 bad ones among 10,000.
SINK_MAX_PROBES: Final = 200

#: A file of the file sink (``max_file_bytes``, ``max_file_age_s``): large enough to be few, small enough
#: to be moved over a slow link; and all of them together (``max_total_bytes``).
FILE_MAX_BYTES: Final = 64 * MIB
FILE_MAX_AGE_S: Final = 3_600.0
FILE_TOTAL_BYTES: Final = 8 * GIB

#: Bytes and readings of one request to a webhook (``max_bytes``): what API gateways and small web
#: frameworks take without being told, and what one event may hold of a batch.
WEBHOOK_MAX_BYTES: Final = 1 * MIB
WEBHOOK_MAX_ROWS: Final = 10_000

#: Bytes of an answer that are looked at, for the log; and seconds that a ``Retry-After`` may ask for.
WEBHOOK_MAX_ANSWER_BYTES: Final = 2 * KIB
WEBHOOK_MAX_PAUSE_S: Final = 3_600.0

#: Seconds for one delivery to PostgreSQL: 200,000 readings take one, ten on a slow disk.
POSTGRES_TIMEOUT_S: Final = 30.0

#: Seconds after its arrival that a reading counts as live for a sink (``sinks.live_within_s``). A sink
#: that is later than this and more than one delivery behind goes on at the head; ten seconds are more
#: than a hiccup and less than the patience of somebody in front of a dashboard.
LIVE_WITHIN_S: Final = 10.0

#: Share of a destination's time that history may take (``sinks.backfill_share``), and readings of it in
#: one delivery: what a live reading may have to wait behind, some 0.1 to 0.5 s of a database's work.
BACKFILL_SHARE: Final = 0.5
BACKFILL_MAX_ROWS: Final = 50_000

#: Ranges of history that one sink may have open: each is an outage that is not worked off yet. Beyond
#: it the live lane is late instead.
LANES_MAX_RANGES: Final = 64

#: Seconds of deliveries that a killed gateway repeats at most while a sink has history to work off;
#: each time it is written down costs an fsync.
LANES_SAVE_S: Final = 1.0

#: Bytes of one Kafka message (``sinks.message_max_bytes``): what brokers take unless told otherwise;
#: what its headers and the protocol add to the value; and what may wait in memory for the cluster.
KAFKA_MESSAGE_MAX_BYTES: Final = 1_000_000
KAFKA_MESSAGE_OVERHEAD_BYTES: Final = 4 * KIB
KAFKA_QUEUE_MAX_BYTES: Final = 32 * MIB

#: Bytes of one message to another MQTT broker (``sinks.max_bytes``): brokers of clouds take 128 to
#: 256 KiB; and what may be unconfirmed at once, enough for a line of 100 ms to carry 600 messages/s.
MQTT_SINK_MAX_BYTES: Final = 128 * KIB
MQTT_SINK_WINDOW_MESSAGES: Final = 64
MQTT_SINK_WINDOW_BYTES: Final = 4 * MIB

#: Lines of line protocol in one request to InfluxDB: what its documentation recommends at most.
INFLUXDB_MAX_LINES: Final = 10_000

#: Bytes of one such request before gzip; InfluxDB 1.x refuses more than 25 MB.
INFLUXDB_MAX_BYTES: Final = 8 * MIB

# --- enrolment ------------------------------------------------------------------------------------

#: Seconds that a one-time code lives (``gateway enroll --valid``), and the longest that may be asked
#: for: time to walk to the device; a code in a drawer is a key under the mat.
ENROL_CODE_VALID_S: Final = 15 * 60
ENROL_CODE_MAX_VALID_S: Final = 7 * 24 * 3600

#: Codes that wait for their device at once: a pallet of devices, not a dictionary for guessers.
ENROL_MAX_OPEN_CODES: Final = 1_000

#: Wrong codes within the window, per source address and in all, before everybody waits for the window
#: to pass. With 1,000 codes open a guess is right once in 10^9; 200 per ten minutes need a century.
ENROL_WINDOW_S: Final = 600
ENROL_MAX_WRONG_PER_SOURCE: Final = 10
ENROL_MAX_WRONG: Final = 200

#: Source addresses remembered for that; beyond it the oldest is forgotten (the sum still counts).
ENROL_MAX_SOURCES: Final = 1_000

#: Times that a right code may be presented with something else wrong before it is used up.
ENROL_MAX_CODE_USES: Final = 10

#: Bytes of a request's head and body (a CSR is 500 bytes), seconds for a whole exchange, and
#: connections at once; a handshake costs the gateway about 1 ms and 50 kB.
ENROL_MAX_HEAD_BYTES: Final = 8 * KIB
ENROL_MAX_BODY_BYTES: Final = 16 * KIB
ENROL_TIMEOUT_S: Final = 15.0
ENROL_MAX_CONNECTIONS: Final = 32

#: Days of a device's certificate (``enrol.certificate_days``), of the gateway's own, and of the site's
#: CA, which outlives the devices.
CERTIFICATE_DAYS: Final = 365
GATEWAY_CERTIFICATE_DAYS: Final = 825
CA_DAYS: Final = 20 * 365

#: The share of a certificate's life that is left when it is renewed: of a year four months, in which a
#: device that is switched off for the winter comes back, and a gateway that is broken is noticed.
RENEW_WHEN_LEFT: Final = 1 / 3

#: Seconds between two looks at the certificates; after a renewal that failed, from the first pause
#: (doubled each time) up to a day; and for one attempt, which starts a Python on a Pi.
RENEW_CHECK_S: Final = 3600.0
RENEW_RETRY_FIRST_S: Final = 60.0
RENEW_RETRY_MAX_S: Final = 24 * 3600.0
RENEW_ATTEMPT_S: Final = 120.0

#: Days before the end from which a certificate that could not be renewed is warned of.
CERTIFICATE_WARN_DAYS: Final = 30.0

#: Certificates of one device that are good at once: each renewal adds one, and the oldest end by
#: themselves. A device that renews in a loop must not fill the registry.
ENROL_MAX_CERTIFICATES: Final = 20

#: Seconds for mosquitto to take up a revocation, the pause between two looks whether it has, and for one
#: such look.
EXPEL_TIMEOUT_S: Final = 15.0
EXPEL_PAUSE_S: Final = 0.1
EXPEL_LOOK_S: Final = 5.0

#: Hours that certificates are dated back, for devices whose clock is behind; and seconds that a
#: device's clock may differ from the gateway's at enrolment.
CERTIFICATE_BACKDATE_H: Final = 24
ENROL_MAX_CLOCK_DIFFERENCE_S: Final = 3600

#: Seconds until a running gateway notices a revocation that was made on its command line.
REVOCATION_POLL_S: Final = 0.25

#: Seconds for TLS handshake and CONNECT at the embedded broker's door.
BROKER_CONNECT_TIMEOUT_S: Final = 10.0

#: Connections of the embedded broker in all, and from one address, which may be a building behind a
#: router: each takes some 60 kB, with TLS 100. Beyond a few hundred devices use an external broker.
BROKER_MAX_CONNECTIONS: Final = 1_000
BROKER_MAX_CONNECTIONS_PER_ADDRESS: Final = 500

#: Connections a second and at once from one address: a TLS handshake costs a Pi some 5 ms, so a storm
#: from one place leaves half of it to the others.
BROKER_CONNECTS_PER_S: Final = 100
BROKER_CONNECTS_BURST: Final = 200

#: Connections that have not yet said who they are, in all and of one address; and seconds that one may
#: take for it when all these places are taken: a device needs 0.1 s, on a bad line 1 s.
BROKER_MAX_KNOCKING: Final = 200
BROKER_MAX_KNOCKING_PER_ADDRESS: Final = 100
BROKER_DAWDLE_S: Final = 2.0

#: Connections that wait in the kernel; and open files that are left to journal, sinks and console.
BROKER_BACKLOG: Final = 1_024
BROKER_SPARE_FILES: Final = 256

#: Bytes of CONNECT: a client id, a name, a password and a last will, which is a short state.
BROKER_MAX_CONNECT_BYTES: Final = 16 * KIB

#: Bytes of one SUBSCRIBE or UNSUBSCRIBE: some dozens of filters.
BROKER_MAX_SUBSCRIBE_BYTES: Final = 64 * KIB

#: Bytes and levels of a topic or filter. A device's data are on `<root>/<device>/data/<format>`: an id
#: has 64 characters, a root some more.
BROKER_MAX_TOPIC_BYTES: Final = 1_024
BROKER_MAX_TOPIC_LEVELS: Final = 32

#: Seconds for one packet once it has begun: 8 MiB on a line of 1 Mbit/s.
BROKER_PACKET_TIMEOUT_S: Final = 90.0

#: Messages of one client that amqtt has and has not routed, and bytes of all clients' messages that are
#: being read or wait there; then TCP holds the senders.
BROKER_MAX_QUEUED: Final = 50
BROKER_MAX_UNROUTED_BYTES: Final = 64 * MIB

#: The same for messages with QoS 2 that wait for their PUBREL, which may never come.
BROKER_MAX_QOS2: Final = 100
BROKER_MAX_UNRELEASED_BYTES: Final = 32 * MIB

#: Bytes sent and not read, and messages not acknowledged, at which a client gets no more messages; and
#: seconds that it may leave answers unread before it is put out.
BROKER_MAX_UNSENT_BYTES: Final = 1 * MIB
BROKER_MAX_INFLIGHT: Final = 1_000
BROKER_SLOW_READER_S: Final = 20.0

#: Filters of one client (an agent has five) and of all: every message is compared with every one.
BROKER_MAX_SUBSCRIPTIONS: Final = 50
BROKER_MAX_FILTERS: Final = 10_000

#: Retained messages, and their bytes: a state and two about models for each of some thousand devices.
BROKER_MAX_RETAINED: Final = 10_000
BROKER_MAX_RETAINED_BYTES: Final = 32 * MIB

#: Sessions that wait for their clients: of one user (he has one, and a test or two), in all, for how long,
#: and messages in one. Devices keep their readings themselves; what waits here are acks.
BROKER_MAX_SESSIONS_PER_USER: Final = 5
BROKER_MAX_SESSIONS: Final = 2_000
BROKER_OFFLINE_S: Final = 86_400
BROKER_MAX_OFFLINE: Final = 100

#: Answers that wait for the embedded broker's event loop; beyond it they are dropped, counted, and the
#: devices ask again.
BROKER_MAX_PUBLISHING: Final = 20_000

#: Objects that are made before Python looks for cycles among the youngest (its own default is 700).
#: 50,000 of them are some 10 MB if they all were garbage.
GC_THRESHOLD: Final = 50_000

#: Bytes of freed memory that a gateway or cloud-sync keeps for its next batch, and the largest block that
#: is kept (glibc takes no more). Two landings' worth.
MALLOC_KEEP_BYTES: Final = 256 * MIB
MALLOC_LARGEST_KEPT_BYTES: Final = 32 * MIB

#: Seconds that a stop lets consumers finish what was committed; the rest is done at the next start.
GATEWAY_DRAIN_S: Final = 5.0

#: Seconds that ``gateway reload`` waits for the answer: consumers end the delivery in hand first, and a
#: destination that does not answer may hold one for as long as its own timeout.
RELOAD_ANSWER_S: Final = 90.0

#: Bytes of a token, password or URL file that are compared to see whether it has changed.
SECRET_MAX_BYTES: Final = 64 * KIB

#: Groups whose trace is remembered for the consumers behind, and links of one consumer's span.
TRACE_MAX_GROUPS: Final = 10_000
TRACE_MAX_LINKS: Final = 32

# --- the lake -------------------------------------------------------------------------------------

#: Rows and journal bytes that one landing takes. 1 million rows are about 0.2 s of work on one core, a
#: file of 4 MB and 370 MB of memory in all, the next million decoded included; twice as many took 600 MB
#: and a tenth more CPU. What is behind goes into the next.
LANDING_MAX_ROWS: Final = 1_000_000
LANDING_MAX_BYTES: Final = 64 * MIB

#: Seconds between two landings when little arrives (``landing.interval_s``): small files are the
#: plague of lakes, so outside a demo a site lands once a minute.
LANDING_INTERVAL_S: Final = 60.0

#: Seconds between two registrations (``register.interval_s``): each is a commit and a snapshot.
REGISTER_INTERVAL_S: Final = 60.0

#: Manifests that one registration commits together.
REGISTER_MAX_MANIFESTS: Final = 100

#: Rows of a row group in a data file: a query for one series of many reads a few of them, and each
#: costs about 1 kB of statistics.
PARQUET_ROW_GROUP_ROWS: Final = 262_144

#: Snapshots that the Iceberg table keeps (``register.keep_snapshots``): an hour of time travel at one
#: registration a minute; each costs about 1 kB in the table's metadata, which every commit rewrites.
KEEP_SNAPSHOTS: Final = 60

#: Seconds to reach an object store, and for one request to it. An upload of 30 MB takes 20 s on a
#: line of 12 Mbit/s.
STORE_CONNECT_TIMEOUT_S: Final = 5.0
STORE_READ_TIMEOUT_S: Final = 60.0

#: Readings of the journal's tail that a query decodes into memory: about 60 bytes each. A tail that
#: is longer belongs landed.
QUERY_TAIL_MAX_ROWS: Final = 20_000_000
QUERY_TAIL_MAX_BYTES: Final = 512 * MIB

#: Rows of one batch of a query's result: what is in memory at once while it is printed.
QUERY_BATCH_ROWS: Final = 65_536

#: Rows of a query result printed as a table; csv, json and arrow are not cut.
QUERY_TABLE_MAX_ROWS: Final = 1_000

# --- models ---------------------------------------------------------------------------------------

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

# --- models at the edge ---------------------------------------------------------------------------

#: Models that one place (a gateway, a device) runs from a repository: each is a process of some 45 MB.
MODELS_MAX_SLOTS: Final = 16

#: Versions kept to fall back to, and refusals remembered, per model. A refusal that is forgotten costs
#: one more trial of a bad version, which ends as the first did.
MODELS_MAX_FALLBACKS: Final = 2
MODELS_MAX_REFUSED: Final = 50

#: Steps of a model that wait to be written down; a few per version, so this is a journal that hangs.
MODELS_MAX_UNTOLD: Final = 200

#: Calls and scores that a version is judged by: the newest ones, about 100 kB in all.
MODELS_EVIDENCE_CALLS: Final = 1_000
MODELS_EVIDENCE_SCORES: Final = 4_096

#: Rows of one device from which its alert rate says something: of 20, a version that is wrong in one
#: row of fifty has called one faulty, and one that cries wolf more than ten. Devices that are odd are
#: named up to a number that a person still reads.
MODELS_DEVICE_ROWS: Final = 20
MODELS_MAX_ODD: Final = 20

#: Rows after which the evidence of a version that is good begins anew: an hour's fault of its runtime
#: must not vanish among a year of good scores.
MODELS_EVIDENCE_ROWS: Final = 100_000

#: Rows before anything is decided about a version, and milliseconds that 99 of 100 calls stay below
#: (``model_repository.gates``). The shipped model takes 0.2 ms, pipe included; a Pi is five times slower.
MODELS_MIN_ROWS: Final = 100
MODELS_MAX_LATENCY_MS: Final = 250.0

#: Seconds that a call of a model, and its start, may take before its process is killed: what a model
#: that stalls can hold scores up for, once.
MODELS_CALL_TIMEOUT_S: Final = 2.0
MODELS_START_TIMEOUT_S: Final = 30.0

#: Bytes of memory that a model's process may ask for: the runtime takes about 100 MB of it.
MODELS_MAX_MEMORY_BYTES: Final = 1 * GIB

#: Seconds for one look at the repository from a device: some downloads, each with its own deadline.
MODELS_LOOK_TIMEOUT_S: Final = 600.0

#: Polls of inputs that wait for a device's models, and series that are known for checking a manifest.
MODELS_TAP_POLLS: Final = 1_000
MODELS_TAP_SERIES: Final = 10_000

#: Seconds between two looks at the repository (``poll_interval_s``); a nudge is answered at once.
MODELS_POLL_INTERVAL_S: Final = 300.0

#: Seconds between two looks that somebody outside has asked for: who floods a place with hints buys
#: one look in ten seconds, which costs a device half a second of its CPU.
MODELS_HINT_PAUSE_S: Final = 10.0

#: Messages about models to single devices in one second: amqtt carries some 4,000 in all.
MODELS_TOLD_PER_ROUND: Final = 500

#: Seconds that a publisher waits for a gateway that it nudges.
MODEL_NUDGE_TIMEOUT_S: Final = 10.0

#: Seconds that a version runs beside the active one, and then on probation (``shadow_s``, ``probation_s``).
MODELS_SHADOW_S: Final = 600.0
MODELS_PROBATION_S: Final = 3_600.0

# --- health ----------------------------------------------------------------------------------------

#: Seconds that ``gateway health`` and ``cloud-sync health`` wait. A program that needs longer for a
#: constant answer is stuck; container engines give a check 10 s here, Python's start included.
HEALTH_TIMEOUT_S: Final = 5.0
