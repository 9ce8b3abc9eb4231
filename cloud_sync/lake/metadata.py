"""The newest metadata file of an Iceberg table, found at its place without a catalogue.

pyiceberg numbers them ``00012-<uuid>.metadata.json``, others ``v12.metadata.json``. Looking into a folder
is more than pyiceberg's FileIO port has, so it is done through the Arrow filesystem below it. A file counts
when it is of the table that is looked for, and has what is on record: another table may have been
made at the same place, and a commit that was refused leaves its file behind.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Final

from pyarrow.fs import FileSelector
from pyiceberg.exceptions import ValidationError
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.serializers import FromInputFile
from pyiceberg.table.metadata import TableMetadata

from cloud_sync.lake.history import follows, state_of
from cloud_sync.lake.record import TableState
from headrace.errors import LakeError

log = logging.getLogger(__name__)

_NUMBER: Final = re.compile(r"v?([0-9]+)(?:-[^/]*)?\.metadata\.json$")
_HINT: Final = (
    "`--older` takes the newest of the table, and what it lacks is registered again; where there is none, `--anew` "
    "registers again what is in the landing zone"
)


def newest_metadata(
    files: FileIO, known: TableState, *, older: bool = False
) -> tuple[str, TableMetadata]:
    """Address and content of the newest metadata file of a table that has what is on record of it.

    Args:
        older: or else of the newest of the table.

    Raises:
        LakeError: there is none, or the store cannot be listed this way.
    """
    passed: list[str] = []
    for address in _addresses(files, known.location):
        metadata = _read(files, address)
        name = address.rpartition("/")[2]
        if metadata is None:
            passed.append(f"{name} cannot be read")
            continue
        found = state_of(metadata)
        if found.uuid != known.uuid:
            passed.append(f"{name} is of the table {found.uuid}")
        elif not older and (lost := found.lacks(known, follows=follows(metadata, known))):
            passed.append(f"{name}: {lost}")
        else:
            _say(passed)
            return address, metadata
    found_there = f"; found: {passed[0]}, and {len(passed) - 1} more" if passed else ""
    raise LakeError(
        f"no metadata of a table {known.uuid} at {known.location}{found_there}", hint=_HINT
    )


def _addresses(files: FileIO, location: str) -> Iterator[str]:
    """Metadata files at a table's place, the highest number first; of equal ones the younger."""
    if not isinstance(files, PyArrowFileIO):
        raise LakeError(f"{location}: cannot be listed through {type(files).__name__}")
    scheme, netloc, folder = files.parse_location(f"{location}/metadata", files.properties)
    filesystem = files.fs_by_scheme(scheme, netloc)
    found = [
        (int(match[1]), info.mtime, info.base_name)
        for info in filesystem.get_file_info(FileSelector(folder, allow_not_found=True))
        if (match := _NUMBER.fullmatch(info.base_name))
    ]
    for _, _, name in sorted(found, reverse=True):
        yield f"{location}/metadata/{name}"


def _read(files: FileIO, address: str) -> TableMetadata | None:
    try:
        return FromInputFile.table_metadata(files.new_input(address))
    except (ValidationError, ValueError) as error:
        log.warning("%s: not the metadata of a table: %s", address, error)
        return None


def _say(passed: list[str]) -> None:
    for each in passed:
        log.warning("passed over: %s", each)
