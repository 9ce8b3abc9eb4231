"""Which store a lake's address names, for the port, for Arrow and for pyiceberg.

A store's library is imported when an address asks for it: each takes up to 0.3 s of CPU and 40 MB, and most
machines have one of them. One that is not installed is named with the extra that brings it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import msgspec
from pyarrow import fs

from headrace.errors import UsageError
from headrace.lake.config import Lake
from headrace.lake.store import LocalStore, Store
from headrace.lake.stores.kind import StoreKind

#: Scheme of an address → module of ``headrace.lake.stores``, and the extra that it needs.
_KINDS: Final = {
    "s3": ("s3", "cloud"),
    "s3a": ("s3", "cloud"),
    "gs": ("gcs", "gcs"),
    "abfss": ("azure", "azure"),
    "hdfs": ("hdfs", "hdfs"),
}
_LAKE: Final = "headrace.lake"


def open_store(lake: Lake) -> Store:
    """The store; connects to nothing yet.

    Raises:
        UsageError: its library is not installed.
    """
    return LocalStore(lake.folder) if lake.is_local else _kind(lake.scheme).open(lake)


def arrow_filesystem(lake: Lake) -> fs.FileSystem:
    """The same place for Arrow's readers."""
    return fs.LocalFileSystem() if lake.is_local else _kind(lake.scheme).filesystem(lake)


def arrow_path(uri: str) -> str:
    """An object's path in ``arrow_filesystem``, from its address."""
    scheme, _, rest = uri.partition("://")
    return rest if scheme == "file" else _kind(scheme).arrow_path(uri)


def iceberg_properties(lake: Lake) -> dict[str, str]:
    """How pyiceberg reaches the lake's objects; holds no secret that is not pyiceberg's own property."""
    if lake.is_local:
        return {"py-io-impl": "headrace.lake.fileio.SyncedFileIO"}
    own = _kind(lake.scheme).properties
    if own is not None:
        return own(lake)
    text = msgspec.json.encode(lake, enc_hook=str).decode()
    return {"py-io-impl": "headrace.lake.fileio.LakeFileIO", _LAKE: text}


def lake_of(properties: dict[str, Any]) -> Lake:
    """The lake of ``iceberg_properties``: pyiceberg makes its file access from these alone."""
    return msgspec.json.decode(
        properties[_LAKE], type=Lake, dec_hook=lambda kind, value: kind(value)
    )


def _kind(scheme: str) -> StoreKind:
    module, extra = _KINDS[scheme]
    try:
        kind: StoreKind = import_module(f"headrace.lake.stores.{module}").KIND
    except ModuleNotFoundError as error:
        raise UsageError(
            f"a lake at {scheme}:// needs the Python package of {error.name}, which is not installed",
            hint=f"pip install 'headrace[{extra}]'",
        ) from error
    return kind
