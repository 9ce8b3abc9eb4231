"""The object store port on HDFS, through hdfs-native: the protocol in Rust, without Java or libhdfs.

HDFS has no conditional put, so an object is written under a name of its own and then renamed. The name
node does a rename at once, under its lock: replacing what is there (``put``) or refusing to
(``create``), so exactly one of several racing callers succeeds and a reader never sees half an object. The
bytes are flushed to the disks of the data nodes (``hsync``) before the rename.

Listings have no start: a folder is listed whole and cut here. So their cost grows with what was
registered long ago, where object stores answer from behind a name.

Name nodes, replication and Kerberos come from Hadoop's own files (HADOOP_CONF_DIR, or
``lake.hdfs.config_folder``) and the ticket cache, as for every other client.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from posixpath import basename, dirname, join
from typing import Any, Final

from fsspec import AbstractFileSystem
from hdfs_native import Client, WriteOptions
from hdfs_native.fsspec import HdfsFileSystem
from pyarrow import fs

from headrace.lake.config import Lake
from headrace.lake.store import Data, Store
from headrace.lake.stores.kind import StoreKind, failure
from headrace.limits.lake import STORE_RETRY_S

#: What a name node says when no retry will help. (hdfs-native knows few of them as errors of Python.)
_REFUSED: Final = (
    "AccessControlException", "ParentNotDirectory", "FileAlreadyExists", "InvalidPath", "Quota",
    "GSSError", "SASLError",
)  # fmt: skip
_REFUSALS: Final = (PermissionError, NotADirectoryError, FileExistsError)
_HINT: Final = "check the folder's owner and mode and the Kerberos ticket (has it expired? klist)"
#: By itself hdfs-native goes on for three minutes, with 15 attempts.
_RETRIES: Final = {
    "dfs.client.failover.max.attempts": "4",
    "dfs.client.failover.sleep.max.millis": str(int(STORE_RETRY_S * 1000 / 4)),
}
_WRITTEN: Final = WriteOptions(overwrite=True)


class HdfsStore(Store):
    """Files below one folder."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._root = f"/{lake.prefix}".rstrip("/")

    def uri(self, path: str) -> str:
        return f"hdfs://{self._lake.place}{self._full(path)}"

    @cached_property
    def _client(self) -> Any:
        return _client(self._lake)

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _put(self, path: str, data: Data) -> None:
        # Always the same temporary name: what a kill leaves behind is overwritten by the retry.
        self._write(path, f".{basename(path)}.part", data, replace=True)

    def _create(self, path: str, data: Data) -> bool:
        # A name of its own: two callers may race, and the loser must not touch the winner's bytes.
        temporary = f".{basename(path)}.{secrets.token_hex(4)}"
        try:
            self._write(path, temporary, data, replace=False)
        except FileExistsError:
            with suppress(FileNotFoundError):
                self._client.delete(join(dirname(self._full(path)), temporary))
            return False
        return True

    def _write(self, path: str, temporary: str, data: Data, *, replace: bool) -> None:
        target = self._full(path)
        written = join(dirname(target), temporary)
        self._client.mkdirs(dirname(target), create_parent=True)
        file = self._client.create(written, _WRITTEN)
        file.write(bytes(data))
        file.hsync()
        file.close()
        self._client.rename(written, target, replace)

    def _get(self, path: str) -> bytes | None:
        try:
            return bytes(self._client.read(self._full(path)).read())
        except FileNotFoundError:
            return None

    def _size(self, path: str) -> int | None:
        try:
            return int(self._client.get_file_info(self._full(path)).length)
        except FileNotFoundError:
            return None

    def _delete(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._client.delete(self._full(path))

    def _names(self, folder: str, after: str) -> list[str]:
        return [path for path in self._list(folder, is_folder=False) if path > after]

    def _folders(self, folder: str) -> list[str]:
        return self._list(folder, is_folder=True)

    def _tidy(self, folder: str, older_than_s: float) -> int:
        """Temporary files of writers that were killed."""
        before_ms = (time.time() - older_than_s) * 1_000
        try:
            found = list(self._client.list_status(self._full(folder)))
        except FileNotFoundError:
            return 0
        left = [
            each.path
            for each in found
            if basename(each.path).startswith(".") and each.modification_time < before_ms
        ]
        for path in left:
            self._client.delete(path)
        return len(left)

    def _list(self, folder: str, *, is_folder: bool) -> list[str]:
        try:
            found = [
                basename(each.path)
                for each in self._client.list_status(self._full(folder))
                if each.isdir == is_folder
            ]
        except FileNotFoundError:
            return []
        return sorted(f"{folder}/{name}" for name in found if not name.startswith("."))

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError) as error:
            said = str(error).partition("\\n")[0].partition("\n")[0]  # the rest is Java's stack
            is_refused = isinstance(error, _REFUSALS) or any(name in said for name in _REFUSED)
            raise failure(self._lake.uri, what, said, hint=_HINT if is_refused else "") from error


def _client(lake: Lake) -> Client:
    folder = lake.hdfs.config_folder
    return Client(
        f"hdfs://{lake.place}", _RETRIES, config_dir=None if folder is None else str(folder)
    )


class _HdfsFiles(HdfsFileSystem):  # type: ignore[misc,unused-ignore]
    """fsspec over our client, so that Arrow reads with the same configuration."""

    cachable = False

    def __init__(self, lake: Lake) -> None:
        # Not hdfs-native's own: that makes a client of its own, without our configuration.
        AbstractFileSystem.__init__(self)
        self.host, self.port = lake.place, None
        self.client = _client(lake)


def arrow_filesystem(lake: Lake) -> fs.FileSystem:
    """The same name node for Arrow's readers; their paths are absolute."""
    return fs.PyFileSystem(fs.FSSpecHandler(_HdfsFiles(lake)))


def arrow_path(uri: str) -> str:
    """``/folder/file`` of ``hdfs://host:port/folder/file``."""
    return "/" + uri.partition("://")[2].partition("/")[2]


KIND: Final = StoreKind(open=HdfsStore, filesystem=arrow_filesystem, arrow_path=arrow_path)
