"""Which batches came from which trace: a small file beside the journal, for the process that lands them.

::

    <data_dir>/traces    4,096 records of 32 bytes, written in turn:
                         last offset of the group (8, big-endian), trace id (16), span id (8)

A hint and no more: not synced, overwritten in turn, and begun anew with a new journal. Who finds nothing in it
starts a trace of his own. One process writes, others read; a record is written in one piece.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

FILE_NAME: Final = "traces"
RECORDS: Final = 4_096

_RECORD: Final = struct.Struct(">Q16s8s")


class Group(NamedTuple):
    """A group of batches up to an offset, and where its trace is."""

    last: int
    trace_id: int
    span_id: int


class Ring:
    """The one writer."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        newest = read(path)
        self._newest = newest[-1].last if newest else 0
        # Where it was does not matter: what is overwritten first is old either way.
        self._slot = len(newest) % RECORDS
        self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)

    def add(self, group: Group) -> None:
        """Remember a group.

        Raises:
            OSError: it cannot be written.
        """
        if group.last <= self._newest:  # the journal is another
            self._file.truncate(0)
            self._slot = 0
        self._newest = group.last
        self._file.seek(self._slot * _RECORD.size)
        self._file.write(_RECORD.pack(group.last, group.trace_id.to_bytes(16), group.span_id.to_bytes(8)))  # fmt: skip
        self._slot = (self._slot + 1) % RECORDS

    def close(self) -> None:
        self._file.close()


def read(path: Path) -> list[Group]:
    """All that is remembered, in order of offsets; nothing where it cannot be read."""
    try:
        data = path.read_bytes()[: RECORDS * _RECORD.size]
    except OSError:
        return []
    whole = data[: len(data) // _RECORD.size * _RECORD.size]
    found = (Group(last, int.from_bytes(trace), int.from_bytes(span)) for last, trace, span in _RECORD.iter_unpack(whole))  # fmt: skip
    return sorted(group for group in found if group.last and group.trace_id and group.span_id)


def between(groups: Sequence[Group], first: int, last: int) -> list[Group]:
    """Those that brought the offsets first to last."""
    found: list[Group] = []
    for group in groups:
        if group.last >= first:
            found.append(group)
        if group.last >= last:
            break
    return found
