"""The catalogue: the table of series, and what `headrace catalog` shows."""

from __future__ import annotations

from typing import Final

#: Seconds between two looks at what was registered since (``catalog.interval_s``): each that finds something
#: rewrites the table of series, some 20 bytes a series, and is a commit.
SERIES_INTERVAL_S: Final = 300.0

#: Seconds between two countings of all readings where the sum of the table of series is not that of the readings:
#: retention removes a day each day. Of a billion readings it takes 70 s of CPU; until then the view `series` counts.
SERIES_RECOUNT_S: Final = 3_600.0

#: Manifests that are folded into the table of series at a time: what is in memory is their labels and times.
SERIES_FOLD_MANIFESTS: Final = 20

#: Rows that are counted at a time where the table of series is made from the files of all readings.
SERIES_BATCH_ROWS: Final = 262_144

#: Series and snapshots that `headrace catalog` prints for people; ``--json`` has all.
CATALOG_MAX_SERIES: Final = 200
CATALOG_MAX_SNAPSHOTS: Final = 5
