"""A site whose tables are kept: what tests of the catalogue ask."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.table import Table

from cloud_sync.catalog.keeper import SeriesKeeper
from cloud_sync.config import Catalog, TagRule
from cloud_sync.landing.parquet import DAY_US
from headrace.clock import ManualClock
from headrace.lake.catalogue import NAMESPACE, open_catalogue
from tests import lakes
from tests.journals import START_US, Journal

COUNTED = """
SELECT site, device, name, max_by(unit, time) FILTER (WHERE unit IS NOT NULL) AS unit,
       min(time) AS first_time, max(time) AS last_time, count(*) AS readings, count(text) AS texts
FROM readings WHERE clock IS DISTINCT FROM 'odd' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


class Site:
    """A journal, a lake, and what keeps its series."""

    def __init__(self, folder: Path) -> None:
        rules = (TagRule(device="pump-*", tags={"line": "3"}),)
        self.folder = folder
        self.clock = ManualClock(START_US + 40 * DAY_US)
        self.config = replace(lakes.settings(folder), catalog=Catalog(tags=rules))
        self.journal = Journal(self.config.journal.path)
        self.path = lakes.pipeline(self.config)
        self.keeper = SeriesKeeper(self.config, self.clock)

    def bring(self, device: str, rows: pa.RecordBatch, **more: Any) -> None:
        self.journal.append(device, rows, **more)
        self.path.land()
        self.path.register()

    def table(self, name: str) -> Table:
        return open_catalogue(self.config.lake).load_table((NAMESPACE, name))

    def series(self) -> list[dict[str, Any]]:
        rows = self.table("series").scan().to_arrow().to_pylist()
        return sorted(rows, key=lambda row: (row["device"], row["name"]))

    def assert_right(self) -> None:
        """The table says what all readings say."""
        counted = lakes.ask(self.config.lake, None, COUNTED).to_pylist()
        kept = [{name: row[name] for name in counted[0]} for row in self.series()]
        assert kept == counted
