"""What the lake needs of a kind of object store: the port, and the same place for Arrow's readers.

pyiceberg, DuckDB's scans and the port must see the same objects, so each kind says all three in one
file and exports them as ``KIND``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyarrow import fs

from headrace.lake.config import Lake
from headrace.lake.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreKind:
    """One kind.

    Args:
        open: the port; connects to nothing yet.
        filesystem: the same for Arrow.
        arrow_path: an object's path there, from its address.
        properties: pyiceberg's own words for the place; None where it lacks them, and its files go
            through ``filesystem`` (``headrace.lake.fileio.LakeFileIO``).
    """

    open: Callable[[Lake], Store]
    filesystem: Callable[[Lake], fs.FileSystem]
    arrow_path: Callable[[str], str]
    properties: Callable[[Lake], dict[str, str]] | None = None


def after_scheme(uri: str) -> str:
    """``bucket/key``: how Arrow names an object of a bucket."""
    return uri.partition("://")[2]
