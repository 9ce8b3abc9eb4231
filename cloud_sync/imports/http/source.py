"""Pages of an API, one request and one chunk each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from cloud_sync.imports.http.asked import Asked
from cloud_sync.imports.http.config import HttpSettings
from cloud_sync.imports.http.paging import Page, Place, following, request, start
from cloud_sync.imports.mapping import to_rows
from cloud_sync.imports.port import ROWS, Chunk, ImportContext, ImportSource
from cloud_sync.imports.records import dig, to_table
from cloud_sync.imports.web import Web
from headrace.errors import UsageError
from headrace.lake.config import read_secret

_MARK = "place"


class HttpSource(ImportSource):
    """An API whose records are in the order in which they came to be."""

    def __init__(self, settings: HttpSettings, context: ImportContext) -> None:
        self._settings = settings
        headers = {"Accept": "application/json"}
        if settings.auth_file is not None:
            headers[settings.auth_header] = read_secret(settings.auth_file)
        self._web = Web(
            headers=headers, per_minute=settings.requests_per_minute, clock=context.clock,
            should_stop=context.should_stop,
        )  # fmt: skip

    def chunks(self, marks: Mapping[str, bytes]) -> Iterator[Chunk]:
        said = marks.get(_MARK)
        place: Place | None = start(self._settings) if said is None else msgspec.json.decode(said, type=Place)  # fmt: skip
        asked, pages = Asked(marks), 0
        while place is not None:
            url, params = request(self._settings, place)
            answer = self._web.get(url, params)
            body = answer.json()
            records = self._records(body)
            own = asked.check(url, place, records)
            fresh = records[place.rows :]
            rows = to_rows(to_table(fresh), self._settings.mapping) if fresh else ROWS.empty_table()
            after = following(self._settings, place, Page(len(records), body, answer.links))
            pages += 1
            if after is None:
                mark = Place(place.token, max(place.rows, len(records)), place.before)
                yield Chunk(rows, {_MARK: msgspec.json.encode(mark)}, done=pages)
                return
            more = (
                asked.leave(url, place, after)
                if self._settings.paging in ("cursor", "link")
                else {}
            )
            place = msgspec.structs.replace(after, before=own)
            yield Chunk(rows, {_MARK: msgspec.json.encode(place), **more}, done=pages)

    def _records(self, body: Any) -> list[Mapping[str, Any]]:
        found = dig(body, self._settings.records)
        if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
            where = self._settings.records or "the whole answer"
            raise UsageError(f"{self._settings.url}: expected a list of objects at {where}, got {str(found)[:80]!r}", hint="set records")  # fmt: skip
        return found
