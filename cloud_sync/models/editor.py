"""Changing a model repository: read it verified, change it, sign it, make it visible in one step.

A change is new files under names that were never used (``create``), then ``timestamp.json``
replaced, last. Readers see the old state or the new one; a crash in between leaves files that
nobody refers to. Two publishers at the same time: the second finds another timestamp than the one it
read and gives up (the object store port has no compare-and-swap, so there is a window of one request;
publishing is one person's or one job's doing).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from cloud_sync.models.state import EXPIRY, TIMESTAMP, Expiry, Reader, State, stored
from headrace.clock import Clock
from headrace.errors import ModelError, UsageError
from headrace.lake.store import Store
from headrace.limits.models import MODEL_MAX_METADATA_BYTES
from headrace.models.repository import METADATA, SIGNED_AT

#: Numbers tried for a new file before giving up: leftovers of publications that were cut off.
_ATTEMPTS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Signers:
    """The keys at hand; those that a change needs and that are missing are asked for by name."""

    root: Sequence[CryptoSigner] = ()
    targets: Sequence[CryptoSigner] = ()
    online: Sequence[CryptoSigner] = ()


class Editor:
    """A repository in a store, and the time."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self.reader = Reader(store)
        self._clock = clock

    def create(
        self, signers: Signers, *, threshold: int, expiry: Expiry, contents: Mapping[str, bytes]
    ) -> bytes:
        """A new repository with its first targets; gives the trust root.

        Raises:
            UsageError: there is one already.
        """
        if self._store.size(TIMESTAMP) is not None:
            raise UsageError(
                "there is a model repository already", hint="name another folder with --repo"
            )
        root = self._first_root(signers, threshold, expiry)
        data = self._sign(root, signers.root, "root")
        if not self._store.create(f"{METADATA}/1.root.json", data):
            raise UsageError(
                "there is a root of a repository that was begun and not finished",
                hint="remove that folder, or name another with --repo",
            )
        state = State(root, Metadata(Timestamp()), Metadata(Snapshot()), Metadata(Targets()))
        for part in (state.timestamp, state.snapshot, state.targets):
            part.signed.version = 0
        self._commit(state, signers, contents, known=None)
        return data

    def publish(self, state: State, signers: Signers, contents: Mapping[str, bytes]) -> None:
        """Add or replace targets.

        Raises:
            ModelError: another publication went in between, or keys are missing.
        """
        self._commit(state, signers, contents, known=state.timestamp.signed.version)

    def sign_again(self, state: State, signers: Signers) -> None:
        """New snapshot and timestamp of the same targets, with a new expiry: on-line keys only.

        Raises:
            ModelError: as ``publish``.
        """
        known = state.timestamp.signed.version
        self._make_visible(state, signers, state.targets.signed.version, known)

    def renew(
        self, state: State, signers: Signers, *, role: str = "", fresh: Sequence[CryptoSigner] = ()
    ) -> None:
        """Sign everything again with a new expiry; ``role`` gets the keys ``fresh`` instead of its own.

        The new root becomes visible right before the timestamp. A crash between these two requests
        leaves readers with the old state and a root that does not fit it: they refuse it and go
        on with what they have, until somebody removes that last root file and runs this again.

        Raises:
            ModelError: as ``publish``.
        """
        known, root = state.timestamp.signed.version, state.root.signed
        previous = Metadata[Root].from_bytes(state.root.to_bytes())
        for keyid in list(root.roles[role].keyids) if role else ():
            root.revoke_key(keyid, role)
        for signer in fresh:
            root.add_key(signer.public_key, role)
        root.version += 1
        root.expires = self._in(state.expiry.root_days)
        # Signed by the old keys, or no reader would follow, and by the new ones.
        old = [key for key in signers.root if _has(previous, "root", key)]
        self._sign(state.root, old, "root", previous)
        for signer in fresh if role == "root" else ():
            state.root.sign(signer, append=True)
        self._commit(state, signers, {}, known=known, new_root=True)

    def _first_root(self, signers: Signers, threshold: int, expiry: Expiry) -> Metadata[Root]:
        root = Metadata(Root(expires=self._in(expiry.root_days), consistent_snapshot=True))
        days = {name: getattr(expiry, name) for name in Expiry.__slots__}
        root.signed.unrecognized_fields[EXPIRY] = days
        for role, held in (("root", signers.root), ("targets", signers.targets)):
            for signer in held:
                root.signed.add_key(signer.public_key, role)
            root.signed.roles[role].threshold = threshold
        for role, signer in zip(("snapshot", "timestamp"), signers.online, strict=True):
            root.signed.add_key(signer.public_key, role)
        return root

    def _commit(
        self, state: State, signers: Signers, contents: Mapping[str, bytes], known: int | None,
        *, new_root: bool = False,
    ) -> None:  # fmt: skip
        for path, data in contents.items():
            info = TargetFile.from_data(path, data, ["sha256"])
            # Named by its hash: what is there already is the same, or was put there to spoil it.
            self._store.put(stored(path, info), data)
            state.targets.signed.targets[path] = info
        state.targets.signed.expires = self._in(state.expiry.targets_days)
        held = [key for key in signers.targets if _has(state.root, "targets", key)]
        number = self._numbered(state.targets, held, "targets", state.root)
        self._make_visible(state, signers, number, known, new_root=new_root)

    def _make_visible(
        self, state: State, signers: Signers, targets: int, known: int | None,
        *, new_root: bool = False,
    ) -> None:  # fmt: skip
        online = self._in(state.expiry.online_days)
        state.snapshot.signed.meta["targets.json"] = MetaFile(targets)
        state.snapshot.signed.expires = online
        number = self._numbered(state.snapshot, signers.online, "snapshot", state.root)
        timestamp = state.timestamp
        timestamp.signed.snapshot_meta = MetaFile(number)
        timestamp.signed.version += 1
        timestamp.signed.expires = online
        timestamp.signed.unrecognized_fields[SIGNED_AT] = self._clock.now_us()
        data = self._sign(timestamp, signers.online, "timestamp", state.root)
        if self.reader.timestamp_version() != known:
            raise ModelError(
                "model repository: somebody else published in between; nothing was changed",
                hint="run the command again",
            )
        if new_root:
            self._add_root(state.root)
        self._store.put(TIMESTAMP, data)

    def _add_root(self, root: Metadata[Root]) -> None:
        path = f"{METADATA}/{root.signed.version}.root.json"
        if not self._store.create(path, _bounded(root.to_bytes(), "root")):
            raise ModelError(f"model repository: {path} is there already", hint="run it again")

    def _numbered(
        self, part: Metadata[Any], held: Sequence[CryptoSigner], role: str, root: Metadata[Root]
    ) -> int:
        """Sign under the next number that is free; leftovers of a crash may have taken some."""
        for _ in range(_ATTEMPTS):
            part.signed.version += 1
            data = self._sign(part, held, role, root)
            if self._store.create(f"{METADATA}/{part.signed.version}.{role}.json", data):
                return int(part.signed.version)
        raise ModelError(
            f"model repository: no free number for {role}.json", hint="clear leftovers"
        )

    def _sign(
        self, part: Metadata[Any], held: Sequence[CryptoSigner], role: str,
        root: Metadata[Root] | None = None,
    ) -> bytes:  # fmt: skip
        authority = root or part
        part.signatures.clear()
        for signer in held:
            if _has(authority, role, signer):
                part.sign(signer, append=True)
        needed = authority.signed.roles[role].threshold
        if len(part.signatures) < needed:
            raise ModelError(
                f"{role}: {needed} signatures needed, keys for {len(part.signatures)} at hand",
                hint="name the folders of the other keys, --keys may be repeated",
            )
        return _bounded(part.to_bytes(), role)

    def _in(self, days: int) -> datetime:
        now = datetime.fromtimestamp(self._clock.now_us() // 1_000_000, UTC)
        return now + timedelta(days=days)


def _bounded(data: bytes, role: str) -> bytes:
    """Metadata that clients will read; what is larger would shut every site out."""
    most = MODEL_MAX_METADATA_BYTES[role]
    if len(data) > most:
        raise ModelError(
            f"{role}.json: at most {most} bytes are read by sites, this would have {len(data)}",
            hint="begin a new repository with the versions that are still wanted",
        )
    return data


def _has(root: Metadata[Any], role: str, signer: CryptoSigner) -> bool:
    return signer.public_key.keyid in root.signed.roles[role].keyids
