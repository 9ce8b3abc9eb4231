"""How pyiceberg reaches files: where its own way does not do.

**On a local disk** Iceberg metadata must be there after a power cut. pyiceberg writes manifests and metadata files and hands their names to the catalogue, without asking
the disk for more than a promise. The catalogue's own SQLite file is fsynced: after a power cut it
could point to a metadata file of zero bytes, and the table would be gone although its data is not.
So on a local folder each metadata file is fsynced, with its folder, before it is closed.

**On Google's, Azure's and Hadoop's stores** pyiceberg's properties lack something: an emulator without
credentials, ``container@account`` in an address, HDFS without Java. There it gets the file system that
the lake's other readers use. ``py-io-impl`` in ``[lake.catalogue.properties]`` takes another one.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from pyarrow import fs
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO

from headrace.lake.opening import arrow_filesystem, arrow_path, lake_of
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


class LakeFileIO(PyArrowFileIO):  # type: ignore[misc,unused-ignore]
    """pyiceberg's file access, by the file system of the lake's own readers."""

    @staticmethod
    def parse_location(location: str, properties: Any = None) -> tuple[str, str, str]:
        scheme, _, rest = location.partition("://")
        return scheme, rest.partition("/")[0], arrow_path(location)

    def _initialize_fs(self, scheme: str, netloc: str | None = None) -> fs.FileSystem:
        return arrow_filesystem(lake_of(self.properties))
