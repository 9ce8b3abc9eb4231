"""Who may write for whom."""

from __future__ import annotations

import stat

import pytest

from gateway.api.credentials import device_of, secret_of
from gateway.api.tokens import Tokens, add, read, revoke
from headrace.errors import RequestError, StorageError, UsageError

NOW = 1_790_000_000_000_000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "http-tokens.json"


def test_a_token_is_found_by_its_secret_until_it_is_revoked(path):
    """A running gateway sees every change of the file."""
    tokens = Tokens(path)
    made, secret = add(path, "pump-*", now_us=NOW, valid_s=None)
    assert tokens.find(secret, NOW) == made
    other, _ = add(path, "pump-1", now_us=NOW, valid_s=None)
    assert revoke(path, made.id) == [made]
    assert tokens.find(secret, NOW) is None
    assert read(path) == [other]


def test_a_token_ends_when_it_was_said(path):
    """And makes room in the file when the next is added."""
    tokens = Tokens(path)
    _, secret = add(path, "pump-1", now_us=NOW, valid_s=60)
    assert tokens.find(secret, NOW + 59_000_000) is not None
    assert tokens.find(secret, NOW + 60_000_000) is None
    add(path, "pump-2", now_us=NOW + 60_000_000, valid_s=None)
    assert [token.devices for token in read(path)] == ["pump-2"]


def test_the_file_has_hashes_and_is_for_its_owner(path):
    """It is made so, and stays so."""
    for _ in range(2):
        _, secret = add(path, "pump-1", now_us=NOW, valid_s=None)
        assert secret.encode() not in path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"{", b"[{}]", b"\xff"])
def test_a_file_that_cannot_be_read_lets_nobody_in(path, content):
    """Not even those whom it let in before."""
    tokens = Tokens(path)
    _, secret = add(path, "pump-1", now_us=NOW, valid_s=None)
    tokens.find(secret, NOW)
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(StorageError, match="http-tokens"):
            tokens.find(secret, NOW)
    path.unlink()
    assert tokens.find(secret, NOW) is None


@pytest.mark.parametrize("devices", ["", "/", "pump 1", "-a", "p" * 65, "pump-[12]"])
def test_a_pattern_that_matches_no_device_is_refused(path, devices):
    """A typing error must not become a token for nobody."""
    with pytest.raises(UsageError):
        add(path, devices, now_us=NOW, valid_s=None)


@pytest.mark.parametrize(
    ("devices", "wanted", "found"),
    [
        ("pump-1", "", "pump-1"), ("pump-1", "pump-1", "pump-1"), ("pump-1", "pump-2", 403),
        ("pump-1", "PUMP-1", 403), ("pump-*", "", None), ("pump-*", "pump-77", "pump-77"),
        ("pump-?", "pump-77", 403), ("*", "a/b", 400), ("*", "anything", "anything"),
    ],
)  # fmt: skip
def test_a_token_writes_for_its_devices_alone(path, devices, wanted, found):
    """By name or by pattern, letters as they are."""
    token, _ = add(path, devices, now_us=NOW, valid_s=None)
    if not isinstance(found, int):
        assert device_of(token, wanted) == found
        return
    with pytest.raises(RequestError) as caught:
        device_of(token, wanted)
    assert caught.value.status == found


@pytest.mark.parametrize(
    ("authorization", "password", "secret"),
    [
        ("Token abc", "", "abc"), ("token  abc ", "", "abc"), ("Bearer abc", "", "abc"),
        ("Basic dTphOmI=", "", "a:b"), ("", "abc", "abc"), ("Token abc", "other", "abc"),
    ],
)  # fmt: skip
def test_each_client_shows_it_in_its_own_way(authorization, password, secret):
    """Version 1 has passwords, version 2 the word Token, others Bearer."""
    assert secret_of(authorization, password) == secret


@pytest.mark.parametrize("authorization", ["", "Token", "Basic ///", "Basic /////w==", "Digest x"])
def test_what_shows_none_is_refused(authorization):
    """401 says which header."""
    with pytest.raises(RequestError) as caught:
        secret_of(authorization, "")
    assert caught.value.status == 401
