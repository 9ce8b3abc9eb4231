"""A model repository as its publisher reads it: every signature checked.

What is there is not believed: roots are followed from the trust root beside the keys, and targets
that the root's keys have not signed are not signed again, or whoever can write to the store could
have his model signed by us. Expiry is no obstacle here: publishing is what ends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tuf.api.exceptions import RepositoryError, UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from headrace.errors import ModelError, ModelUntrusted
from headrace.lake.store import Store
from headrace.limits.models import MODEL_ONLINE_DAYS, MODEL_ROOT_DAYS, MODEL_TARGETS_DAYS
from headrace.models.repository import METADATA, TARGETS

TIMESTAMP: Final = f"{METADATA}/timestamp.json"
#: A signed field of the root: how long signatures hold, in days.
EXPIRY: Final = "headrace.expiry_days"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """How long signatures hold. A site that is off line for months must still find them valid."""

    root_days: int = MODEL_ROOT_DAYS
    targets_days: int = MODEL_TARGETS_DAYS
    online_days: int = MODEL_ONLINE_DAYS


@dataclass(frozen=True, slots=True)
class State:
    """The repository as it was read, every signature checked."""

    root: Metadata[Root]
    timestamp: Metadata[Timestamp]
    snapshot: Metadata[Snapshot]
    targets: Metadata[Targets]

    @property
    def expiry(self) -> Expiry:
        days = self.root.signed.unrecognized_fields.get(EXPIRY, {})
        return Expiry(**days)


class Reader:
    """What is there in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, trusted_root: bytes) -> State:
        """What is there, with every signature checked.

        Raises:
            ModelError: there is no repository, or it is damaged.
            ModelUntrusted: something is not signed by the keys of the root.
        """
        root = self._root(trusted_root)
        timestamp: Metadata[Timestamp] = self._load(TIMESTAMP, root, "timestamp")
        number = timestamp.signed.snapshot_meta.version
        snapshot: Metadata[Snapshot] = self._load(
            f"{METADATA}/{number}.snapshot.json", root, "snapshot"
        )
        number = snapshot.signed.meta["targets.json"].version
        targets: Metadata[Targets] = self._load(
            f"{METADATA}/{number}.targets.json", root, "targets"
        )
        return State(root, timestamp, snapshot, targets)

    def get(self, state: State, path: str) -> bytes | None:
        """A target's bytes, checked; None when there is no such target.

        Raises:
            ModelUntrusted: they are not what was signed.
        """
        info = state.targets.signed.targets.get(path)
        if info is None:
            return None
        place = stored(path, info)
        data = self._get(place)
        try:
            info.verify_length_and_hashes(data)
        except RepositoryError as error:
            raise ModelUntrusted(f"model repository: {place}: {error}") from error
        return data

    def timestamp_version(self) -> int | None:
        """The number of the state that readers see now; None where there is none."""
        data = self._store.get(TIMESTAMP)
        return None if data is None else int(_decode(data, TIMESTAMP).signed.version)

    def _root(self, trusted: bytes) -> Metadata[Root]:
        """The newest root, followed from the trusted one as clients do."""
        root: Metadata[Root] = _decode(trusted, "trust root")
        while True:
            path = f"{METADATA}/{root.signed.version + 1}.root.json"
            data = self._store.get(path)
            if data is None:
                return root
            newer: Metadata[Root] = _decode(data, path)
            for authority in (root, newer):
                _verify(authority, "root", newer, path)
            root = newer

    def _load(self, path: str, root: Metadata[Root], role: str) -> Metadata[Any]:
        part: Metadata[Any] = _decode(self._get(path), path)
        _verify(root, role, part, path)
        return part

    def _get(self, path: str) -> bytes:
        data = self._store.get(path)
        if data is None:
            raise ModelError(
                f"model repository: no {path}",
                hint="is --repo right? `cloud-sync models init-repo` makes one",
            )
        return data


def stored(path: str, info: TargetFile) -> str:
    """Where a target lies in the store: its name carries its hash."""
    folder, _, name = path.rpartition("/")
    return "/".join(part for part in (TARGETS, folder, f"{info.hashes['sha256']}.{name}") if part)


def _decode(data: bytes, path: str) -> Metadata[Any]:
    try:
        return Metadata.from_bytes(data)
    except DeserializationError as error:
        raise ModelError(f"model repository: {path}: damaged: {error}") from error


def _verify(root: Metadata[Root], role: str, part: Metadata[Any], path: str) -> None:
    try:
        root.signed.verify_delegate(role, part.signed_bytes, part.signatures)
    except (UnsignedMetadataError, ValueError) as error:
        raise ModelUntrusted(
            f"model repository: {path}: {error}",
            hint="somebody else may have written there; restore the last good copy",
        ) from error
