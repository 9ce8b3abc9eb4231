"""What can be asked, wherever the answer comes from: all of it is SQL with parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from headrace.client.result import Result
from headrace.query import phrases

Moment = str | datetime


class Connection(ABC):
    """A place to ask; a context manager. One thread at a time.

    Times are ISO 8601 texts (``"2026-11-23"``, ``"2026-11-23T08:00:00Z"``) or datetimes; without a zone
    they are UTC.
    """

    def readings(
        self, device: str | None = None, names: str | Sequence[str] = (),
        start: Moment | None = None, end: Moment | None = None, *, site: str | None = None,
        limit: int | None = None,
    ) -> Result:  # fmt: skip
        """Readings in order of site, device, name and time; ``start`` is inclusive, ``end`` is not."""
        return self.sql(
            *phrases.readings(
                device=device, names=_list(names), start=start, end=end, site=site, limit=limit
            )
        )

    def last(
        self, device: str | None = None, names: str | Sequence[str] = (), *, site: str | None = None
    ) -> Result:
        """The newest reading of each series."""
        return self.sql(*phrases.latest(device=device, names=_list(names), site=site))

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
        return Result(lambda: self._ask(statement, params))

    @abstractmethod
    def close(self) -> None:
        """Let go of what the connection holds."""

    @abstractmethod
    def _ask(self, sql: str, params: Mapping[str, Any] | Sequence[Any] | None) -> pa.Table:
        """The whole answer."""

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _list(names: str | Sequence[str]) -> Sequence[str]:
    return [names] if isinstance(names, str) else names
