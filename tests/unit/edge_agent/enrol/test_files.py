"""Key and certificate change together, wherever it is cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.enrol.files import DeviceFiles
from headrace.pki.messages import Issued


def issued(text: str) -> Issued:
    return Issued("pump-1", text, "the CA", 0, "", 8883, "headrace/v1")


@pytest.fixture
def files(tmp_path: Path) -> DeviceFiles:
    """A device with its first pair."""
    made = DeviceFiles(tmp_path / "tls")
    made.keep_key(b"old key")
    made.keep(issued("old certificate"))
    return made


def pair(files: DeviceFiles) -> tuple[str, str]:
    return files.key.read_text(), files.certificate.read_text()


def test_the_next_pair_takes_the_place_of_the_present(files: DeviceFiles) -> None:
    """Nothing is left beside it."""
    files.keep_next_key(b"new key")
    assert pair(files) == ("old key", "old certificate")
    files.keep_next(issued("new certificate"))
    assert pair(files) == ("new key", "new certificate")
    assert {path.name for path in files.folder.iterdir()} == {"device.key", "device.crt", "ca.crt"}
    assert files.key.stat().st_mode & 0o777 == 0o600


def test_asked_and_not_answered_leaves_the_present_pair(files: DeviceFiles) -> None:
    """The next key waits for the next attempt."""
    files.keep_next_key(b"new key")
    files.settle()
    assert pair(files) == ("old key", "old certificate")
    assert files.next_key.exists()


@pytest.mark.parametrize("moved", [False, True])
def test_answered_and_cut_off_is_finished_at_the_next_start(
    files: DeviceFiles, moved: bool
) -> None:
    """Before the key was moved, and after."""
    files.next_certificate.write_text("new certificate")
    (files.key if moved else files.next_key).write_text("new key")
    files.settle()
    assert pair(files) == ("new key", "new certificate")
    files.settle()
    assert pair(files) == ("new key", "new certificate")
