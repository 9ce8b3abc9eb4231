"""Day by day: a day's export is put on disk first, and imported from there.

Two exports of one day need not be in the same order, so the place in one means nothing in another. The file
stays until the day is imported; a job that is killed in the middle goes on in the very same file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

import msgspec

from cloud_sync.imports.days import days
from cloud_sync.imports.mixpanel.config import MixpanelSettings
from cloud_sync.imports.mixpanel.events import to_rows
from cloud_sync.imports.port import ROWS, Chunk, ImportContext, ImportSource
from cloud_sync.imports.web import Web
from headrace.errors import UsageError
from headrace.lake.config import read_secret
from headrace.limits.imports import EXPORT_CHUNK_BYTES, EXPORT_CHUNK_LINES

_MARK = "place"


class Place(msgspec.Struct, frozen=True):
    """A day, and the bytes of its file that are imported; the day behind the last when all is."""

    day: str
    bytes: int = 0


class MixpanelSource(ImportSource):
    """One project."""

    def __init__(self, settings: MixpanelSettings, context: ImportContext) -> None:
        self._settings = settings
        self._context = context
        secret = read_secret(settings.secret_file)
        self._web = Web(
            # A service account has a name and a secret; a project's own secret stands alone.
            auth=(settings.username, secret) if settings.username else (secret, ""),
            per_minute=settings.requests_per_hour / 60.0, clock=context.clock,
            should_stop=context.should_stop,
        )  # fmt: skip

    def chunks(self, marks: Mapping[str, bytes]) -> Iterator[Chunk]:
        place = Place(self._settings.first_day)
        if _MARK in marks:
            place = msgspec.json.decode(marks[_MARK], type=Place)
        self._forget_before(place.day)
        wanted = list(
            days(
                date.fromisoformat(place.day), self._context.clock,
                zone=self._settings.time_zone, lag_days=self._settings.lag_days,
            )
        )  # fmt: skip
        for number, day in enumerate(wanted):
            start = place.bytes if day.isoformat() == place.day else 0
            yield from self._day(day, start, number, len(wanted))

    def _day(self, day: date, start: int, done: int, total: int) -> Iterator[Chunk]:
        path = self._file(day)
        if not path.exists():
            if start:
                raise UsageError(
                    f"{path} is gone, and {start} bytes of it are imported: another export of that day "
                    "need not be in the same order",
                    hint="put it back, or import the days behind it by a job of another name",
                )
            self._web.save(f"{self._settings.url}/api/2.0/export", path, self._asked(day))
        with path.open("rb") as file:
            file.seek(start)
            while lines := file.readlines(EXPORT_CHUNK_BYTES)[:EXPORT_CHUNK_LINES]:
                start += sum(map(len, lines))
                file.seek(start)
                rows, refused = to_rows([line for line in lines if line.strip()], self._settings)
                yield Chunk(rows, _mark(Place(day.isoformat(), start)), refused, done, total)
        following = Place((day + timedelta(days=1)).isoformat())
        yield Chunk(ROWS.empty_table(), _mark(following), done=done + 1, total=total)
        # Only now, when the mark is on disk: a kill in front of it needs the file again.
        path.unlink()

    def _forget_before(self, day: str) -> None:
        """Files of days that are imported: a kill behind the mark leaves one."""
        for path in self._context.folder.glob("export-*.jsonl*"):
            if path.name < f"export-{day}":
                path.unlink()

    def _file(self, day: date) -> Path:
        return self._context.folder / f"export-{day.isoformat()}.jsonl"

    def _asked(self, day: date) -> dict[str, str]:
        asked = {"from_date": day.isoformat(), "to_date": day.isoformat()}
        if self._settings.project_id:
            asked["project_id"] = self._settings.project_id
        if self._settings.events:
            asked["event"] = json.dumps(list(self._settings.events))
        return asked


def _mark(place: Place) -> dict[str, bytes | None]:
    return {_MARK: msgspec.json.encode(place)}
