"""The repository once more, as far as it was refreshed and fetched here, for others to read.

A gateway serves this folder to its agents, who verify it as if it were the repository itself. It is
also where this place's own copies of files come from when the repository is away.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from tuf.api.metadata import TargetFile

from headrace.models import files
from headrace.models.repository import ASSIGNMENTS_NAME, METADATA, TARGETS
from headrace.models.trust import Trust, fits

_TIMESTAMP: Final = "timestamp.json"

#: Generations of metadata that stay.
_KEPT: Final = 3


class Mirror:
    """A folder that may be served as it is, over HTTPS say."""

    def __init__(self, folder: Path, trust: Trust) -> None:
        self.folder = folder
        self._trust = trust

    def target(self, info: TargetFile) -> bytes:
        """A file's bytes: from here if they are there, else downloaded and kept here.

        Raises:
            TransportError: the repository is away or too slow.
            ModelUntrusted: other bytes than the signed ones.
        """
        folder, _, name = info.path.rpartition("/")
        parts = (TARGETS, folder, f"{info.hashes['sha256']}.{name}")
        path = "/".join(part for part in parts if part)
        data = files.read(self.folder / path)
        if data is not None and fits(info, data):
            return data
        data = self._trust.download(path, info)
        files.write(self.folder / path, data)
        return data

    def publish(self) -> None:
        """The verified metadata under the names that others ask for; the timestamp last."""
        verified, served = self._trust.folder, self.folder / METADATA
        for root in (verified / "root_history").glob("*.root.json"):
            _copy(root, served / root.name)
        for role in ("targets", "snapshot"):
            loaded = self._trust.load(role)
            if loaded is not None:
                _copy(verified / f"{role}.json", served / f"{loaded.signed.version}.{role}.json")
        _copy(verified / _TIMESTAMP, served / _TIMESTAMP)
        self._forget_old()

    def remove(self, name: str, version: int) -> None:
        """A version that nobody here needs any more."""
        shutil.rmtree(self.folder / TARGETS / "models" / name / str(version), ignore_errors=True)

    def _forget_old(self) -> None:
        """Metadata that only a reader in the middle of a refresh may still want."""
        for role in ("targets", "snapshot"):
            served = (self.folder / METADATA).glob(f"*.{role}.json")
            numbered = sorted(served, key=lambda path: int(path.name.partition(".")[0]))
            for path in numbered[:-_KEPT]:
                path.unlink(missing_ok=True)
        assigned = (self.folder / TARGETS).glob(f"*.{ASSIGNMENTS_NAME}")
        for path in sorted(assigned, key=lambda path: path.stat().st_mtime)[:-_KEPT]:
            path.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    data = source.read_bytes()
    if files.read(target) != data:
        files.write(target, data)
