"""The object store port, and its implementation on a local folder.

An object is put whole or not at all, and is on disk when ``put`` returns. Paths are relative to the
lake's root and use ``/``; listings are in order of the paths, so that what lies behind a watermark
is found without reading what lies before it. Whatever an implementation raises leaves the port as
``LakeUnavailable`` (heals by itself) or ``LakeError`` (does not).
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

from headrace.errors import LakeError, LakeUnavailable, StorageFull

#: What is stored: bytes, or an Arrow buffer (which is not typed).
Data = Any

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class Store(ABC):
    """Objects below one root."""

    def put(self, path: str, data: Data) -> None:
        """Store an object, replacing one of the same path; durable when this returns."""
        with self._errors(f"put {path}"):
            self._put(path, data)

    def create(self, path: str, data: Data) -> bool:
        """Store an object unless there is one; of two racing callers one gets True."""
        with self._errors(f"create {path}"):
            return self._create(path, data)

    def get(self, path: str, *, max_bytes: int | None = None) -> bytes | None:
        """An object's bytes; None when there is none.

        Raises:
            LakeError: it has more than ``max_bytes``; it is not read then.
        """
        if max_bytes is not None and (size := self.size(path) or 0) > max_bytes:
            raise LakeError(f"{path}: expected {max_bytes} bytes at most, got {size}")
        with self._errors(f"get {path}"):
            return self._get(path)

    def size(self, path: str) -> int | None:
        """An object's size in bytes; None when there is none."""
        with self._errors(f"look at {path}"):
            return self._size(path)

    def names(self, folder: str, *, after: str = "") -> list[str]:
        """Paths of the objects directly in ``folder``, in order, from behind ``after`` on."""
        with self._errors(f"list {folder}"):
            return self._names(folder, after)

    def folders(self, folder: str) -> list[str]:
        """Paths of the folders directly in ``folder``, in order."""
        with self._errors(f"list {folder}"):
            return self._folders(folder)

    def delete(self, path: str) -> None:
        """Remove an object; one that is not there is no error.

        Raises:
            LakeError: this identity may not remove objects.
        """
        with self._errors(f"delete {path}"):
            self._delete(path)

    def tidy(self, folder: str, *, older_than_s: float) -> int:
        """Remove what uploads have left behind in ``folder`` that began that long ago and never ended;
        how many. Nothing where there can be none, or where this identity may not look.
        """
        with self._errors(f"tidy {folder}"):
            return self._tidy(folder, older_than_s)

    @abstractmethod
    def uri(self, path: str) -> str:
        """The object's address as Iceberg knows it."""

    @abstractmethod
    def _errors(self, what: str) -> AbstractContextManager[None]: ...
    @abstractmethod
    def _put(self, path: str, data: Data) -> None: ...
    @abstractmethod
    def _create(self, path: str, data: Data) -> bool: ...
    @abstractmethod
    def _get(self, path: str) -> bytes | None: ...
    @abstractmethod
    def _size(self, path: str) -> int | None: ...
    @abstractmethod
    def _delete(self, path: str) -> None: ...
    @abstractmethod
    def _names(self, folder: str, after: str) -> list[str]: ...
    @abstractmethod
    def _folders(self, folder: str) -> list[str]: ...

    def _tidy(self, folder: str, older_than_s: float) -> int:
        return 0


class LocalStore(Store):
    """A folder: an object appears under its name by rename or link, after its bytes are on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def uri(self, path: str) -> str:
        return f"file://{self.root}/{path}"

    def _put(self, path: str, data: Data) -> None:
        target = self.root / path
        # Always the same temporary name: what a kill leaves behind is overwritten by the retry.
        with _written(target, f".{target.name}.part", data) as temporary:
            temporary.replace(target)

    def _create(self, path: str, data: Data) -> bool:
        target = self.root / path
        # A name of its own: two callers may race, and the loser must not touch the winner's bytes.
        with _written(target, f".{target.name}.{secrets.token_hex(4)}", data) as temporary:
            try:
                target.hardlink_to(temporary)
            except FileExistsError:
                return False
        return True

    def _get(self, path: str) -> bytes | None:
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            return None

    def _size(self, path: str) -> int | None:
        try:
            return (self.root / path).stat().st_size
        except FileNotFoundError:
            return None

    def _delete(self, path: str) -> None:
        (self.root / path).unlink(missing_ok=True)

    def _names(self, folder: str, after: str) -> list[str]:
        found = self._scan(folder, is_folder=False)
        return sorted(path for path in found if path > after)

    def _folders(self, folder: str) -> list[str]:
        return sorted(self._scan(folder, is_folder=True))

    def _tidy(self, folder: str, older_than_s: float) -> int:
        """Temporary files of writers that were killed."""
        before = time.time() - older_than_s
        left = [path for path in (self.root / folder).glob(".*") if path.stat().st_mtime < before]
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)

    def _scan(self, folder: str, *, is_folder: bool) -> list[str]:
        try:
            with os.scandir(self.root / folder) as entries:
                return [
                    f"{folder}/{entry.name}"
                    for entry in entries
                    if entry.is_dir() == is_folder and not entry.name.startswith(".")
                ]
        except FileNotFoundError:
            return []

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            message = f"lake {self.root}: cannot {what}: {error.strerror or error}"
            if error.errno in _FULL:
                raise StorageFull(message, hint="free space on that disk") from error
            if error.errno in (errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST):
                raise LakeError(message, hint="check the folder's owner and mode") from error
            hint = "mount it writable again" if error.errno == errno.EROFS else ""
            raise LakeUnavailable(message, hint=hint) from error


@contextmanager
def _written(target: Path, name: str, data: Data) -> Iterator[Path]:
    """A temporary file beside ``target`` with the bytes on disk; the folder is synced at the end."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / name
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Put the names of a folder's files on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
