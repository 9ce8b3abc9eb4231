"""Spoiling what has landed, as a faulty site or a bad disk would: files, manifests, and what they say of each other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from cloud_sync.config import CloudSync
from headrace.landing import DataFile, Manifest, decode, encode
from tests.journals import Journal, readings
from tests.lakes import pipeline

Edit = Callable[[pa.Table], pa.Table]

#: Readings that ``land_elsewhere`` lands.
ELSEWHERE = 7


def land_elsewhere(config: CloudSync, folder: Path, site: str = "south") -> None:
    """Seven readings of another site, which have to be registered whatever is wrong here."""
    other = Journal(folder / site / "journal.db", site=site)
    other.append("fan", readings(ELSEWHERE))
    pipeline(CloudSync(journal=type(config.journal)(path=other.path), lake=config.lake)).land()
    other.close()


def only_manifest(folder: Path) -> tuple[Path, Manifest]:
    """Of the site ``test``."""
    (path,) = (folder / "lake" / "landing" / "site=test").rglob("*.json")
    return path, decode(path.read_bytes(), path.name)


def change_manifest(folder: Path, **changes: Any) -> None:
    """The same manifest, saying something else."""
    path, manifest = only_manifest(folder)
    path.write_bytes(encode(msgspec.structs.replace(manifest, **changes)))


def tamper(folder: Path, edit: Edit, *, how: dict[str, Any] | None = None, **lies: object) -> None:
    """Change the only data file, and let the manifest speak of the changed file; ``lies`` on top.

    ``how``: what the writer of the file is told.
    """
    _, manifest = only_manifest(folder)
    (claim,) = manifest.files
    file = folder / "lake" / claim.path
    pq.write_table(edit(pq.read_table(file, partitioning=None)), file, **(how or {}))
    claim_again(folder, claim, **lies)


def claim_again(folder: Path, claim: DataFile, **lies: object) -> None:
    """Let the manifest speak of the only data file as it is now; ``lies`` on top."""
    data = (folder / "lake" / claim.path).read_bytes()
    claim = msgspec.structs.replace(
        claim, bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), **lies
    )
    change_manifest(folder, files=(claim,), rows=claim.rows)
