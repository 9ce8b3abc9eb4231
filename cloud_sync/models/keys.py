"""The keys that a repository is signed with, each in a file of its own.

::

    root-1.pem  targets-1.pem  (-2, … with a threshold)   off line: a stick, a safe; passphrase
    snapshot.pem  timestamp.pem                           on line: beside the job that signs again
    root.json                                             the trust root that every site is given
    seen-state                                            the newest state that was signed from here

Ed25519, PKCS#8, mode 0600. Off-line keys may lie in several folders: whoever publishes names all that
the threshold asks for. Public keys are not kept in files, the signed root has them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root
from tuf.api.serialization import DeserializationError

from headrace.errors import ModelError, ModelUntrusted, StorageError, UsageError
from headrace.models import files

Role = Literal["root", "targets", "snapshot", "timestamp"]
OFFLINE: Final[tuple[Role, ...]] = ("root", "targets")
ONLINE: Final[tuple[Role, ...]] = ("snapshot", "timestamp")
ROLES: Final[tuple[Role, ...]] = (*OFFLINE, *ONLINE)

ROOT_FILE: Final = "root.json"
SEEN_FILE: Final = "seen-state"


def make(folder: Path, role: Role, number: int, passphrase: str) -> CryptoSigner:
    """A new key in a new file that only its owner can read.

    Raises:
        UsageError: there is a file of that name; a key is never overwritten.
        StorageError: it cannot be written.
    """
    name = f"{role}-{number}.pem" if role in OFFLINE else f"{role}.pem"
    key = Ed25519PrivateKey.generate()
    secret = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    write_new(folder / name, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret))
    return CryptoSigner(key)


def write_new(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """A new file that only its owner can read, unless ``mode`` says otherwise.

    Raises:
        UsageError: it is there already.
        StorageError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise UsageError(
            f"{path}: is there already, and is not overwritten", hint="name another folder"
        ) from error
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from error


def load(folders: Iterable[Path], roles: Sequence[Role], passphrase: str) -> list[CryptoSigner]:
    """All keys of some roles in some folders.

    Raises:
        ModelError: a file is not a key, or the passphrase is not its own.
        UsageError: there is none.
    """
    listed = list(folders)
    names = [f"{role}*.pem" for role in roles]
    paths = sorted(path for folder in listed for name in names for path in folder.glob(name))
    if not paths:
        raise UsageError(
            f"no keys for {' or '.join(roles)} in {', '.join(map(str, listed))}",
            hint="name their folder with --keys; `cloud-sync models init-repo` makes them",
        )
    return [_load(path, passphrase) for path in paths]


def trusted_root(folders: Iterable[Path]) -> bytes:
    """The trust root beside the keys.

    Raises:
        UsageError: there is none.
    """
    for folder in folders:
        try:
            return (folder / ROOT_FILE).read_bytes()
        except OSError:
            continue
    raise UsageError(
        f"no {ROOT_FILE} in the folders of --keys",
        hint="it was made by `cloud-sync models init-repo`; every site has a copy",
    )


def threshold(root: bytes, role: Role) -> int:
    """How many keys of a role must sign, as the trust root says.

    Raises:
        ModelError: it is not a root.
    """
    try:
        return int(Metadata[Root].from_bytes(root).signed.roles[role].threshold)
    except (DeserializationError, AttributeError) as error:
        raise ModelError(f"{ROOT_FILE}: damaged: {error}", hint="copy it from a site") from error


class Seen:
    """The newest state that these keys have seen, in a file beside them.

    Somebody who can write to the store could put an older state back, signed as it once was; signed
    on top of, it would bring a revoked version back to every site.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / SEEN_FILE

    def check(self, version: int) -> None:
        """Refuse a timestamp that is older than the newest that was seen here.

        Raises:
            ModelUntrusted: it is.
            ModelError: the file is damaged.
        """
        text = (files.read(self._path) or b"0").strip()
        if not text.isdigit():
            raise ModelError(
                f"{self._path}: expected a number, got {text[:40]!r}", hint="remove it"
            )
        newest = int(text)
        if version < newest:
            raise ModelUntrusted(
                f"model repository: is at state {version}, and was at {newest} before",
                hint=f"restore its newest copy; if that is lost for good, remove {self._path}",
            )

    def remember(self, version: int) -> None:
        """Note a state that was read or published.

        Raises:
            StorageError: the folder cannot be written to.
        """
        files.write(self._path, f"{version}\n".encode())


def _load(path: Path, passphrase: str) -> CryptoSigner:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    encrypted = b"ENCRYPTED" in data
    try:
        key = load_pem_private_key(data, passphrase.encode() if encrypted and passphrase else None)
    except TypeError as error:
        raise ModelError(
            f"{path}: has a passphrase, none was given",
            hint="--passphrase-file FILE, or HEADRACE_KEYS_PASSPHRASE",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        words = "wrong passphrase" if encrypted else "not a private key"
        raise ModelError(f"{path}: {words}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ModelError(f"{path}: expected an Ed25519 key, got another kind")
    return CryptoSigner(key)
