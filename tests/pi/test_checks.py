"""What install.sh refuses before it touches anything, on a device of its own each time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pi.machine import Machine, machine, small_disk
from tests.pi.test_pi import BASE, IS_64_BIT, clone

INSTALL = "/src/deploy/raspberry_pi/install.sh"

pytestmark = [
    pytest.mark.skipif(not BASE, reason="an emulated Pi is made by: make pi-test"),
]


@pytest.fixture
def pi(tmp_path: Path) -> Iterator[Machine]:
    with machine(Path(BASE), tmp_path / "pi") as made:
        clone(made.root / "src")
        yield made


def refused(pi: Machine, *arguments: str, user: str = "root", network: bool = True) -> str:
    """What it says; nothing of it may be there afterwards."""
    done = pi.run(INSTALL, *arguments, check=False, user=user, network=network)
    assert done.returncode in (1, 2), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for path in ("etc/headrace", "var/lib/headrace", "usr/local/bin/edge-agent"):
        assert not (pi.root / path).exists()
    assert pi.run("id", "headrace", check=False).returncode
    return done.stderr


def write(pi: Machine, path: str, text: str, mode: int = 0o644) -> None:
    target = pi.root / path
    target.unlink(missing_ok=True)
    target.write_text(text, encoding="utf-8")
    target.chmod(mode)


def test_without_root_it_says_sudo(pi: Machine) -> None:
    """Before anything is made."""
    assert f"must run as root\n  sudo {INSTALL}" in refused(pi, user="nobody:nogroup")


@pytest.mark.parametrize(
    ("release", "said"),
    [
        (
            'ID=fedora\nPRETTY_NAME="Fedora 43"\n',
            "expected Raspberry Pi OS or Debian, got Fedora 43",
        ),
        ("ID=debian\nVERSION_ID=11\n", "expected Debian 12 or newer, got 11"),
    ],
)
def test_another_system_is_refused_with_what_to_do(pi: Machine, release: str, said: str) -> None:
    """By what /etc/os-release says."""
    write(pi, "etc/os-release", release)
    assert said in refused(pi)


def test_an_old_python_is_refused(pi: Machine) -> None:
    """A python3 that comes first on the path and is too old."""
    old = '#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 && exit 0\nexit 1\n'
    write(pi, "usr/local/bin/python3", old, mode=0o755)
    assert "expected Python 3.11 or newer, got Python 3.9.2" in refused(pi)


def test_a_card_without_room_is_refused_before_it_is_full(pi: Machine) -> None:
    """And the empty folder is taken away again."""
    with small_disk(pi, "/opt", "size=20m"):
        said = refused(pi)
        assert list((pi.root / "opt").iterdir()) == []
    assert "of room for /opt/headrace, got 20 MB" in said


def test_a_read_only_card_is_refused(pi: Machine) -> None:
    """raspi-config makes such ones."""
    with small_disk(pi, "/opt", "ro"):
        assert "/opt/headrace cannot be written\n  a read-only card?" in refused(pi)


def test_inference_is_refused_where_it_cannot_be(pi: Machine) -> None:
    """On 32 bit; elsewhere there is nothing to refuse."""
    if IS_64_BIT:
        pytest.skip("this device is a 64 bit one")
    assert "--with-inference needs a 64 bit system" in refused(pi, "--with-inference")


def test_a_first_install_without_network_changes_nothing(pi: Machine) -> None:
    """What goes on from there is the story of test_pi."""
    said = refused(pi, network=False)
    assert "run it again: it goes on where it ended" in said
