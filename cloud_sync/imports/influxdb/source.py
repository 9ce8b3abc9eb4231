"""A database's history, from a start up to what has settled; the next run goes on behind it.

Rows that are written later with times before the mark are not seen any more: ``settle_s`` says how long
rows may be on their way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from cloud_sync.imports.influxdb.config import InfluxSettings, instant_us
from cloud_sync.imports.influxdb.keyset import Keyset
from cloud_sync.imports.influxdb.page import to_rows
from cloud_sync.imports.influxdb.v1 import InfluxV1
from cloud_sync.imports.influxdb.v2 import InfluxV2
from cloud_sync.imports.influxdb.v3 import InfluxV3
from cloud_sync.imports.port import Chunk, ImportContext, ImportSource
from cloud_sync.imports.web import Web
from headrace.errors import InputError
from headrace.lake.config import read_secret

_WINDOW = "window"


class InfluxSource(ImportSource):
    """One database or bucket."""

    def __init__(self, settings: InfluxSettings, context: ImportContext) -> None:
        self._settings = settings
        self._clock = context.clock
        self._web = Web(
            headers=_token(settings), auth=_password(settings), clock=context.clock,
            per_minute=settings.requests_per_minute, should_stop=context.should_stop,
        )  # fmt: skip

    def chunks(self, marks: Mapping[str, bytes]) -> Iterator[Chunk]:
        start = instant_us(self._settings.start)
        settled = self._clock.now_us() - round(self._settings.settle_s * 1e6)
        end = min(instant_us(self._settings.end), settled) if self._settings.end else settled
        if self._settings.api == "v2":
            yield from self._windows(start, end, marks)
            return
        kind = InfluxV1 if self._settings.api == "v1" else InfluxV3
        yield from self._pages(kind(self._web, self._settings), start, end, marks)

    def _pages(
        self, keyset: Keyset, start: int, end: int, marks: Mapping[str, bytes]
    ) -> Iterator[Chunk]:
        names = list(self._settings.measurements) or keyset.measurements()
        if not names:
            raise InputError(
                f"database {self._settings.database!r} has no measurements", hint="check its name"
            )
        for number, name in enumerate(names):
            key = f"measurement:{name}"
            after = marks[key].decode() if key in marks else keyset.first(start)
            for page, place in keyset.pages(name, after, end):
                rows = to_rows(page, self._settings)
                yield Chunk(rows, {key: place.encode()}, done=number, total=len(names))

    def _windows(self, start: int, end: int, marks: Mapping[str, bytes]) -> Iterator[Chunk]:
        begin = msgspec.json.decode(marks[_WINDOW], type=int) if _WINDOW in marks else start
        for rows, stop in InfluxV2(self._web, self._settings).windows(begin, end):
            mark = msgspec.json.encode(stop)
            yield Chunk(rows, {_WINDOW: mark}, done=stop - start, total=end - start)


def _token(settings: InfluxSettings) -> dict[str, str]:
    if settings.token_file is None:
        return {}
    scheme = "Bearer" if settings.api == "v3" else "Token"
    return {"Authorization": f"{scheme} {read_secret(settings.token_file)}"}


def _password(settings: InfluxSettings) -> tuple[str, str] | None:
    if settings.password_file is None:
        return None
    return settings.username, read_secret(settings.password_file)
