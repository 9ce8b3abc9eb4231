"""Raw files: names, columns, bytes. Plain Parquet, so that they outlive this program.

::

    raw/site=<site>/journal=<id>/day=<day of arrival>/<first>-<last>.parquet              journal offsets
    raw/site=<site>/journal=<id>/day=<day of arrival>/quarantine-<first>-<last>.parquet   quarantine ids

One row is one payload. ``kind`` is ``batch``, ``damaged`` (a journal row that could not be read any more:
no payload) or ``quarantined`` (with topic, reason and detail). A batch holds the readings ``first_seq`` to
``last_seq`` of (device, stream) in ``format``, as docs/wire.md says. Pages carry checksums. A day is a
folder, so that retention removes whole files, and ``SELECT … FROM 'raw/**/*.parquet'`` works anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.codecs.columns import TIME_TYPE
from headrace.errors import LakeError
from headrace.lake.store import Store
from headrace.limits.lake import RAW_READ_PAYLOADS, RAW_ROW_GROUP_PAYLOADS

PREFIX: Final = "raw"
QUARANTINE: Final = "quarantine-"

_LABEL: Final = pa.dictionary(pa.int32(), pa.utf8())

SCHEMA: Final = pa.schema(
    [
        pa.field("kind", _LABEL, nullable=False),
        pa.field("number", pa.int64(), nullable=False),
        pa.field("received", TIME_TYPE, nullable=False),
        pa.field("device", _LABEL),
        pa.field("stream", _LABEL),
        pa.field("first_seq", pa.int64()),
        pa.field("last_seq", pa.int64()),
        pa.field("rows", pa.int64()),
        pa.field("format", _LABEL),
        pa.field("payload", pa.binary()),
        pa.field("topic", pa.utf8()),
        pa.field("reason", _LABEL),
        pa.field("detail", pa.utf8()),
    ]
)
_LABELS: Final = ["kind", "device", "stream", "format", "reason", "topic"]
_NAME: Final = re.compile(
    r"(?:^|/)site=([^/]+)/journal=([0-9a-f]{16})/day=(\d{4}-\d{2}-\d{2})/"
    r"(quarantine-)?([0-9]{20})-([0-9]{20})\.parquet$"
)


@dataclass(frozen=True, slots=True, order=True)
class RawName:
    """What a raw file's path says."""

    site: str
    journal: str
    is_quarantine: bool
    first: int
    last: int
    day: str
    path: str


@dataclass(frozen=True, slots=True)
class Payload:
    """One row of a raw file; ``received_at`` in microseconds since 1970 UTC."""

    kind: str
    number: int
    received_at: int
    device: str
    stream: str
    first_seq: int
    last_seq: int
    rows: int
    format: str
    payload: bytes
    topic: str = ""
    reason: str = ""
    detail: str = ""


def folder(site: str, journal: str, day: str = "") -> str:
    """Where the payloads of a journal, or of one day of it, are."""
    place = f"{PREFIX}/site={site}/journal={journal}"
    return f"{place}/day={day}" if day else place


def path(site: str, journal: str, day: str, first: int, last: int, *, quarantine: bool) -> str:
    """The one name of a range: a retry after a kill writes the same object."""
    start = QUARANTINE if quarantine else ""
    return f"{folder(site, journal, day)}/{start}{first:020d}-{last:020d}.parquet"


def parse(path: str) -> RawName | None:
    """The parts of a raw file's path, or None for any other object."""
    match = _NAME.search(path)
    if match is None:
        return None
    site, journal, day, kind, first, last = match.groups()
    return RawName(site, journal, bool(kind), int(first), int(last), day, path)


def day_of(time_us: int) -> str:
    """The UTC day of a time of arrival."""
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).date().isoformat()


def listed(store: Store, *, site: str = "") -> list[RawName]:
    """All raw files of a lake, or of one site, in order of their offsets."""
    found = [
        parse(name)
        for place in store.folders(PREFIX)
        if not site or place.endswith(f"/site={site}")
        for journal in store.folders(place)
        for day in store.folders(journal)
        for name in store.names(day)
    ]
    return sorted(each for each in found if each is not None)


def encode(payloads: Sequence[Payload]) -> pa.Buffer:
    """The bytes of a raw file."""
    columns: dict[str, list[object]] = {
        "kind": [each.kind for each in payloads],
        "number": [each.number for each in payloads],
        "received": [each.received_at for each in payloads],
        "device": [each.device or None for each in payloads],
        "stream": [each.stream or None for each in payloads],
        "first_seq": [each.first_seq or None for each in payloads],
        "last_seq": [each.last_seq or None for each in payloads],
        "rows": [each.rows or None for each in payloads],
        "format": [each.format or None for each in payloads],
        "payload": [each.payload or None for each in payloads],
        "topic": [each.topic or None for each in payloads],
        "reason": [each.reason or None for each in payloads],
        "detail": [each.detail or None for each in payloads],
    }
    arrays = [_column(columns[field.name], field.type) for field in SCHEMA]
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_arrays(arrays, schema=SCHEMA), sink,
        compression="zstd", compression_level=3, use_dictionary=_LABELS,
        column_encoding={"number": "DELTA_BINARY_PACKED", "received": "DELTA_BINARY_PACKED"},
        write_statistics=["number", "received", "device"], write_page_checksum=True,
        row_group_size=RAW_ROW_GROUP_PAYLOADS, store_schema=False,
    )  # fmt: skip
    return sink.getvalue()


def _column(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, pa.utf8()).dictionary_encode()
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.int64()).cast(kind)
    return pa.array(values, kind)


def decode(store: Store, name: RawName) -> Iterator[list[Payload]]:
    """The payloads of a raw file, some at a time.

    Raises:
        LakeError: it is gone, or not what was written: pages carry checksums.
    """
    data = store.get(name.path)
    if data is None:
        raise LakeError(f"{name.path}: listed but gone", hint="retention may have removed it")
    try:
        with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
            for batch in file.iter_batches(batch_size=RAW_READ_PAYLOADS):
                yield [_payload(row) for row in _rows(batch)]
    except (pa.ArrowException, OSError) as error:
        raise LakeError(f"{name.path}: cannot be read: {error}", hint="it is damaged; replay without its day") from error  # fmt: skip


def _rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    at = batch.schema.get_field_index("received")
    micros = batch.column(at).cast(pa.int64())
    rows: list[dict[str, Any]] = batch.set_column(at, "received_at", micros).to_pylist()
    return rows


def _payload(row: dict[str, Any]) -> Payload:
    blank: dict[str, Any] = {"payload": b"", "first_seq": 0, "last_seq": 0, "rows": 0}
    return Payload(
        **{key: blank.get(key, "") if value is None else value for key, value in row.items()}
    )
