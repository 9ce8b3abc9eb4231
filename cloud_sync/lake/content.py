"""What a landed data file holds, by the names of its readings: in columns, whatever the number of streams."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from headrace.errors import LakeError
from headrace.lake.readings import READINGS_SCHEMA
from headrace.lake.store import Store
from headrace.landing import DataFile, Seen
from headrace.ranges import Range

#: Ranges of seqs by (device, stream), in order.
Repeated = Mapping[tuple[str, str], Sequence[Range]]

_LABELS: Final = [field.name for field in READINGS_SCHEMA if pa.types.is_dictionary(field.type)]


def read(store: Store, file: DataFile) -> pa.Table:
    """A data file as landing had it in memory.

    Raises:
        LakeError: it is not what its manifest says.
    """
    data = store.get(file.path)
    if data is None or hashlib.sha256(data).hexdigest() != file.sha256:
        raise LakeError(f"{file.path}: its content is not what its manifest says")
    try:
        table = pq.read_table(pa.BufferReader(data), read_dictionary=_LABELS)
        return table.select(READINGS_SCHEMA.names).cast(READINGS_SCHEMA)
    except (pa.ArrowException, KeyError, OSError) as error:  # these are the bytes that were landed
        raise LakeError(f"{file.path}: cannot be read: {error}") from error


def seen(table: pa.Table) -> tuple[Seen, ...]:
    """The names of all readings, as a manifest says them."""
    if not table.num_rows:
        return ()
    pairs, devices, streams = _pairs(table)
    seqs = table.column("seq").to_numpy()
    order = np.lexsort((seqs, pairs))
    pairs, seqs = pairs[order], seqs[order]
    is_first = np.ones(len(seqs), np.bool_)
    is_first[1:] = (pairs[1:] != pairs[:-1]) | (seqs[1:] != seqs[:-1] + 1)
    starts = np.flatnonzero(is_first)
    ends = np.append(starts[1:], len(seqs)) - 1
    device_of, stream_of = list(devices), list(streams)
    ranges: dict[tuple[str, str], list[Range]] = {}
    for pair, first, last in zip(
        pairs[starts].tolist(), seqs[starts].tolist(), seqs[ends].tolist(), strict=True
    ):
        key = device_of[pair // len(streams)], stream_of[pair % len(streams)]
        ranges.setdefault(key, []).append((first, last))
    return tuple(Seen(*key, tuple(found)) for key, found in sorted(ranges.items()))


def places(table: pa.Table, repeated: Repeated) -> NDArray[np.bool_]:
    """Which rows have one of these names; cost grows with rows and streams, not with their product."""
    pairs, devices, streams = _pairs(table)
    order = np.argsort(pairs, kind="stable")
    ordered, seqs = pairs[order], table.column("seq").to_numpy()
    found = np.zeros(table.num_rows, np.bool_)
    for (of_device, of_stream), ranges in repeated.items():
        if of_device not in devices or of_stream not in streams:
            continue
        pair = devices[of_device] * len(streams) + streams[of_stream]
        low, high = np.searchsorted(ordered, pair), np.searchsorted(ordered, pair, side="right")
        rows = order[low:high]
        found[rows] = _inside(seqs[rows], ranges)
    return found


def _inside(seqs: NDArray[np.int64], ranges: Sequence[Range]) -> NDArray[np.bool_]:
    firsts = np.array([first for first, _ in ranges])
    lasts = np.array([last for _, last in ranges])
    at = np.searchsorted(firsts, seqs, side="right") - 1
    inside: NDArray[np.bool_] = (at >= 0) & (seqs <= lasts[np.maximum(at, 0)])
    return inside


def _codes(table: pa.Table, name: str) -> tuple[NDArray[np.int64], dict[str, int]]:
    """A column of labels as numbers, and which number each label has."""
    column = table.column(name).unify_dictionaries()
    labels = column.chunk(0).dictionary.to_pylist() if column.num_chunks else []
    codes = [chunk.indices.to_numpy().astype(np.int64) for chunk in column.chunks]
    numbers = {label: number for number, label in enumerate(labels)}
    return np.concatenate(codes) if codes else np.empty(0, np.int64), numbers


def _pairs(table: pa.Table) -> tuple[NDArray[np.int64], dict[str, int], dict[str, int]]:
    """A number per reading for its device and stream, and the numbers of those."""
    device, devices = _codes(table, "device")
    stream, streams = _codes(table, "stream")
    return device * max(len(streams), 1) + stream, devices, streams
