"""A day judged by DuckDB: piece by piece, in bounded memory, over the day's own files.

It goes through the engine of ``headrace query``, so that any store that can be asked can be judged. What is usual
comes from the table of quality itself, the days before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
from pyiceberg.io.pyarrow import schema_to_pyarrow

from cloud_sync.config import Quality
from cloud_sync.quality.chunks import chunks
from cloud_sync.quality.days import Counted, Judged, ends
from cloud_sync.quality.kept import kept
from cloud_sync.quality.statement import INCOMPLETE, JUDGED, ODD_DAYS, counts, judge
from headrace.catalog.schemas import QUALITY_COLUMNS
from headrace.lake.config import Lake
from headrace.lake.readings import READINGS_SCHEMA
from headrace.limits.quality import (
    QUALITY_CHUNK_ROWS,
    QUALITY_MEMORY_BYTES,
    QUALITY_SPILL_BYTES,
    RUNNING_SLACK_S,
)
from headrace.query.engine import Bounds, DerivedFiles, Engine, More
from headrace.query.sources import File, Sources

_BOUNDS = Bounds(memory_bytes=QUALITY_MEMORY_BYTES, spill_bytes=QUALITY_SPILL_BYTES)

#: Columns of the table as they are computed.
COLUMNS = schema_to_pyarrow(QUALITY_COLUMNS, include_field_ids=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day and what it is judged by: its readings, those with odd times of any day, and quality of the days before.

    ``devices``: those that are judged, where the rows of others are in ``judged`` and went up to ``until_us``.
    """

    date: date
    readings: Sequence[File]
    odd: Sequence[File]
    before: Sequence[File]
    is_over: bool
    devices: frozenset[str] | None = None
    judged: Sequence[File] = ()
    until_us: int = 0


class Measure:
    """Judges days; one at a time, which another thread may stop."""

    def __init__(
        self, lake: Lake, quality: Quality, *, chunk_rows: int = QUALITY_CHUNK_ROWS
    ) -> None:
        self._lake = lake
        self._quality = quality
        self._chunk_rows = chunk_rows
        self._running: Engine | None = None

    def stop(self) -> None:
        """End the statement that is running, from another thread: it raises QueryStopped."""
        running = self._running
        if running is not None:
            running.interrupt()

    def day(self, day: Day, now: datetime) -> tuple[pa.Table, int | None]:
        """The rows of a day, in the columns of the table, and up to when it was judged; None where nothing said it.

        Raises:
            QueryError: it needs more memory than it may have, or was stopped.
            LakeUnavailable: a file cannot be read.
        """
        with self._engine([*day.readings, *day.odd], day.before) as engine:
            found = engine.query(counts(day.devices)).read_all().to_pylist()
            pieces = chunks(
                ((each["device"], each["name"], each["rows"]) for each in found), self._chunk_rows
            )
            sql = judge(self._quality, has_odd=bool(day.odd), devices=day.devices)
            newest = max((each["newest"] for each in found), default=None)
            window = _window(day, newest, now) | {"gap": self._quality.gap_factor}
            parts = [engine.query(sql, window | asdict(piece)).read_all() for piece in pieces]
        rows = _finished(pa.concat_tables(parts), now)
        if day.devices is not None:
            rows = pa.concat_tables([rows, self._kept(day, window, now)])
        return rows, int(window["until"]) if newest is not None else None

    def _kept(self, day: Day, window: Mapping[str, Any], now: datetime) -> pa.Table:
        """The rows of other devices: as they are, and on a running day as they are by now."""
        assert day.devices is not None  # noqa: S101 - asked by the caller
        # Of a day that is over nothing moves: it was judged to its end.
        before = window["until"] if day.is_over else day.until_us
        values = {name: window[name] for name in ("start", "until", "gap")} | {"before": before}
        with self._engine((), day.judged) as engine:
            rows = engine.query(kept(day.devices), values).read_all()
        if day.is_over:
            return rows.select(COLUMNS.names).cast(COLUMNS)
        return _finished(rows.drop_columns(["computed"]), now)

    def odd_days(self, odd: Sequence[File]) -> dict[date, int]:
        """How many readings with odd times arrived on each day."""
        if not odd:
            return {}
        with self._engine(odd, ()) as engine:
            rows = engine.query(ODD_DAYS).read_all().to_pylist()
        return {each["date"]: each["odd"] for each in rows}

    def judged(self, quality: Sequence[File]) -> dict[date, Judged]:
        """What the table of quality was computed from."""
        if not quality:
            return {}
        with self._engine((), quality) as engine:
            rows = engine.query(JUDGED).read_all().to_pylist()
        return {
            each["date"]: Judged(
                Counted(int(each["readings"]), int(each["odd"])), each["computed"], each["devices"]
            )
            for each in rows
        }

    def incomplete(self, quality: Sequence[File]) -> int:
        """How many series of a day have less than most of what is expected."""
        with self._engine((), quality) as engine:
            return int(engine.query(INCOMPLETE).read_all().to_pylist()[0]["series"])

    @contextmanager
    def _engine(self, readings: Sequence[File], quality: Sequence[File]) -> Iterator[Engine]:
        sources = Sources(tuple(readings), READINGS_SCHEMA.empty_table())
        more = More(derived=[DerivedFiles("quality", COLUMNS, quality)], views=frozenset())
        with Engine(sources, self._lake, more=more, bounds=_BOUNDS) as engine:
            self._running = engine
            try:
                yield engine
            finally:
                self._running = None


def _window(day: Day, newest: datetime | None, now: datetime) -> dict[str, Any]:
    """From midnight to midnight; of a running day as far as readings can have arrived."""
    end = ends(day.date)
    until = end
    if not day.is_over:
        until = min(end, (newest or now) - timedelta(seconds=RUNNING_SLACK_S))
    return {
        "day": day.date, "start": _microseconds(end - timedelta(days=1)),
        "until": max(_microseconds(until), day.until_us),
    }  # fmt: skip


def _finished(rows: pa.Table, now: datetime) -> pa.Table:
    computed = pa.array([now] * rows.num_rows, pa.timestamp("us", "UTC"))
    whole = rows.append_column("computed", computed)
    return whole.select(COLUMNS.names).cast(COLUMNS)


def _microseconds(moment: datetime) -> int:
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))
