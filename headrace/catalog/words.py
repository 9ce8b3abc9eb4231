"""What each table and column means: for Iceberg's own comments, and for ``headrace catalog``.

They travel with the tables, so Spark, DuckDB or a colleague read the same words. Where a column is a
quantity, its unit is said, in SenML's symbols like those of readings (``headrace.units``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it means, and the unit of its numbers."""

    doc: str
    unit: str = ""

    @property
    def comment(self) -> str:
        """As it stands in a table."""
        return f"{self.doc} [{self.unit}]" if self.unit else self.doc


@dataclass(frozen=True, slots=True)
class Words:
    """A table or a view."""

    comment: str
    columns: Mapping[str, Column]


_SITE: Final = Column("The gateway's site")
_DEVICE: Final = Column("The device that took the reading, or from whose readings it was derived")
_NAME: Final = Column("The quantity, as the device names it; with the device it is the series")
_UNIT: Final = Column("SenML symbol of the values' unit; null where the device says none")
_TIME: Final = Column("When the reading was taken, UTC")
_VALUE: Final = Column("The reading, if it is a number or a boolean (0, 1)")
_TEXT: Final = Column("The reading, if it is a text")

READINGS: Final = Words(
    "Every reading of every device, once: partitioned by day of its time, sorted by device, name and time",
    {
        "site": _SITE,
        "device": _DEVICE,
        "name": _NAME,
        "time": _TIME,
        "value": _VALUE,
        "text": _TEXT,
        "unit": _UNIT,
        "stream": Column(
            "Random id of the device's buffer; with device and seq the reading's name for life"
        ),
        "seq": Column("Number of the reading in its stream, from 1 without holes"),
        "received": Column("When the gateway received it, UTC, cut to hundredths of a second"),
        "clock": Column(
            "What the device says of its clock: synced, unsynced or nothing; odd: the time cannot be right"
        ),
    },
)

SERIES: Final = Words(
    "What there is: one row a series, kept current by cloud-sync",
    {
        "site": _SITE,
        "device": _DEVICE,
        "name": _NAME,
        "unit": Column("The newest unit of the series, as a SenML symbol"),
        "type": Column(
            "number, text, or mixed; null where retention has removed all of its readings"
        ),
        "first_time": Column("Its oldest time, UTC"),
        "last_time": Column("Its newest time, UTC"),
        "readings": Column("Readings in the lake; 0 where retention has removed all of them"),
        "texts": Column("How many of them are texts"),
        "tags": Column("From [[catalog.tags]] of cloud_sync.toml, and key=value parts of the name"),
    },
)

QUALITY: Final = Words(
    "How good the readings are: one row a series and day (UTC), computed anew where readings came later",
    {
        "date": Column("The day of the readings' times, UTC"),
        "site": _SITE,
        "device": _DEVICE,
        "name": _NAME,
        "unit": _UNIT,
        "readings": Column("Readings of the day; 0: the series was expected and said nothing"),
        "first_time": Column("The day's first reading, UTC"),
        "last_time": Column("The day's last reading, UTC"),
        "interval_s": Column(
            "The interval that is expected: configured, else usual, else observed; null: irregular",
            "s",
        ),
        "observed_s": Column(
            "The day's median interval; null: too few readings, or irregular", "s"
        ),
        "missing": Column("Readings that are missing at that interval"),
        "completeness": Column(
            "Share of the expected readings that are there; null: irregular", "/"
        ),
        "gaps": Column("Times without readings of several intervals"),
        "gap_s": Column("All of them together", "s"),
        "longest_gap_s": Column("The longest of them", "s"),
        "longest_gap_start": Column("When it began, UTC"),
        "duplicates": Column("Readings that repeat time and value of another"),
        "conflicts": Column("Readings with the time of another and a different value"),
        "outliers": Column(
            "Values far from the day's median, in terms of its MAD; null: more than half of the values are equal"
        ),
        "outlier_value": Column("The value that is farthest from the median, if it is an outlier"),
        "outlier_time": Column("Its time, UTC"),
        "median": Column("Median of the values"),
        "mad": Column("Median absolute deviation from it"),
        "minimum": Column("Least value"),
        "maximum": Column("Greatest value"),
        "distinct_values": Column("Different values, about"),
        "flat_s": Column("The longest time without a change of the value", "s"),
        "flat_start": Column("When it began, UTC"),
        "not_finite": Column("Values that are not a number or infinite"),
        "texts": Column("Readings that are texts"),
        "units": Column("Different units in the day"),
        "unsynced": Column("Readings of a device that said its clock was not set"),
        "clockless": Column("Readings of a device that said nothing of its clock"),
        "ahead": Column("Readings dated after their arrival"),
        "late_s": Column("The longest time from reading to arrival", "s"),
        "odd": Column("Readings that arrived on this day with a time that cannot be right"),
        "hours": Column("Readings in each hour of the day, 24 numbers"),
        "computed": Column("When this row was computed, UTC"),
    },
)


def _rollup(step: str, source: str) -> Words:
    return Words(
        f"Readings by the {step}: one row a series and {step} with numbers in it, computed from {source}",
        {
            "site": _SITE,
            "device": _DEVICE,
            "name": _NAME,
            "unit": _UNIT,
            "time": Column(f"When the {step} begins, UTC"),
            "count": Column("How many numbers"),
            "sum": Column("Their sum"),
            "min": Column("The least"),
            "max": Column("The greatest"),
            "mean": Column("Their mean"),
            "first": Column("The first, by time"),
            "last": Column("The last, by time"),
        },
    )


#: Tables that Headrace keeps, by their names.
TABLES: Final[Mapping[str, Words]] = {
    "readings": READINGS,
    "series": SERIES,
    "quality": QUALITY,
    "readings_1m": _rollup("minute", "readings"),
    "readings_1h": _rollup("hour", "readings_1m"),
    "readings_1d": _rollup("day", "readings_1h"),
}

#: Views that ``headrace query`` computes when it is asked.
VIEWS: Final[Mapping[str, Words]] = {
    "latest": Words(
        "The newest reading of each series",
        {
            "site": _SITE, "device": _DEVICE, "name": _NAME, "time": _TIME,
            "value": _VALUE, "text": _TEXT, "unit": _UNIT,
        },
    ),
    "alerts": Words(
        "Alerts, each as it is now",
        {
            "rule": Column("The rule that raised it"),
            "device": _DEVICE,
            "series": Column("The series that it is about"),
            "state": Column("pending, firing or resolved"),
            "severity": Column("As the rule says"),
            "started": Column("When it began, UTC"),
            "ended": Column("When it ended, UTC; null while it lasts"),
            "value": Column("The value that raised it"),
            "site": _SITE,
            "summary": Column("The rule's sentence about it"),
        },
    ),
    "models": Words(
        "What happened to versions of models, at gateways and devices",
        {
            "time": Column("When, UTC"),
            "site": _SITE,
            "device": Column("The device, or the gateway's site"),
            "model": Column("The model's name"),
            "version": Column("Its version"),
            "state": Column("What became of it"),
            "reason": Column("Why"),
        },
    ),
}  # fmt: skip


def words_of(table: str) -> Words:
    """The words of a table or view; none for those that are not ours."""
    return TABLES.get(table) or VIEWS.get(table) or Words("", {})
