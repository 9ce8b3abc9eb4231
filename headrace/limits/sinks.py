"""Destinations, and their lanes."""

from __future__ import annotations

from typing import Final

from headrace.limits.sizes import GIB, KIB, MIB

#: Readings of one Sparkplug message that the MQTT sink writes, some 20 bytes each, and series that it gives
#: aliases to.
SPARKPLUG_SINK_ROWS: Final = 2_000
SPARKPLUG_SINK_MAX_SERIES: Final = 200_000

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

#: Seconds that PostgreSQL may take for one statement, and be silent: 200,000 readings take one, ten on a slow
#: disk. A COPY gets as many more as a thin line (128 kbit/s) takes for its bytes. And after how many
#: seconds, questions apart by so many, and unanswered ones, the server lets go of a gateway that is gone.
POSTGRES_TIMEOUT_S: Final = 30.0
POSTGRES_THIN_LINE_BYTES_PER_S: Final = 16 * KIB
POSTGRES_KEEPALIVE: Final = {"idle": 30, "interval": 10, "count": 3}

#: Seconds after its arrival that a reading counts as live for a sink (``sinks.live_within_s``). A sink
#: that is later than this and more than one delivery behind goes on at the head; ten seconds are more
#: than a hiccup and less than the patience of somebody in front of a dashboard.
LIVE_WITHIN_S: Final = 10.0

#: Share of a destination's time that history may take (``sinks.backfill_share``), and readings of it in
#: one delivery: as many as the destination takes in half a second, which is what a live reading may have to
#: wait behind. The least is for those where the way there takes longer than the readings.
BACKFILL_SHARE: Final = 0.5
BACKFILL_DELIVERY_S: Final = 0.5
BACKFILL_MIN_ROWS: Final = 5_000
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

#: Bytes of QoS 0 after which the broker is asked whether it has them: a line of 256 kbit/s takes 8 s for
#: them, and gives up after 10 (``sinks.timeout_s``).
MQTT_SINK_ASK_BYTES: Final = 256 * KIB

#: Lines of line protocol in one request to InfluxDB: what its documentation recommends at most.
INFLUXDB_MAX_LINES: Final = 10_000

#: Bytes of one such request before gzip; InfluxDB 1.x refuses more than 25 MB.
INFLUXDB_MAX_BYTES: Final = 8 * MIB
