"""The runner's side of the model repository: nothing is used that its keys have not signed.

::

    <folder>/metadata/      python-tuf's: the newest verified metadata, every root since the first
    <folder>/floor.json     the earliest time that it can be
    <folder>/assignments.json   of the last refresh that went through to its end
    <folder>/models/<name>/<version>/   manifest.json, the graph, golden.json: verified, whole or absent
    <folder>/mirror/        the same repository once more, as it is served to others (agents)

``refresh`` follows The Update Framework: newer roots signed by older ones, a timestamp that is not
older than the last and not expired, and below it a chain of hashes down to ``assignments.json``.
Whatever fails on the way (a forged signature, an older version, a truncated or endless download) is
an error with its reason, and what was there before is still there: ``assignments`` and ``fetch`` go on
with the last good state, off line too, for as long as it takes.

Not to be shared between threads.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, Root, TargetFile
from tuf.api.serialization import DeserializationError
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from headrace.clock import Clock, SystemClock
from headrace.errors import HeadraceError, ModelError, ModelUntrusted, StorageError
from headrace.limits import MODEL_MAX_FILE_BYTES, MODEL_MAX_METADATA_BYTES
from headrace.models import files, formats, repository
from headrace.models.floor import ClockFloor
from headrace.models.manifest import (
    MANIFEST_NAME,
    File,
    Manifest,
    check_file,
    decode_golden,
    decode_manifest,
)
from headrace.models.repository import ASSIGNMENTS_NAME, METADATA, SIGNED_AT, TARGETS, Assignments
from headrace.models.sources import Source

_TIMESTAMP: Final = "timestamp.json"
_ROLES: Final = ("root", "timestamp", "snapshot", "targets")
#: Generations of metadata that stay in the mirror.
_KEPT: Final = 3
_ROOT_HINT: Final = "copy root.json from the publisher again; `models init-repo` made it"
_KEY_HINT: Final = "the repository's root may have been renewed without this one's keys, or forged"


class ModelRepositoryClient:
    """A local, verified copy of what a model repository says and of the models asked for.

    Raises:
        ModelError: ``trusted_root`` is not a root.
    """

    def __init__(
        self, *, folder: Path, source: Source, trusted_root: bytes, clock: Clock | None = None
    ) -> None:
        self._metadata = folder / METADATA
        self._models = folder / "models"
        self._assignments = folder / ASSIGNMENTS_NAME
        self._source = source
        self._root = _checked_root(trusted_root)
        self._clock = clock or SystemClock()
        self._floor = ClockFloor(folder / "floor.json")
        #: A folder that may be served as it is, over HTTPS say: the repository as far as it was
        #: refreshed and fetched here. Others verify it as if it were the repository.
        self.mirror = folder / "mirror"

    def refresh(self) -> Assignments:
        """Take the newest metadata; gives what it says is to run where.

        Raises:
            TransportError: the repository is away or too slow (LakeUnavailable from an object
                store); what was there is still there.
            ModelUntrusted: what it gave is forged, older, expired or damaged.
            ModelError: there is no repository.
        """
        with self._errors():
            self._metadata.mkdir(parents=True, exist_ok=True)
            now = self._floor.at_least(self._clock.now_us())
            updater = _Updater(self._metadata, _Fetcher(self._source), self._root, now)
            updater.refresh()
            self._sync_metadata()
        data = self._target(self._info(ASSIGNMENTS_NAME))
        assignments = repository.decode_assignments(data, ASSIGNMENTS_NAME)
        self._floor.raise_to(max(self._signed_at_us(), self._clock.now_us()))
        files.write(self._assignments, data)
        self._publish_mirror()
        return assignments

    def assignments(self) -> Assignments | None:
        """What the last refresh that succeeded said; None before the first."""
        data = files.read(self._assignments)
        return None if data is None else repository.decode_assignments(data, str(self._assignments))

    def fetch(self, name: str, version: int) -> Path:
        """The folder of one version with its three files, verified; downloads what is missing.

        Raises:
            TransportError: the repository is away or too slow.
            ModelUntrusted: a file is not the one that was signed.
            ModelError: no such version, a revoked one, or a manifest that lies.
        """
        repository.check_name(name)
        known = self.assignments()
        if known is not None and known.is_revoked(name, version):
            raise ModelError(f"model {name} {version} is revoked", hint="ask for another version")
        contents = self._version(name, version)
        folder = self._models / name / str(version)
        if any(files.read(folder / file) != data for file, data in contents.items()):
            files.write_folder(folder, contents)
        return folder

    def manifest(self, name: str, version: int) -> Manifest:
        """The manifest of a version that was fetched or can be.

        Raises:
            as ``fetch``.
        """
        folder = self.fetch(name, version)
        return decode_manifest((folder / MANIFEST_NAME).read_bytes(), str(folder / MANIFEST_NAME))

    def fetched(self) -> list[tuple[str, int]]:
        """(name, version) of all versions on this disk, in order."""
        found = self._models.glob("*/*/" + MANIFEST_NAME)
        names = ((file.parent.parent.name, file.parent.name) for file in found)
        return sorted((name, int(version)) for name, version in names if version.isdecimal())

    def prune(self, keep: Iterable[tuple[str, int]]) -> None:
        """Remove the versions that are not to be kept, from the mirror too."""
        kept = set(keep)
        for name, version in self.fetched():
            if (name, version) not in kept:
                shutil.rmtree(self._models / name / str(version), ignore_errors=True)
                mirrored = self.mirror / TARGETS / "models" / name / str(version)
                shutil.rmtree(mirrored, ignore_errors=True)

    def _version(self, name: str, version: int) -> dict[str, bytes]:
        def get(file: str) -> bytes:
            return self._target(self._info(repository.model_path(name, version, file)))

        source = f"model {name} {version}"
        data = get(MANIFEST_NAME)
        manifest = decode_manifest(data, source)
        if (manifest.name, manifest.version) != (name, version):
            raise ModelError(
                f"{source}: the manifest lies: it says {manifest.name} {manifest.version}",
                hint="publish the model again",
            )
        contents = {MANIFEST_NAME: data}
        for entry in (manifest.graph, manifest.golden):
            contents[entry.name] = _checked(entry, get(entry.name), source)
        formats.check_graph(contents[manifest.graph.name], source, expected=manifest.runtime)
        decode_golden(contents[manifest.golden.name], manifest, source)
        return contents

    def _info(self, path: str) -> TargetFile:
        """The signed length and hash of a target, from the metadata that was verified last."""
        targets = self._load("targets")
        if targets is None:
            raise ModelError("the model repository was never refreshed here", hint="refresh first")
        info: TargetFile | None = targets.signed.targets.get(path)
        if info is None:
            raise ModelError(
                f"the model repository has no {path}",
                hint="`cloud-sync models list` says what is published",
            )
        if info.length > MODEL_MAX_FILE_BYTES:
            raise ModelError(
                f"{path}: expected at most {MODEL_MAX_FILE_BYTES} bytes, got {info.length}"
            )
        return info

    def _target(self, info: TargetFile) -> bytes:
        """A target's bytes: from the mirror if they are there, else downloaded and kept there."""
        folder, _, name = info.path.rpartition("/")
        path = "/".join(
            part for part in (TARGETS, folder, f"{info.hashes['sha256']}.{name}") if part
        )
        data = files.read(self.mirror / path)
        if data is not None and _fits(info, data):
            return data
        with self._errors():
            data = _Fetcher(self._source).download_bytes(path, info.length)
            info.verify_length_and_hashes(data)
        files.write(self.mirror / path, data)
        return data

    def _signed_at_us(self) -> int:
        timestamp = self._load("timestamp")
        fields = timestamp.signed.unrecognized_fields if timestamp else {}
        stamp = fields.get(SIGNED_AT)
        return stamp if isinstance(stamp, int) else 0

    def _sync_metadata(self) -> None:
        """python-tuf renames without fsync: a power cut would leave empty files, and off line with
        an empty targets.json no model could be fetched from the mirror either."""
        for role in _ROLES:
            files.sync(self._metadata / f"{role}.json")
        files.sync(self._metadata)

    def _load(self, role: str) -> Metadata[Any] | None:
        """Metadata that was verified when it was stored; None when it is not there or damaged."""
        data = files.read(self._metadata / f"{role}.json")
        try:
            return None if data is None else Metadata.from_bytes(data)
        except DeserializationError:
            return None

    def _publish_mirror(self) -> None:
        """The verified metadata under the names that others ask for; the timestamp last."""
        served = self.mirror / METADATA
        for root in (self._metadata / "root_history").glob("*.root.json"):
            self._copy(root, served / root.name)
        for role in ("targets", "snapshot"):
            source = self._metadata / f"{role}.json"
            loaded = self._load(role)
            if loaded is not None:
                self._copy(source, served / f"{loaded.signed.version}.{role}.json")
        self._copy(self._metadata / _TIMESTAMP, served / _TIMESTAMP)
        self._forget_old()

    def _forget_old(self) -> None:
        """Metadata that only a reader in the middle of a refresh may still want."""
        for role in ("targets", "snapshot"):
            served = (self.mirror / METADATA).glob(f"*.{role}.json")
            numbered = sorted(served, key=lambda path: int(path.name.partition(".")[0]))
            for path in numbered[:-_KEPT]:
                path.unlink(missing_ok=True)
        assigned = (self.mirror / TARGETS).glob(f"*.{ASSIGNMENTS_NAME}")
        for path in sorted(assigned, key=lambda path: path.stat().st_mtime)[:-_KEPT]:
            path.unlink(missing_ok=True)

    def _copy(self, source: Path, target: Path) -> None:
        data = source.read_bytes()
        if files.read(target) != data:
            files.write(target, data)

    def _remember_expiry(self) -> None:
        """What was expired once stays expired, also when the clock is set back later.

        The first expiry, not the last: a clock that was years ahead for a minute would else put the
        floor years ahead, and nothing that is signed before then would ever be taken.
        """
        now = self._floor.at_least(self._clock.now_us())
        loaded = [self._load(role) for role in _ROLES]
        expired = [each.signed.expires for each in loaded if each and each.signed.expires <= now]
        if expired:
            self._floor.raise_to(_us(min(expired)))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except ExpiredMetadataError as error:
            self._remember_expiry()
            raise ModelUntrusted(
                f"model repository: {error}",
                hint="the publisher runs `cloud-sync models refresh`; also check this machine's clock",
            ) from error
        except (RepositoryError, DownloadError) as error:
            raise _ours(error) from error
        except OSError as error:
            raise StorageError(f"{self._metadata}: {error.strerror or error}") from error


class _Updater(Updater):
    """python-tuf's updater with our idea of the time (python-tuf#2359: it has no argument for it)."""

    def __init__(self, folder: Path, fetcher: FetcherInterface, root: bytes, now: datetime) -> None:
        super().__init__(
            metadata_dir=str(folder),
            metadata_base_url=METADATA,
            fetcher=fetcher,
            config=UpdaterConfig(
                root_max_length=MODEL_MAX_METADATA_BYTES["root"],
                timestamp_max_length=MODEL_MAX_METADATA_BYTES["timestamp"],
                snapshot_max_length=MODEL_MAX_METADATA_BYTES["snapshot"],
                targets_max_length=MODEL_MAX_METADATA_BYTES["targets"],
            ),
            bootstrap=root,
        )
        self._trusted_set.reference_time = now


class _Fetcher(FetcherInterface):
    """Our sources as python-tuf's fetcher; its base class bounds the length."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def _fetch(self, url: str) -> Iterator[bytes]:
        pieces = self._source.pieces(url)
        if pieces is None:
            raise DownloadHTTPError(f"no {url}", 404)
        return pieces


def _ours(error: RepositoryError | DownloadError) -> HeadraceError:
    """python-tuf's error in our words; a source's own error comes out as it went in."""
    cause = error.__cause__
    if isinstance(cause, HeadraceError):
        return cause
    text = f"model repository: {error}"
    if isinstance(error, DownloadHTTPError):
        return ModelError(text, hint="is this the repository's address? `cloud-sync models list`")
    if isinstance(error, BadVersionNumberError):
        return ModelUntrusted(text, hint="an older state was offered again; it is refused")
    if isinstance(error, UnsignedMetadataError):
        return ModelUntrusted(text, hint=_KEY_HINT)
    if isinstance(error, (LengthOrHashMismatchError, DownloadLengthMismatchError)):
        return ModelUntrusted(text, hint="truncated, endless or replaced; it is refused")
    return ModelUntrusted(text)


def _checked_root(data: bytes) -> bytes:
    try:
        if Metadata.from_bytes(data).signed.type == Root.type:
            return data
    except DeserializationError as error:
        raise ModelError(f"trust root: damaged: {error}", hint=_ROOT_HINT) from error
    raise ModelError("trust root: is other metadata than a root", hint=_ROOT_HINT)


def _checked(entry: File, data: bytes, source: str) -> bytes:
    check_file(entry, data, source)
    return data


def _fits(info: TargetFile, data: bytes) -> bool:
    try:
        info.verify_length_and_hashes(data)
    except LengthOrHashMismatchError:
        return False
    return True


def _us(time: datetime) -> int:
    return round(time.timestamp() * 1e6)
