"""deploy/mosquitto/firewall.sh in a network of its own: one address gets its share of connections."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "mosquitto" / "firewall.sh"

#: Inside the network: how many of 30 connections each of two addresses gets, one after the other.
_CLIENTS = """
import socket
server = socket.create_server(("127.0.0.1", 8883), backlog=100)
def got(address):
    made = []
    for _ in range(30):
        try:
            made.append(socket.create_connection(("127.0.0.1", 8883), 1, source_address=(address, 0)))
        except OSError:
            continue
    return made
attacker, honest = got("127.0.0.2"), got("127.0.0.3")
print(len(attacker), len(honest))
for each in attacker:
    each.close()
"""


@pytest.fixture
def network() -> Iterator[list[str]]:
    """What runs a command in it."""
    if os.geteuid() != 0 or not (shutil.which("ip") and shutil.which("iptables")):
        pytest.skip("needs root, ip and iptables")
    name = f"headrace-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        pytest.skip("no network namespaces here")
    inside = ["ip", "netns", "exec", name]
    try:
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
        yield inside
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def test_one_address_gets_its_share_and_the_others_theirs(network: list[str]) -> None:
    """Run twice, as at each boot, it is there once."""
    for _ in range(2):
        done = subprocess.run(
            [*network, "sh", SCRIPT, "8883", "10"], capture_output=True, text=True, check=False
        )
        if "Extension connlimit" in done.stderr or "No chain/target/match" in done.stderr:
            pytest.skip(f"this kernel has no such rules: {done.stderr.strip()}")
        assert done.returncode == 0, done.stderr
    rules = subprocess.run([*network, "iptables", "-S"], capture_output=True, text=True, check=True)
    assert rules.stdout.count("--connlimit-above 10 ") == 1
    found = subprocess.run(
        [*network, sys.executable, "-c", _CLIENTS], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["10", "10"]
