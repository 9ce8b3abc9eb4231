"""A lake asked in this process, with its landing zone and, where it is on this machine, the journal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from headrace.client.connection import Connection, Parameters
from headrace.errors import UsageError
from headrace.query.ask import Questions
from headrace.query.config import Place


class LocalConnection(Connection):
    """Each question looks at the lake anew."""

    def __init__(self, place: Place) -> None:
        self._questions: Questions | None = Questions(place)

    def close(self) -> None:
        if self._questions is not None:
            self._questions.close()
            self._questions = None

    @contextmanager
    def _stream(self, sql: str, params: Parameters) -> Iterator[pa.RecordBatchReader]:
        if self._questions is None:
            raise UsageError("this connection is closed", hint="headrace.connect(…) opens another")
        with self._questions.ask(sql, params) as answer:
            yield answer.reader
