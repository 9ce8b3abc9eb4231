"""Files that are whole or not there, after a power cut too."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from headrace.errors import StorageError


def write(path: Path, data: bytes) -> None:
    """Replace a file; on disk when this returns.

    Raises:
        StorageError: disk full, read-only or not ours.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written: {error.strerror}", hint="free space, or check its owner"
        ) from error


def read(path: Path) -> bytes | None:
    """A file's bytes; None when there is none.

    Raises:
        StorageError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}") from error


def write_folder(folder: Path, contents: dict[str, bytes]) -> None:
    """Replace a folder by one with these files; it appears under its name when all are on disk.

    Raises:
        StorageError: as for ``write``.
    """
    temporary = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    for name, data in contents.items():
        write(temporary / name, data)
    try:
        if folder.exists():
            shutil.rmtree(folder)
        temporary.replace(folder)
        sync(folder.parent)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written: {error.strerror}") from error


def sync(path: Path) -> None:
    """Make a file's bytes, or the renames in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
