"""What publisher commands do to a repository: publish, promote, revoke, list, refresh.

Each is one change that readers see whole. Versions of a model count upwards from 1 and are never
used again, also not after a revocation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
from securesystemslib.signer import CryptoSigner

from cloud_sync.models.editor import Editor, Signers
from cloud_sync.models.keys import Seen
from cloud_sync.models.package import Package
from cloud_sync.models.state import Expiry, State
from headrace.clock import Clock
from headrace.errors import ModelError, UsageError
from headrace.lake.store import Store
from headrace.limits.models import MODEL_MAX_PROMOTIONS
from headrace.models import repository
from headrace.models.manifest import MANIFEST_NAME, Manifest, decode_manifest, encode
from headrace.models.repository import (
    ASSIGNMENTS_NAME,
    Assignments,
    Promotion,
    Revocation,
    check_selector,
    model_path,
)

_PARTS_OF_A_MODEL: Final = 4  # models/<name>/<version>/<file>


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A published version, as ``models list`` shows it."""

    name: str
    version: int
    runtime: str
    bytes: int
    threshold: float
    created: str
    to: tuple[str, ...] = ()
    revoked: str | None = None


class Releases:
    """A repository as its publisher sees it."""

    def __init__(
        self,
        store: Store,
        *,
        trusted_root: bytes,
        signers: Signers,
        clock: Clock,
        seen: Seen | None = None,
    ) -> None:
        self._editor = Editor(store, clock)
        self._clock = clock
        self._root = trusted_root
        self.signers = signers
        self._seen = seen

    def publish(self, package: Package) -> Manifest:
        """Add a version; it runs nowhere until it is promoted.

        Raises:
            ModelError: the repository is not there, not trusted, or keys are missing.
        """
        state = self._read()
        name = package.manifest.name
        version = max((each for known, each in _versions(state) if known == name), default=0) + 1
        manifest = msgspec.structs.replace(
            package.manifest, version=version, created=package.manifest.created or self._now()
        )
        contents = {
            model_path(name, version, manifest.graph.name): package.graph,
            model_path(name, version, manifest.golden.name): package.golden,
            model_path(name, version, MANIFEST_NAME): encode(manifest),
        }
        self._publish(state, contents)
        return manifest

    def promote(self, name: str, version: int, to: str) -> Assignments:
        """Say that a version is to run at ``to``.

        Raises:
            UsageError: no such version, a revoked one, or not a selector.
        """
        state = self._read()
        known = self._assignments(state)
        self._check(state, name, version)
        if known.is_revoked(name, version):
            raise UsageError(f"{name} {version} is revoked", hint="publish a new version")
        made = Promotion(model=name, version=version, to=check_selector(to), at=self._now())
        return self._assign(
            state, msgspec.structs.replace(known, promotions=_room((*known.promotions, made)))
        )

    def revoke(self, name: str, version: int, reason: str) -> Assignments:
        """Say that a version is to run nowhere; each place goes back to what it had before.

        Raises:
            UsageError: no such version.
        """
        state = self._read()
        known = self._assignments(state)
        self._check(state, name, version)
        if known.is_revoked(name, version):
            return known
        made = Revocation(model=name, version=version, reason=reason, at=self._now())
        return self._assign(state, msgspec.structs.replace(known, revoked=(*known.revoked, made)))

    def refresh(self) -> str:
        """Sign snapshot and timestamp again; gives the new expiry."""
        state = self._read()
        self._editor.sign_again(state, self.signers)
        self._remember(state)
        return str(state.timestamp.signed.expires)

    def renew(self, *, role: str = "", fresh: Sequence[CryptoSigner] = ()) -> None:
        """Sign everything again with a new expiry, ``role`` with ``fresh`` keys from now on."""
        state = self._read()
        self._editor.renew(state, self.signers, role=role, fresh=fresh)
        self._remember(state)

    def listed(self) -> list[Listed]:
        """All versions, where they are to run, and what was revoked."""
        state = self._read()
        known = self._assignments(state)
        return [self._listed(state, known, *each) for each in _versions(state)]

    def _read(self) -> State:
        state = self._editor.reader.read(self._root)
        if self._seen is not None:
            self._seen.check(state.timestamp.signed.version)
        return state

    def _publish(self, state: State, contents: Mapping[str, bytes]) -> None:
        self._editor.publish(state, self.signers, contents)
        self._remember(state)

    def _remember(self, state: State) -> None:
        if self._seen is not None:
            self._seen.remember(state.timestamp.signed.version)

    def _listed(self, state: State, known: Assignments, name: str, version: int) -> Listed:
        manifest = self._manifest(state, name, version)
        deciding = {
            each.to: each
            for each in known.promotions
            if each.model == name and not known.is_revoked(name, each.version)
        }
        reasons = [
            each.reason for each in known.revoked if (each.model, each.version) == (name, version)
        ]
        return Listed(
            name=name,
            version=version,
            runtime=manifest.runtime,
            bytes=manifest.graph.bytes,
            threshold=manifest.threshold,
            created=manifest.created,
            to=tuple(to for to, each in deciding.items() if each.version == version),
            revoked=reasons[0] if reasons else None,
        )

    def _manifest(self, state: State, name: str, version: int) -> Manifest:
        path = model_path(name, version, MANIFEST_NAME)
        data = self._editor.reader.get(state, path)
        if data is None:
            raise ModelError(f"model repository: no {path}")
        return decode_manifest(data, path)

    def _assignments(self, state: State) -> Assignments:
        data = self._editor.reader.get(state, ASSIGNMENTS_NAME)
        if data is None:
            raise ModelError(f"model repository: no {ASSIGNMENTS_NAME}")
        return repository.decode_assignments(data, ASSIGNMENTS_NAME)

    def _assign(self, state: State, assignments: Assignments) -> Assignments:
        counted = msgspec.structs.replace(assignments, serial=assignments.serial + 1)
        self._publish(state, {ASSIGNMENTS_NAME: repository.encode(counted)})
        return counted

    def _check(self, state: State, name: str, version: int) -> None:
        known = _versions(state)
        if (name, version) not in known:
            there = ", ".join(str(number) for each, number in known if each == name)
            raise UsageError(
                f"no version {version} of model {name!r} is published; there is {there or 'none'}",
                hint="`cloud-sync models list`",
            )

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock.now_us() // 1_000_000, UTC).isoformat()


def create(
    store: Store, *, signers: Signers, threshold: int, expiry: Expiry, clock: Clock
) -> bytes:
    """A new, empty repository; gives the trust root that sites are given.

    Raises:
        UsageError: there is one already.
    """
    contents: Mapping[str, bytes] = {ASSIGNMENTS_NAME: repository.encode(Assignments())}
    return Editor(store, clock).create(
        signers, threshold=threshold, expiry=expiry, contents=contents
    )


def _versions(state: State) -> list[tuple[str, int]]:
    found = set()
    for path in state.targets.signed.targets:
        parts = path.split("/")
        if len(parts) == _PARTS_OF_A_MODEL:
            found.add((parts[1], int(parts[2])))
    return sorted(found)


def _room(promotions: tuple[Promotion, ...]) -> tuple[Promotion, ...]:
    """At most as many as there may be: the oldest that a later one to the same place replaced goes."""
    kept = list(promotions)
    while len(kept) > MODEL_MAX_PROMOTIONS:
        later = [{(each.model, each.to) for each in kept[at + 1 :]} for at in range(len(kept))]
        replaced = [at for at, each in enumerate(kept) if (each.model, each.to) in later[at]]
        if not replaced:
            raise UsageError(
                f"more than {MODEL_MAX_PROMOTIONS} places have a version of their own",
                hint="promote by labels that many places share",
            )
        del kept[replaced[0]]
    return tuple(kept)
