"""Iceberg metadata on a local disk that is there after a power cut.

pyiceberg writes manifests and metadata files and hands their names to the catalogue, without asking
the disk for more than a promise. The catalogue's own SQLite file is fsynced: after a power cut it
could point to a metadata file of zero bytes, and the table would be gone although its data is not.
So on a local folder each metadata file is fsynced, with its folder, before it is closed.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO

from headrace.lake.store import sync_folder


class SyncedFileIO(PyArrowFileIO):  # type: ignore[misc,unused-ignore]
    """pyiceberg's file access, with outputs that are on disk when they are closed."""

    def new_output(self, location: str) -> PyArrowFile:
        made = super().new_output(location)
        return _SyncedFile(made.location, made._path, made._filesystem)


class _SyncedFile(PyArrowFile):  # type: ignore[misc,unused-ignore]
    def create(self, overwrite: bool = False) -> Any:
        path = Path(self._path)
        path.parent.mkdir(parents=True, exist_ok=True)
        return _SyncedStream(path, "wb" if overwrite else "xb")


class _SyncedStream(io.FileIO):
    def __init__(self, path: Path, mode: str) -> None:
        super().__init__(path, mode)
        self._folder = path.parent

    def close(self) -> None:
        if not self.closed:
            os.fsync(self.fileno())
            super().close()
            sync_folder(self._folder)
