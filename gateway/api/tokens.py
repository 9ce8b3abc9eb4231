"""Who may write for whom: tokens, in ``data_dir/http-tokens.json``.

A token is 256 random bits, so one SHA-256 is all the hashing that it needs: nobody guesses it, and
whoever reads the file has nothing to send. The file is replaced as a whole, for its owner alone; a
running gateway looks at its inode and time at every request (2 µs), so a token that was revoked is
refused from the next request on.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import msgspec

from gateway.enrol.files import locked, write_private
from headrace.errors import StorageError, UsageError
from headrace.limits.http import HTTP_MAX_TOKENS

FILE_NAME: Final = "http-tokens.json"
PREFIX: Final = "hrt_"

_PATTERN: Final = re.compile(r"[A-Za-z0-9*?][A-Za-z0-9._*?-]{0,63}")
_WILD: Final = re.compile(r"[*?]")


class Token(msgspec.Struct, frozen=True):
    """What is kept of a token; times in microseconds since 1970 UTC."""

    id: str
    hash: str
    devices: str
    created_at: int
    expires_at: int | None = None

    @property
    def one_device(self) -> str | None:
        """The device that it is for; None where it is for all that a pattern matches."""
        return None if _WILD.search(self.devices) else self.devices

    def allows(self, device: str) -> bool:
        """Whether it may write for a device."""
        return fnmatchcase(device, self.devices)

    def is_good(self, now_us: int) -> bool:
        return self.expires_at is None or now_us < self.expires_at


@dataclass(slots=True)
class Tokens:
    """The tokens of a running gateway, as they stand in the file at this moment."""

    path: Path
    _seen: tuple[int, int, int] | None = None
    _by_hash: dict[str, Token] = field(default_factory=dict)

    def find(self, secret: str, now_us: int) -> Token | None:
        """The good token of that secret.

        Raises:
            StorageError: the file cannot be read; then nobody may write.
        """
        self._look()
        token = self._by_hash.get(_hash(secret))
        return token if token is not None and token.is_good(now_us) else None

    def _look(self) -> None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            self._seen, self._by_hash = None, {}
            return
        except OSError as error:
            raise _unreadable(self.path, error) from error
        # The inode: two revocations within one tick of the file system's clock are two files.
        seen = (found.st_ino, found.st_mtime_ns, found.st_size)
        if seen != self._seen:
            self._by_hash = {token.hash: token for token in read(self.path)}
            self._seen = seen


def token_path(data_dir: Path) -> Path:
    """Where a gateway keeps its tokens."""
    return data_dir / FILE_NAME


def read(path: Path) -> list[Token]:
    """All tokens, expired ones too.

    Raises:
        StorageError: the file cannot be read, or is not what was written.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Token])
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(path, error) from error
    except msgspec.MsgspecError as error:
        raise StorageError(
            f"{path}: expected a list of tokens: {error}", hint="delete it and add tokens again"
        ) from error


def add(path: Path, devices: str, *, now_us: int, valid_s: float | None) -> tuple[Token, str]:
    """Make a token; returns what is kept of it, and its secret, which nobody can show again.

    Raises:
        UsageError: no device can match, or there are too many tokens.
        StorageError: the file cannot be written.
    """
    if not _PATTERN.fullmatch(devices):
        raise UsageError(
            f"expected a device id, or a pattern with * and ?, got {devices[:80]!r}",
            hint="1 to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit",
        )
    secret = PREFIX + secrets.token_urlsafe(32)
    expires_at = None if valid_s is None else now_us + round(valid_s * 1_000_000)
    made = Token(secrets.token_hex(4), _hash(secret), devices, now_us, expires_at)
    with _changing(path):
        tokens = [token for token in read(path) if token.is_good(now_us)]
        if len(tokens) >= HTTP_MAX_TOKENS:
            raise UsageError(
                f"there are {len(tokens)} tokens already", hint="revoke some, or use patterns"
            )
        _write(path, [*tokens, made])
    return made, secret


def revoke(path: Path, which: str) -> list[Token]:
    """Delete tokens by id, or all of a device or pattern; returns those that were there."""
    with _changing(path):
        tokens = read(path)
        gone = [token for token in tokens if which in (token.id, token.devices)]
        if gone:
            _write(path, [token for token in tokens if token not in gone])
    return gone


def _changing(path: Path) -> AbstractContextManager[None]:
    return locked(path.parent, "http-tokens.lock")


def _write(path: Path, tokens: Sequence[Token]) -> None:
    write_private(path, msgspec.json.format(msgspec.json.encode(tokens)) + b"\n")


def _unreadable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} cannot be read: {error.strerror}",
        hint="run `gateway token` as the gateway's user, and give the file to it",
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
