"""A lake asked in this process, with its landing zone and, where it is on this machine, the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from headrace.client.connection import Connection
from headrace.query.ask import Questions
from headrace.query.config import Place


class LocalConnection(Connection):
    """Each question looks at the lake anew."""

    def __init__(self, place: Place) -> None:
        self._questions = Questions(place)

    def close(self) -> None:
        self._questions.close()

    def _ask(self, sql: str, params: Mapping[str, Any] | Sequence[Any] | None) -> pa.Table:
        with self._questions.ask(sql, params) as answer:
            return answer.reader.read_all()
