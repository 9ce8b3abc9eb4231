"""What can be asked, wherever the answer comes from: all of it is SQL with parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import pyarrow as pa

from headrace.client.known import Chosen
from headrace.client.known import check as check_known
from headrace.client.result import Result
from headrace.client.values import Moment, check_order, moment, plain
from headrace.errors import UsageError
from headrace.query import phrases

Parameters = Mapping[str, Any] | Sequence[Any] | None


class Connection(ABC):
    """A place to ask; a context manager. One thread at a time.

    Times are ISO 8601 texts (``"2026-11-23"``, ``"2026-11-23T08:00:00Z"``), dates or datetimes, of pandas and numpy
    too; without a zone they are UTC, and answers have UTC.
    """

    def readings(
        self, device: str | None = None, names: str | Iterable[str] | None = None,
        start: Moment | None = None, end: Moment | None = None, *, site: str | None = None,
        limit: int | None = None,
    ) -> Result:  # fmt: skip
        """Readings in order of site, device, name and time; ``start`` is inclusive, ``end`` is not.

        No device is all of them, no names are all that a device has. A device without readings in that time is an
        empty answer; one that there is not, and a name that it does not have, is an error when the answer is read.

        Raises:
            UsageError: the end is before the start, or something is of the wrong kind.
        """
        first, last = moment("start", start), moment("end", end)
        check_order(first, last)
        if limit is not None and limit < 0:
            raise UsageError(f"limit: expected 0 or more, got {limit}")
        chosen = Chosen.of(device, names, site)
        phrase = phrases.readings(
            device=chosen.device,
            names=chosen.names,
            site=chosen.site,
            start=first,
            end=last,
            limit=limit,
        )
        return self._known(phrase, None if limit == 0 else chosen)

    def last(
        self, device: str | None = None, names: str | Iterable[str] | None = None, *,
        site: str | None = None,
    ) -> Result:  # fmt: skip
        """The newest reading of each series; what there is not is an error, as of ``readings``."""
        chosen = Chosen.of(device, names, site)
        phrase = phrases.latest(device=chosen.device, names=chosen.names, site=chosen.site)
        return self._known(phrase, chosen)

    def devices(self) -> Result:
        """Devices: how many series each has, and when it spoke last."""
        return self.sql(phrases.DEVICES)

    def series(self, device: str | None = None, *, site: str | None = None) -> Result:
        """Series with their unit and newest time; the view ``series`` also counts their readings."""
        return self.sql(*phrases.series(device=device, site=site))

    def tables(self) -> Result:
        """The views, their columns and types."""
        return self.sql(phrases.TABLES)

    def sql(
        self, statement: str, params: Mapping[str, Any] | Sequence[Any] | None = None
    ) -> Result:
        """One statement that reads, with values for its ``$name`` or ``?``."""
        values: Parameters = plain(params)
        if isinstance(params, Mapping):
            values = {name: plain(value) for name, value in params.items()}
        return Result(lambda: self._stream(statement, values))

    @abstractmethod
    def close(self) -> None:
        """Let go of what the connection holds; nothing is asked of it any more."""

    @abstractmethod
    def _stream(self, sql: str, params: Parameters) -> AbstractContextManager[pa.RecordBatchReader]:
        """The answer as it comes."""

    def _known(self, phrase: phrases.Phrase, chosen: Chosen | None) -> Result:
        """Readings, or an error about what there is not of what was chosen."""

        def ask(sql: str, params: dict[str, Any]) -> list[dict[str, Any]]:
            return self.sql(sql, params).to_pylist()

        sql, params = phrase
        check = None if chosen is None else partial(check_known, ask, chosen)
        return Result(lambda: self._stream(sql, params), check)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
