"""What each task of a cluster reads: files cut and gathered to shares of about one size.

A large file is cut at bytes, without opening it: whoever reads a piece takes the row groups that begin in it, so each
row group is in one piece of one share. Small files are gathered, and each counts for what opening it costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cloud_sync.compute.days import DataFile
from headrace.limits.compute import SPARK_FILE_BYTES, SPARK_LEAST_SHARE_BYTES, SPARK_SHARE_BYTES


class Piece(NamedTuple):
    """The row groups of a file that begin at a byte in [``first``, ``end``)."""

    uri: str
    first: int
    end: int


def shares(files: Iterable[DataFile], cores: int) -> list[list[Piece]]:
    """Pieces by task, in order of the files; for so many cores, if there is enough for them."""
    files = list(files)
    size = _size(sum(file.bytes for file in files), cores)
    found: list[list[Piece]] = []
    room = 0
    for piece in (piece for file in files for piece in _pieces(file, size)):
        if room <= 0:
            found.append([])
            room = size
        found[-1].append(piece)
        room -= piece.end - piece.first + SPARK_FILE_BYTES
    return found


def _size(total: int, cores: int) -> int:
    return max(SPARK_LEAST_SHARE_BYTES, min(SPARK_SHARE_BYTES, -(-total // cores)))


def _pieces(file: DataFile, size: int) -> Iterator[Piece]:
    """As many as it takes, of one length."""
    count = max(1, -(-file.bytes // size))
    step = -(-file.bytes // count)
    for first in range(0, file.bytes, step):
        yield Piece(file.uri, first, min(first + step, file.bytes))
