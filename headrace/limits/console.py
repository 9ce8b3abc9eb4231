"""The live view and the console."""

from __future__ import annotations

from typing import Final

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

#: Days before its end at which a certificate is shown in red: agents have tried to renew it for weeks then.
CERTIFICATE_URGENT_DAYS: Final = 7
