"""The password file: what lets somebody in, and what does not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from gateway.broker.passwords import (
    PasswordFile,
    hashed,
    new_password,
    read_users,
    verify,
    write_user,
)
from headrace.errors import UsageError


def test_a_password_opens_its_own_hash_only() -> None:
    """Also one by Argon2, as amqtt's users have it."""
    word = new_password()
    for stored in (hashed(word), PasswordHash((Argon2Hasher(),)).hash(word)):
        assert verify(word.encode(), stored)
        assert not verify(b"another", stored)
        assert not verify(b"", stored)


@pytest.mark.skipif(shutil.which("mosquitto_passwd") is None, reason="mosquitto is not installed")
def test_what_mosquitto_passwd_writes_is_read(tmp_path: Path) -> None:
    """One file for both brokers."""
    path = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", path, "pump-1", "a word"], check=True)
    assert verify(b"a word", read_users(path)["pump-1"])


@pytest.mark.parametrize(
    "line", ["pump-1", "pump-1:", "pump-1:plain", "+:$7$1$AA==$AA==", "a/b:$7$1$AA==$AA==",
             "headrace:gateway:$7$1$AA==$AA==", "# pump-1:$7$1$AA==$AA==", ""],
)  # fmt: skip
def test_a_line_that_is_none_lets_nobody_in(tmp_path: Path, line: str) -> None:
    """A user who is no device id would have topics of others."""
    path = tmp_path / "passwords"
    path.write_text(f"{line}\n", encoding="utf-8")
    assert read_users(path) == {}


@pytest.mark.parametrize("stored", ["$7$x$AA==$AA==", "$7$1$!$!", "$7$1", "$argon2id$nonsense"])
def test_a_damaged_hash_lets_nobody_in(stored: str) -> None:
    """And breaks nothing."""
    assert not verify(b"", stored)


def test_a_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    """Once; while it is away, what was read stays."""
    path = tmp_path / "passwords"
    write_user(path, "pump-1", "one")
    found = PasswordFile(path)
    assert found.refresh()
    assert not found.refresh()
    write_user(path, "pump-2", "two")
    assert found.refresh()
    assert set(found.users) == {"pump-1", "pump-2"}
    path.unlink()
    assert not found.refresh()
    assert set(found.users) == {"pump-1", "pump-2"}


def test_a_password_is_set_anew_and_taken_away(tmp_path: Path) -> None:
    """The others keep theirs; the file is for its owner alone."""
    path = tmp_path / "passwords"
    for user in ("pump-1", "pump-2", "pump-1"):
        write_user(path, user, f"{user}'s")
    assert len(path.read_text().splitlines()) == 2
    assert path.stat().st_mode & 0o777 == 0o600
    write_user(path, "pump-1", None)
    assert set(read_users(path)) == {"pump-2"}
    with pytest.raises(UsageError, match="no password"):
        write_user(path, "pump-1", None)
    with pytest.raises(UsageError, match="not a device id"):
        write_user(path, "a/b", "x")
