"""The newest metadata file of an Iceberg table, found at its place without a catalogue.

pyiceberg numbers them ``00012-<uuid>.metadata.json``, others ``v12.metadata.json``. Looking into a folder
is more than pyiceberg's FileIO port has, so it is done through the Arrow filesystem below it.
"""

from __future__ import annotations

import re
from typing import Final

from pyarrow.fs import FileSelector
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import PyArrowFileIO

from headrace.errors import LakeError

_NUMBER: Final = re.compile(r"v?([0-9]+)(?:-[^/]*)?\.metadata\.json$")


def newest_metadata(files: FileIO, location: str) -> str:
    """Address of the metadata file with the highest number.

    Raises:
        LakeError: there is none, or the store cannot be listed this way.
    """
    if not isinstance(files, PyArrowFileIO):
        raise LakeError(f"{location}: cannot be listed through {type(files).__name__}")
    scheme, netloc, folder = files.parse_location(f"{location}/metadata", files.properties)
    filesystem = files.fs_by_scheme(scheme, netloc)
    found = [
        (int(match[1]), info.mtime, info.base_name)
        for info in filesystem.get_file_info(FileSelector(folder, allow_not_found=True))
        if (match := _NUMBER.fullmatch(info.base_name))
    ]
    if not found:
        raise LakeError(
            f"no metadata of a table at {location}",
            hint="`cloud-sync restore-table --anew` registers again what is in the landing zone",
        )
    return f"{location}/metadata/{max(found)[2]}"
