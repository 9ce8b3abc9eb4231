"""Messages of a topic as files of the lake: decoded as in a landing, and named so that another attempt puts the same.

A message is a batch and its name, as the gateway's Kafka sink writes them (headers ``headrace.site``, ``device``,
``stream``, ``first_seq``, ``rows``, ``encoding``). What does not decode is put aside with the reason, and costs no other.
Knows nothing of Spark: ``deploy/spark/stream.py`` brings the messages and commits the files.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from cloud_sync.landing.parquet import apart, encode_days, encode_odd
from headrace.batch import is_device_id
from headrace.errors import StorageCorrupt
from headrace.journal import JournalRow
from headrace.lake.readings import to_table
from headrace.lake.store import Store
from headrace.limits.lake import LANDING_MAX_ROWS

#: Where files of the table are put; others are ``odd`` and ``quarantine``.
STREAMED: Final = "streamed"


class Put(NamedTuple):
    """A file that is in the store."""

    kind: str
    uri: str
    rows: int


class Message(NamedTuple):
    """A message as it came, its site, and the batch that it says to be."""

    raw: dict[str, Any]
    site: str
    row: JournalRow


class Files:
    """What one task puts; names follow from micro-batch and task, so another attempt puts the same ones."""

    def __init__(self, store: Store, place: str, task: int) -> None:
        self._store = store
        self._place = place
        self._task = task
        self._number = 0

    def put(self, kind: str, data: Any, rows: int) -> Put:
        """One file."""
        path = f"{kind}/{self._place}/{self._task:06d}-{self._number:06d}.parquet"
        self._number += 1
        self._store.put(path, data)
        return Put(kind, self._store.uri(path), rows)

    def set_aside(self, raw: dict[str, Any], why: str) -> Put:
        """A message that is no batch, with the reason."""
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist([{**raw, "fault": why}]), sink)
        return self.put("quarantine", sink.getvalue(), 0)


def put_all(files: Files, messages: Iterable[dict[str, Any]]) -> Iterator[Put]:
    """The readings of messages as files, not more than a landing's at a time."""
    waiting: list[Message] = []
    for raw in messages:
        try:
            waiting.append(_message(raw))
        except (TypeError, ValueError) as error:
            yield files.set_aside(raw, f"its headers do not name it: {error}")
            continue
        if sum(each.row.rows for each in waiting) >= LANDING_MAX_ROWS:
            yield from _put(files, waiting)
            waiting = []
    yield from _put(files, waiting)


def _put(files: Files, waiting: list[Message]) -> Iterator[Put]:
    for site in sorted({each.site for each in waiting}):
        mine = [each for each in waiting if each.site == site]
        try:
            whole = to_table(site, [each.row for each in mine])
        except StorageCorrupt:
            # One that does not decode must not cost the others.
            faults = {id(each): _fault(each) for each in mine}
            for each in mine:
                if faults[id(each)]:
                    yield files.set_aside(each.raw, faults[id(each)])
            whole = to_table(site, [each.row for each in mine if not faults[id(each)]])
        table, odd = apart(whole)
        for file in encode_days(table):
            yield files.put(STREAMED, file.data, file.rows)
        odd_file = encode_odd(odd)
        if odd_file is not None:
            yield files.put("odd", odd_file.data, odd_file.rows)


def _message(raw: dict[str, Any]) -> Message:
    first, rows = int(raw["first_seq"]), int(raw["rows"])
    received = round(raw["timestamp"].timestamp() * 1e6)
    texts = [raw[name] for name in ("site", "device", "stream", "encoding")]
    if None in texts:
        raise ValueError("one of site, device, stream, encoding is missing")
    if not (is_device_id(raw["site"]) and is_device_id(raw["device"])):
        raise ValueError("site or device is no id")
    row = JournalRow(
        0, received, raw["device"], raw["stream"], first, first + rows - 1, rows, raw["encoding"],
        raw["value"],
    )  # fmt: skip
    return Message(raw, raw["site"], row)


def _fault(message: Message) -> str:
    try:
        to_table(message.site, [message.row])
    except StorageCorrupt as error:
        return error.message
    return ""
