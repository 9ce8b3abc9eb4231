"""Users and their passwords, in a file that mosquitto reads as well.

::

    pump-7:$7$101$<salt, base64>$<PBKDF2-SHA512 of it, base64>     `gateway password`, mosquitto_passwd
    pump-8:$argon2id$…                                             amqtt's own

A user is a device id, because his topics follow from it. The file is read again when it has changed:
who is not in it any more, or has another password, is cut off.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pwdlib import PasswordHash
from pwdlib.exceptions import PwdlibError
from pwdlib.hashers.argon2 import Argon2Hasher

from headrace.batch import is_device_id
from headrace.errors import StorageError, UsageError

logger = logging.getLogger(__name__)

#: What mosquitto_passwd takes. The passwords that we make have 120 random bits: no hash can be too fast.
_ITERATIONS: Final = 101
_SALT_BYTES: Final = 12
_PASSWORD_BYTES: Final = 15
_ARGON2: Final = PasswordHash((Argon2Hasher(),))


class PasswordFile:
    """What the file says, as it is now."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, int, int] | None = None
        self.users: Mapping[str, str] = {}

    def refresh(self) -> bool:
        """Read the file if it has changed; whether it had. An unreadable one leaves what was read."""
        try:
            found = self.path.stat()
            stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
            if stamp == self._stamp:
                return False
            self.users = read_users(self.path)
        except StorageError as error:
            logger.error("%s", error)
            return False
        except OSError as error:
            logger.error("password file %s: %s", self.path, error)
            return False
        self._stamp = stamp
        return True


def read_users(path: Path) -> dict[str, str]:
    """Hashes by user; lines that cannot be used are left out, with a warning.

    Raises:
        StorageError: the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"password file {path}: {error}") from error
    users: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        user, _, stored = line.strip().partition(":")
        if not user or user.startswith("#"):
            continue
        if is_device_id(user) and stored.startswith(("$7$", "$argon2")):
            users[user] = stored
        else:
            logger.warning(
                "%s, line %d: expected DEVICE:HASH with a device id and a hash as `gateway password` or "
                "mosquitto_passwd makes it; nobody gets in by it",
                path, number,
            )  # fmt: skip
    return users


def verify(password: bytes, stored: str) -> bool:
    """Whether this is the password of the hash; takes some milliseconds, with Argon2 some fifty."""
    try:
        if stored.startswith("$argon2"):
            return _ARGON2.verify(password, stored)
        _, _, iterations, salt, expected = stored.split("$")
        found = _digest(password, base64.b64decode(salt), int(iterations))
        return hmac.compare_digest(found, base64.b64decode(expected))
    except (ValueError, binascii.Error, PwdlibError):
        return False  # a line that somebody has damaged lets nobody in


def hashed(password: str) -> str:
    """As mosquitto_passwd writes it."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = base64.b64encode(_digest(password.encode(), salt, _ITERATIONS)).decode()
    return f"$7${_ITERATIONS}${base64.b64encode(salt).decode()}${digest}"


def new_password() -> str:
    """One that nobody has to think of, 20 characters."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_PASSWORD_BYTES)).decode()


def write_user(path: Path, user: str, password: str | None) -> None:
    """Set a user's password, or remove him with None; everybody else's line stays.

    Raises:
        UsageError: the name is no device id, or there is nobody to remove.
        StorageError: the file cannot be read or written.
    """
    if not is_device_id(user):
        raise UsageError(
            f"not a device id: {user!r}; expected letters, digits, '.', '_' and '-', at most 64"
        )
    before = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    kept = [line for line in before if line.partition(":")[0] != user]
    if password is None and kept == before:
        raise UsageError(f"{user} has no password in {path}")
    lines = kept if password is None else [*kept, f"{user}:{hashed(password)}"]
    _replace(path, "".join(f"{line}\n" for line in lines))


def _replace(path: Path, text: str) -> None:
    """Whole or not at all, with mode and owner as they were."""
    part = path.with_name(path.name + ".part")
    try:
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        if path.exists() and os.geteuid() == 0:
            before = path.stat()
            os.chown(part, before.st_uid, before.st_gid)
        part.replace(path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error}") from error


def _digest(password: bytes, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password, salt, iterations)
