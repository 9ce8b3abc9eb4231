"""A part of a batch as the value of a Kafka message, and the headers that name it.

Both encodings bring their schema with them, so no registry has to be asked:

- **arrow**: one Arrow IPC stream, the ``arrow`` format of the wire contract without its zstd frame
  (Kafka compresses). ``pyarrow.ipc.open_stream`` reads it.
- **avro**: one ``headrace.Batch`` (``batch.avsc``) in Avro's single-object encoding: ``C3 01``, the
  schema's CRC-64 fingerprint, the body. The schema itself is in the header ``avro.schema``.

The headers say which readings a message holds, so that a reader can tell a repeated one without
decoding it: (device, stream, first_seq, rows) names the same readings for ever.
"""

from __future__ import annotations

import io
import json
from functools import cache
from importlib.resources import files
from typing import Any

import pyarrow as pa

from gateway.sinks.parts import Part
from headrace.codecs import arrow

Headers = list[tuple[str, str | bytes | None]]


def headers(part: Part, *, site: str, encoding: str) -> Headers:
    """Site, identity and encoding of a message."""
    entry = part.entry
    pairs = {
        "headrace.site": site,
        "headrace.device": entry.device,
        "headrace.stream": entry.stream,
        "headrace.first_seq": str(part.first_seq),
        "headrace.rows": str(part.rows.num_rows),
        "headrace.offset": str(entry.offset),
        "headrace.encoding": encoding,
    }
    if encoding == "avro":
        pairs["avro.schema"] = _schema_text()
    return [(name, value.encode()) for name, value in pairs.items()]


def arrow_value(part: Part) -> bytes:
    """The part as an Arrow IPC stream."""
    entry = part.entry
    return arrow.encode_plain(
        part.rows, stream=entry.stream, first_seq=part.first_seq, units=entry.units,
        clock=entry.clock,
    )  # fmt: skip


def avro_value(part: Part, *, site: str) -> bytes:
    """The part as one Avro record."""
    import fastavro

    schema, prefix = _schema()
    entry = part.entry
    body = io.BytesIO()
    body.write(prefix)
    record = {
        "site": site,
        "device": entry.device,
        "stream": entry.stream,
        "first_seq": part.first_seq,
        "offset": entry.offset,
        "received": entry.received_at,
        "clock": entry.clock,
        "units": dict(entry.units),
        "readings": _readings(part.rows),
    }
    fastavro.schemaless_writer(body, schema, record)
    return body.getvalue()


def _readings(rows: pa.RecordBatch) -> list[dict[str, Any]]:
    """Rows as what fastavro takes; times stay numbers, which costs a third of datetimes."""
    micros = rows.column("time").cast(pa.int64())
    columns = [
        rows.column("name").cast(pa.utf8()),
        micros,
        rows.column("value"),
        rows.column("text"),
    ]
    batch = pa.RecordBatch.from_arrays(columns, names=["name", "time", "value", "text"])
    found: list[dict[str, Any]] = batch.to_pylist()
    return found


@cache
def _schema_text() -> str:
    text = files(__package__).joinpath("batch.avsc").read_text(encoding="utf-8")
    return json.dumps(json.loads(text), separators=(",", ":"))


@cache
def _schema() -> tuple[Any, bytes]:
    """The parsed schema, and the marker and fingerprint that every value begins with."""
    from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

    parsed = parse_schema(json.loads(_schema_text()))
    digest = fingerprint(to_parsing_canonical_form(parsed), "CRC-64-AVRO")
    return parsed, b"\xc3\x01" + bytes.fromhex(digest)
