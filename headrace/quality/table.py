"""The rows of some days of the table ``quality``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError

from headrace.errors import UsageError
from headrace.lake.catalogue import NAMESPACE, catalogue_errors
from headrace.limits.quality import REPORT_DAYS, REPORT_MAX_DAYS

_HINT: Final = "cloud-sync run makes it (quality.enabled), or now: cloud-sync quality"


@dataclass(frozen=True, slots=True)
class Days:
    """Days, both inclusive."""

    first: date
    last: date

    def __iter__(self) -> Any:
        return (self.first + timedelta(days=at) for at in range(len(self)))

    def __len__(self) -> int:
        return (self.last - self.first).days + 1


def load(
    catalogue: Catalog | None, first: date | None = None, last: date | None = None
) -> tuple[Days, pa.Table]:
    """The rows from ``first`` to ``last``; the newest week where nothing is said.

    Raises:
        UsageError: no table, no such days, or more than a report takes.
    """
    table = _open(catalogue)
    newest = last or _newest(table)
    if newest is None:
        raise UsageError("the table of quality has no rows yet", hint=_HINT)
    days = Days(first or newest - timedelta(days=REPORT_DAYS - 1), newest)
    if not 1 <= len(days) <= REPORT_MAX_DAYS:
        raise UsageError(
            f"from {days.first} to {days.last}: expected 1 to {REPORT_MAX_DAYS} days, got {len(days)}"
        )
    # As text: pyiceberg reads it, and its classes' arguments are not typed as they are used.
    within = f"date >= '{days.first.isoformat()}' and date <= '{days.last.isoformat()}'"
    with catalogue_errors("read the table of quality"):
        rows = table.scan(row_filter=within).to_arrow()
    if not rows.num_rows:
        raise UsageError(f"no rows of quality from {days.first} to {days.last}", hint=_HINT)
    return days, rows


def _open(catalogue: Catalog | None) -> Any:
    if catalogue is not None:
        with catalogue_errors("load the table quality"):
            try:
                return catalogue.load_table((NAMESPACE, "quality"))
            except (NoSuchTableError, NoSuchNamespaceError):
                pass
    raise UsageError("no table of quality yet", hint=_HINT)


def _newest(table: Any) -> date | None:
    """From the partitions of its files: none is opened."""
    with catalogue_errors("read the table of quality"):
        days = [task.file.partition[0] for task in table.scan().plan_files()]
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=max(days))).date() if days else None
