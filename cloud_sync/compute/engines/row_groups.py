"""Which row groups of a file can hold the rows that are wanted, by the statistics in its footer.

Arrow's dataset leaves out row groups by the statistics of numbers and times, and of texts, but not by those of dictionaries.
Our labels are dictionaries: of a file with twenty devices it would read all for one of them. So it is done here.
"""

from __future__ import annotations

from typing import Any, Final

from pyarrow import dataset, fs

from cloud_sync.compute.engines.port import Rows
from cloud_sync.compute.engines.shares import Piece
from headrace.lake.opening import arrow_path

FORMAT: Final = dataset.ParquetFileFormat()


def part(files: fs.FileSystem, uri: str, rows: Rows, piece: Piece | None = None) -> Any:
    """A file, or a piece of it, without what cannot be wanted; None where that is all of it.

    Opens the file for its footer, which stays with the part.
    """
    fragment = FORMAT.make_fragment(arrow_path(uri), files)
    footer = fragment.metadata
    found = [
        number
        for number in range(footer.num_row_groups)
        if _is_in(piece, footer.row_group(number)) and _can_hold(footer.row_group(number), rows)
    ]
    return fragment.subset(row_group_ids=found) if found else None


def _is_in(piece: Piece | None, group: Any) -> bool:
    return piece is None or piece.first <= _begins(group) < piece.end


def _can_hold(group: Any, rows: Rows) -> bool:
    time, device = _bounds(group, "time"), _bounds(group, "device")
    if time is not None and not (time[0] < rows.end_us and rows.first_us <= time[1]):
        return False
    first, last = rows.area.first_device.encode(), rows.area.last_device
    if device is None:
        return True
    return bool(first <= device[1] and (last is None or device[0] <= last.encode()))


def _bounds(group: Any, name: str) -> tuple[Any, Any] | None:
    """Least and greatest of a column in a row group, as they are stored; None where nobody has said."""
    columns = (group.column(at) for at in range(group.num_columns))
    found = next((each.statistics for each in columns if each.path_in_schema == name), None)
    if found is None or not found.has_min_max:
        return None
    return found.min_raw, found.max_raw


def _begins(group: Any) -> int:
    """The first byte of a row group."""
    first = group.column(0)
    dictionary: int | None = first.dictionary_page_offset
    return first.data_page_offset if dictionary is None else dictionary
