"""The data files that a table's manifests name.

A manifest is never changed, so each is read once: a round asks many times what is in the table, and a commit of
ours adds a manifest. Without that a first round over 400 days read 160,000 of them. What is kept is small, and
bounded by its entries; the oldest goes first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile, ManifestFile
from pyiceberg.typedef import Record

from cloud_sync.maintain.runs import File
from headrace.limits.maintain import KEPT_ENTRIES


@dataclass(frozen=True, slots=True)
class Entry:
    """A data file as a manifest names it."""

    file: File
    spec_id: int
    partition: Record


_lock: Final = threading.Lock()
_kept: Final[OrderedDict[str, tuple[Entry, ...]]] = OrderedDict()


def entries(files: FileIO, manifest: ManifestFile) -> tuple[Entry, ...]:
    """The files that are in the table by this manifest, those that it says to be gone left out."""
    path = manifest.manifest_path
    with _lock:
        known = _kept.get(path)
        if known is not None:
            _kept.move_to_end(path)
            return known
    found = tuple(_entry(data) for data in data_files(files, manifest))
    with _lock:
        _kept[path] = found
        while len(_kept) > 1 and sum(map(len, _kept.values())) > KEPT_ENTRIES:
            _kept.popitem(last=False)
    return found


def data_files(files: FileIO, manifest: ManifestFile) -> list[DataFile]:
    """The same, with all that pyiceberg needs to write them down again."""
    found = manifest.fetch_manifest_entry(files, discard_deleted=True)
    return [entry.data_file for entry in found]


def _entry(data: DataFile) -> Entry:
    file = File(data.file_path, data.file_size_in_bytes, data.record_count)
    return Entry(file, data.spec_id, data.partition)
