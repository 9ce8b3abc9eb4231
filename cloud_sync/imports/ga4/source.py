"""A report a day, in pages; rows are ordered by their dimensions, so that pages of two runs fit together.

A day's figures change until the property has processed it; so a day is asked for ``lag_days`` after it
ended, and once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import msgspec

from cloud_sync.imports.days import days
from cloud_sync.imports.ga4.config import Ga4Settings
from cloud_sync.imports.ga4.report import to_rows
from cloud_sync.imports.port import Chunk, ImportContext, ImportSource
from cloud_sync.imports.web import Web
from headrace.lake.config import read_secret

_MARK = "place"


class Place(msgspec.Struct, frozen=True):
    """A day, and the rows of its report that are imported."""

    day: str
    offset: int = 0


class Ga4Source(ImportSource):
    """One report of one property."""

    def __init__(self, settings: Ga4Settings, context: ImportContext) -> None:
        self._settings = settings
        self._clock = context.clock
        self._web = Web(
            headers={"Authorization": f"Bearer {read_secret(settings.token_file)}"},
            per_minute=settings.requests_per_minute, clock=context.clock,
            should_stop=context.should_stop,
        )  # fmt: skip

    def chunks(self, marks: Mapping[str, bytes]) -> Iterator[Chunk]:
        place = Place(self._settings.first_day)
        if _MARK in marks:
            place = msgspec.json.decode(marks[_MARK], type=Place)
        first = date.fromisoformat(place.day)
        wanted = list(
            days(
                first, self._clock, zone=self._settings.time_zone, lag_days=self._settings.lag_days
            )
        )
        for number, day in enumerate(wanted):
            offset = place.offset if day == first else 0
            yield from self._day(day, offset, number, len(wanted))

    def _day(self, day: date, offset: int, done: int, total: int) -> Iterator[Chunk]:
        while True:
            answer = self._ask(day, offset)
            offset += len(answer.get("rows", []))
            is_last = offset >= int(answer.get("rowCount", 0)) or not answer.get("rows")
            following = Place((day + timedelta(days=1)).isoformat()) if is_last else Place(day.isoformat(), offset)  # fmt: skip
            rows = to_rows(answer, self._settings)
            mark = {_MARK: msgspec.json.encode(following)}
            yield Chunk(rows, mark, done=done + is_last, total=total)
            if is_last:
                return

    def _ask(self, day: date, offset: int) -> dict[str, Any]:
        settings = self._settings
        asked = {
            "dateRanges": [{"startDate": day.isoformat(), "endDate": day.isoformat()}],
            "dimensions": [{"name": each} for each in settings.dimensions],
            "metrics": [{"name": each} for each in settings.metrics],
            "orderBys": [{"dimension": {"dimensionName": each}} for each in settings.dimensions],
            "offset": str(offset),
            "limit": str(settings.page_rows),
        }
        url = f"{settings.url}/v1beta/properties/{settings.property_id}:runReport"
        answer: dict[str, Any] = self._web.post(url, json=asked).json()
        return answer
