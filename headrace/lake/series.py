"""The table of series: how far it goes and what it adds up to, for who keeps it and for who asks it.

Both stand in its properties, which are set in the commit that brings the rows (``covered``)::

    headrace.counted     the readings that its rows add up to
    headrace.uncounted   the rows of the table of readings that it cannot count

Whoever adds what came behind the offsets knows from the two sums whether the whole is right: the table of readings
says how many rows it has. It has others where retention or somebody else has removed some, where the table was set
back, or where a site sent again what it had landed before; then readings are to be counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
from pyiceberg.table import Table

from headrace.codecs.columns import TIME_TYPE
from headrace.lake.catalogue import NAMESPACE, catalogue_errors
from headrace.lake.covered import as_covered, covered

NAME: Final = "series"
_COUNTED: Final = "headrace.counted"
_UNCOUNTED: Final = "headrace.uncounted"

#: What the view ``series`` shows, in its order.
COLUMNS: Final = pa.schema(
    [
        pa.field("site", pa.utf8(), nullable=False),
        pa.field("device", pa.utf8(), nullable=False),
        pa.field("name", pa.utf8(), nullable=False),
        pa.field("unit", pa.utf8()),
        pa.field("first_time", TIME_TYPE),
        pa.field("last_time", TIME_TYPE),
        pa.field("rows", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far a table of series goes, in the terms of watermarks, and what it adds up to."""

    marks: Mapping[str, int]
    counted: int
    uncounted: int

    @property
    def total(self) -> int:
        """Rows that the table of readings had then."""
        return self.counted + self.uncounted

    def properties(self) -> dict[str, str]:
        """As they stand in the table."""
        sums = {_COUNTED: str(self.counted), _UNCOUNTED: str(self.uncounted)}
        return as_covered(self.marks) | sums


def coverage(properties: Mapping[str, str]) -> Coverage | None:
    """What the properties say; None where they are not of a keeper of series."""
    counted, uncounted = (properties.get(key, "") for key in (_COUNTED, _UNCOUNTED))
    if not (counted.isdecimal() and uncounted.isdecimal()):
        return None
    return Coverage(covered(properties), int(counted), int(uncounted))


def load(catalogue: Catalog) -> Table | None:
    """The table as it is now; None before it was made.

    Raises:
        LakeError: the catalogue does not answer.
    """
    with catalogue_errors("load the table of series"):
        try:
            return catalogue.load_table((NAMESPACE, NAME))
        except (NoSuchTableError, NoSuchNamespaceError):
            return None


def rows_of(readings: Table) -> int | None:
    """How many rows the table of readings says that it has; None where its last writer did not say it."""
    snapshot = readings.current_snapshot()
    if snapshot is None:
        return 0
    said = snapshot.summary.get("total-records", "") if snapshot.summary is not None else ""
    return int(said) if str(said).isdecimal() else None
