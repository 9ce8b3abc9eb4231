"""What reads the feed: inference, rules, schema, notifications, vitals."""

from __future__ import annotations

from typing import Final

from headrace.limits.sizes import MIB

#: Rows of committed batches kept decoded in memory for inference, rules, sinks and console.
#: 2 million rows are about 60 MB; a consumer further behind reads the journal instead.
FEED_MAX_ROWS: Final = 2_000_000
FEED_MAX_BATCHES: Final = 20_000

#: Bytes of the same, for rows with long texts.
FEED_MAX_BYTES: Final = 128 * MIB

#: Rows that a consumer takes from the feed in one step.
CONSUMER_MAX_ROWS: Final = 200_000

#: Series whose types and units are followed, some 200 bytes each, units of one of them, and notices that
#: the API lists.
SCHEMA_MAX_SERIES: Final = 200_000
SCHEMA_MAX_UNITS: Final = 8
SCHEMA_MAX_NOTICES: Final = 1_000

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
