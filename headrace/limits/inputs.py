"""The agent's inputs."""

from __future__ import annotations

from typing import Final

from headrace.limits.sizes import KIB, MIB

#: Inputs that may run at the same time in one agent, beside those that are held up while the buffer is
#: full: threads of the scheduler's pool.
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
