"""Columns to bytes that are appended to a part, and a whole part to a file.

======== ======================================= ==============================================
format   a delivery appends                      when the part is whole
======== ======================================= ==============================================
ndjson   one line a reading                      it is the file
csv      one line a reading; a header is first   it is the file
arrow    an IPC stream                           one IPC file, zstd
parquet  an IPC stream                           one Parquet file, zstd, row groups of a delivery
======== ======================================= ==============================================

With gzip each delivery is a gzip member; members behind one another are one gzip file (RFC 1952).
"""

from __future__ import annotations

import gzip
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from gateway.consumer import Rejected
from gateway.sinks.columns import Columns
from gateway.sinks.file.config import FileSettings
from gateway.sinks.file.table import SCHEMA, table
from gateway.sinks.texts import TEXT, join, quoted


class Format(ABC):
    """One file format; holds no state."""

    suffix: str

    def writable(self, columns: Columns) -> tuple[Columns, list[Rejected]]:
        """What the format can say, and the rejections of the rest."""
        return columns, []

    @abstractmethod
    def encode(self, columns: Columns, site: str, *, first: bool) -> bytes:
        """What a delivery appends; ``first`` is at the part's beginning."""

    def convert(self, part: Path, target: Path) -> bool:
        """Write a whole part as a file; False: the part is the file."""
        return False


class NdJson(Format):
    """``{"site":…,"device":…,"name":…,"time":…,"value":…,"unit":…,"stream":…,"seq":…,"received":…}``."""

    suffix = ".ndjson"

    def writable(self, columns: Columns) -> tuple[Columns, list[Rejected]]:
        finite = pc.is_finite(columns.value).fill_null(True).to_numpy(zero_copy_only=False)
        return columns.take(finite), columns.rejections(
            ~finite, "not_finite", "JSON has no infinity and no NaN"
        )

    def encode(self, columns: Columns, site: str, *, first: bool) -> bytes:
        made = table(columns, site)
        column = made.column
        parts: list[pa.Array | str] = [
            f'{{"site":{quoted(site)},"device":', _quoted(column("device")),
            ',"name":', _quoted(column("name")),
            ',"time":"', _iso(column("time")), '",', _value(made),
            pc.coalesce(join(',"unit":', _quoted(column("unit"))), pa.scalar("", TEXT)),
            ',"stream":', _quoted(column("stream")), ',"seq":', column("seq").cast(TEXT),
            ',"received":"', _iso(column("received")), '"}\n',
        ]  # fmt: skip
        lines = join(*parts).combine_chunks()
        _, _, data = lines.buffers()
        return bytes(data)[: pc.sum(pc.binary_length(lines)).as_py() or 0]


class Csv(Format):
    """RFC 4180 with a header; a null is empty, an empty text is ``""``."""

    suffix = ".csv"

    def encode(self, columns: Columns, site: str, *, first: bool) -> bytes:
        made = table(columns, site)
        plain = [
            pa.utf8() if pa.types.is_dictionary(field.type) else field.type for field in SCHEMA
        ]
        made = made.cast(pa.schema(list(zip(SCHEMA.names, plain, strict=True))))
        for name in ("time", "received"):
            made = made.set_column(made.column_names.index(name), name, _iso(made.column(name)))
        sink = pa.BufferOutputStream()
        pa.csv.write_csv(made, sink, pa.csv.WriteOptions(include_header=first))
        return bytes(sink.getvalue())


class Arrow(Format):
    """Arrow IPC."""

    suffix = ".arrow"
    _OPTIONS: Final = pa.ipc.IpcWriteOptions(compression="zstd", unify_dictionaries=True)

    def encode(self, columns: Columns, site: str, *, first: bool) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, SCHEMA, options=self._OPTIONS) as writer:
            writer.write_table(table(columns, site))
        return bytes(sink.getvalue())

    def convert(self, part: Path, target: Path) -> bool:
        # An IPC file has one dictionary a column, so the deliveries' must be made one first.
        whole = pa.concat_tables(_deliveries(part)).unify_dictionaries()
        with pa.OSFile(str(target), "wb") as out, pa.ipc.new_file(out, SCHEMA, options=self._OPTIONS) as writer:  # fmt: skip
            writer.write_table(whole)
        return True


class Parquet(Arrow):
    """Parquet."""

    suffix = ".parquet"

    def convert(self, part: Path, target: Path) -> bool:
        with pq.ParquetWriter(target, SCHEMA, compression="zstd") as writer:
            for delivery in _deliveries(part):
                writer.write_table(delivery)
        return True


class Gzip(Format):
    """A text format, packed."""

    def __init__(self, inner: Format) -> None:
        self._inner = inner
        self.suffix = f"{inner.suffix}.gz"

    def writable(self, columns: Columns) -> tuple[Columns, list[Rejected]]:
        return self._inner.writable(columns)

    def encode(self, columns: Columns, site: str, *, first: bool) -> bytes:
        return gzip.compress(self._inner.encode(columns, site, first=first), compresslevel=1)


_FORMATS: Final[dict[str, Format]] = {
    made.suffix: made for made in (NdJson(), Csv(), Arrow(), Parquet(), Gzip(NdJson()), Gzip(Csv()))
}


def make_format(settings: FileSettings) -> Format:
    """The format of these settings."""
    return _FORMATS[f".{settings.format}{'.gz' if settings.gzip else ''}"]


def format_of(name: str) -> Format:
    """The format of a file with that name; settings may have changed since it was begun."""
    return _FORMATS[name[name.index(".") :]]


def _deliveries(part: Path) -> Iterator[pa.Table]:
    """The IPC streams of a part, which stand one behind another."""
    size = part.stat().st_size
    with pa.OSFile(str(part), "rb") as source:
        while source.tell() < size:
            with pa.ipc.open_stream(source) as reader:
                yield reader.read_all()


def _iso(times: pa.ChunkedArray) -> pa.Array:
    """``2026-11-23T07:47:11.000001Z``; a date is worked out once per second, for it costs 1 µs."""
    micros = times.combine_chunks().view(pa.int64()).to_numpy()
    seconds, places = np.unique(micros // 1_000_000, return_inverse=True)
    dates = pa.array(seconds).cast(pa.timestamp("s")).cast(TEXT)
    digits = pc.utf8_lpad(pa.array(micros % 1_000_000).cast(TEXT), 6, "0")
    return join(pc.utf8_replace_slice(dates, 10, 11, "T").take(pa.array(places)), ".", digits, "Z")


def _value(made: pa.Table) -> pa.Array:
    number = join('"value":', made.column("value").cast(TEXT))
    if made.column("value").null_count == 0:
        return number
    return pc.coalesce(number, join('"text":', _quoted(made.column("text").dictionary_encode())))


def _quoted(column: pa.ChunkedArray) -> pa.Array:
    """Labels as JSON strings; escapes are worked out once per label."""
    labels = column.combine_chunks()
    if isinstance(labels, pa.ChunkedArray):
        labels = labels.chunk(0)
    return pa.array([quoted(label) for label in labels.dictionary.to_pylist()], TEXT).take(labels.indices)  # fmt: skip
