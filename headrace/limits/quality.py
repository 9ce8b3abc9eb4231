"""Quality of readings: how much is looked at together, and from where on something is remarkable."""

from __future__ import annotations

from typing import Final

from headrace.limits.sizes import MIB

#: Seconds between two rounds (``quality.interval_s``); a round with nothing new reads metadata only.
QUALITY_INTERVAL_S: Final = 3_600.0

#: Seconds after midnight UTC until a day counts as over: as compaction does.
QUALITY_SETTLE_S: Final = 3_600.0

#: Readings that are sorted and compared together: some 250 bytes each, so that the process stays below half a
#: gigabyte; four times as many take 1.1 GB and a tenth less CPU. A series that has more in a day is taken alone.
QUALITY_CHUNK_ROWS: Final = 1_000_000

#: Memory of DuckDB for one chunk; what does not fit is spilled to disk.
QUALITY_MEMORY_BYTES: Final = 768 * MIB
QUALITY_SPILL_BYTES: Final = 8_192 * MIB

#: Landings since the last round that are looked through for devices that have new readings, and such devices of a
#: day; with more of either whole days are judged. An hour of ten sites are 600 landings.
QUALITY_MAX_MANIFESTS: Final = 5_000
QUALITY_MAX_DEVICES: Final = 5_000

#: Days that say what is usual of a series: how often it speaks, and that it is expected at all. One that
#: has been silent for longer is taken for removed.
USUAL_DAYS: Final = 14

#: Steps between readings that a day needs to say how often a series speaks.
MIN_STEPS: Final = 10

#: A step this many times the interval is a gap (``quality.gap_factor``): two readings or more are missing.
GAP_FACTOR: Final = 3.0

#: Robust deviations from the median from which on a value is an outlier (``quality.outlier_deviations``). Of a
#: normal distribution one value in 500 million is that far out.
OUTLIER_DEVIATIONS: Final = 6.0

#: Seconds without change from which on the report calls a series flat.
FLAT_S: Final = 3_600.0

#: Different values of a day up to which a series is a state (a switch, a mode), of which nobody expects
#: that it moves.
STATES: Final = 10

#: Seconds before the newest arrival that a running day is judged up to: batches are on their way.
RUNNING_SLACK_S: Final = 300

#: Seconds that a time may be ahead of its arrival: devices' clocks are set by NTP, not by each other.
AHEAD_S: Final = 2

#: Share of what is expected below which a series of a day counts as incomplete.
INCOMPLETE_BELOW: Final = 0.95

#: Of the report: days; series in its pictures, the worst first; and findings. A page of all of them is 3 MB.
REPORT_MAX_DAYS: Final = 366
REPORT_MAX_SERIES: Final = 60
REPORT_MAX_FINDINGS: Final = 500

#: Days that a report covers where nothing is said.
REPORT_DAYS: Final = 7

#: Landings that were given up, and refused payloads' reasons, that a report lists.
REPORT_MAX_REFUSED: Final = 100
