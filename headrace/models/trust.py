"""The repository's metadata, as far as its keys have signed it (python-tuf does the work).

What was verified last is on disk, so lengths and hashes of files are known off line too. Time is
judged by a floor that only rises: an expiry that was seen once stays seen when the clock is set back.
"""

from __future__ import annotations

from collections.abc import Iterator
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

from headrace.clock import Clock
from headrace.errors import HeadraceError, ModelError, ModelUntrusted, StorageError
from headrace.limits.models import MODEL_MAX_FILE_BYTES, MODEL_MAX_METADATA_BYTES
from headrace.models import files
from headrace.models.floor import ClockFloor
from headrace.models.repository import METADATA, SIGNED_AT
from headrace.models.sources import Source

_ROLES: Final = ("root", "timestamp", "snapshot", "targets")
_ROOT_HINT: Final = "copy root.json from the publisher again; `models init-repo` made it"
_KEY_HINT: Final = "the repository's root may have been renewed without this one's keys, or forged"


class Trust:
    """Verified metadata in a folder, and downloads that are checked against it.

    Raises:
        ModelError: ``trusted_root`` is not a root.
    """

    def __init__(self, folder: Path, source: Source, trusted_root: bytes, clock: Clock) -> None:
        self.folder = folder / METADATA
        self._source = source
        self._root = _checked_root(trusted_root)
        self._clock = clock
        self._floor = ClockFloor(folder / "floor.json")

    def refresh(self) -> None:
        """Take the newest metadata.

        Raises:
            TransportError, ModelUntrusted, ModelError: as ``ModelRepositoryClient.refresh``.
        """
        with self._errors():
            self.folder.mkdir(parents=True, exist_ok=True)
            now = self._floor.at_least(self._clock.now_us())
            _Updater(self.folder, _Fetcher(self._source), self._root, now).refresh()
            self._sync()

    def believe_clock(self) -> None:
        """Everything was taken in: it is at least as late as it was signed, and as it is now."""
        self._floor.raise_to(max(self._signed_at_us(), self._clock.now_us()))

    def info(self, path: str) -> TargetFile:
        """The signed length and hash of a file, from the metadata that was verified last.

        Raises:
            ModelError: there is none, or it is longer than a model may be.
        """
        targets = self.load("targets")
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

    def download(self, path: str, info: TargetFile) -> bytes:
        """A file's bytes, which are those that were signed.

        Raises:
            TransportError: the repository is away or too slow.
            ModelUntrusted: other bytes.
        """
        with self._errors():
            data = _Fetcher(self._source).download_bytes(path, info.length)
            info.verify_length_and_hashes(data)
        return data

    def load(self, role: str) -> Metadata[Any] | None:
        """Metadata that was verified when it was stored; None when it is not there or damaged."""
        data = files.read(self.folder / f"{role}.json")
        try:
            return None if data is None else Metadata.from_bytes(data)
        except DeserializationError:
            return None

    def _signed_at_us(self) -> int:
        timestamp = self.load("timestamp")
        fields = timestamp.signed.unrecognized_fields if timestamp else {}
        stamp = fields.get(SIGNED_AT)
        return stamp if isinstance(stamp, int) else 0

    def _sync(self) -> None:
        """python-tuf renames without fsync: a power cut would leave empty files, and off line with
        an empty targets.json no model could be fetched from the mirror either."""
        for role in _ROLES:
            files.sync(self.folder / f"{role}.json")
        files.sync(self.folder)

    def _remember_expiry(self) -> None:
        """What was expired once stays expired, also when the clock is set back later.

        The first expiry, not the last: a clock that was years ahead for a minute would else put the
        floor years ahead, and nothing that is signed before then would ever be taken.
        """
        now = self._floor.at_least(self._clock.now_us())
        loaded = [self.load(role) for role in _ROLES]
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
            raise StorageError(f"{self.folder}: {error.strerror or error}") from error


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


def fits(info: TargetFile, data: bytes) -> bool:
    """Whether bytes are the ones that were signed."""
    try:
        info.verify_length_and_hashes(data)
    except LengthOrHashMismatchError:
        return False
    return True


def _us(time: datetime) -> int:
    return round(time.timestamp() * 1e6)
