"""What the agent does on a card that is full or read-only: real small file systems, mounted for the test."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.buffer_stats import read_buffer_stats
from headrace.limits.agent import BUFFER_DISK_RESERVE_BYTES
from headrace.limits.sizes import MIB
from tests.servers import free_port, wait_until
from tests.servers.acking_gateway import acking_gateway
from tests.servers.agent import agent, log_of, write_agent_config
from tests.servers.mosquitto import mosquitto

INPUT = '[[inputs]]\nplugin = "simulated"\nrate_hz = 4000.0\ninterval_s = 0.05\n'


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 MB."""
    folder = tmp_path / "card"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs root to mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def config_on(card: Path, tmp_path: Path, port: int) -> Path:
    config = write_agent_config(tmp_path, port=port, inputs=INPUT, buffer="loss_window_s = 0.1")
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace(str(tmp_path / "buffer.db"), str(card / "buffer.db")))
    return config


def fill(path: Path, *, keep: int) -> None:
    """Take what is left of the card but for ``keep`` bytes."""
    disk = os.statvfs(path.parent)
    path.write_bytes(bytes(max(0, disk.f_bavail * disk.f_frsize - keep)))


def test_a_full_card_costs_new_readings_and_nothing_that_is_stored(
    card: Path, tmp_path: Path
) -> None:
    """The agent stops short of the last bytes, so that acks make room again even if others take those."""
    port = free_port()
    config, buffer = config_on(card, tmp_path, port), card / "buffer.db"
    fill(card / "others", keep=BUFFER_DISK_RESERVE_BYTES + 4 * MIB)
    with agent(config) as process:
        wait_until(lambda: "its disk is full but for" in log_of(config), 60, "a full card")
        assert process.poll() is None
        stored = read_buffer_stats(buffer).buffered
        assert stored > 0
        with mosquitto(tmp_path, port), acking_gateway(port) as gateway:
            wait_until(lambda: gateway.rows() >= stored, 60, "all that was stored")
            wait_until(lambda: read_buffer_stats(buffer).buffered < stored // 2, 60, "acks")
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            assert gateway.duplicates == 0
    assert "works again after" in log_of(config)
    found = read_buffer_stats(buffer)
    assert set(found.dropped) == {"buffer_full"}
    assert found.sampled == found.acknowledged + found.buffered + found.dropped["buffer_full"]


def test_a_card_without_a_byte_left_holds_up_acks_and_ends_nothing(
    card: Path, tmp_path: Path
) -> None:
    """What others wrote took the reserve too; when they have cleaned up, everything goes on."""
    port = free_port()
    config, buffer = config_on(card, tmp_path, port), card / "buffer.db"
    fill(card / "others", keep=BUFFER_DISK_RESERVE_BYTES + 4 * MIB)
    with agent(config) as process:
        wait_until(lambda: "its disk is full but for" in log_of(config), 60, "a full card")
        stored = read_buffer_stats(buffer).buffered
        fill(card / "more", keep=0)
        with mosquitto(tmp_path, port), acking_gateway(port) as gateway:
            wait_until(lambda: gateway.rows() >= stored, 60, "all that was stored")
            wait_until(
                lambda: "cannot delete what is acknowledged" in log_of(config), 30, "it is said"
            )
            assert process.poll() is None
            (card / "more").unlink()
            (card / "others").unlink()
            wait_until(lambda: read_buffer_stats(buffer).buffered < stored // 2, 60, "acks")
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            assert gateway.duplicates == 0


def test_a_refusal_on_a_card_without_a_byte_left_is_counted_later(
    card: Path, tmp_path: Path
) -> None:
    """The gateway has the payloads in quarantine; to forget them here takes room that there is not."""
    port = free_port()
    config, buffer = config_on(card, tmp_path, port), card / "buffer.db"
    fill(card / "others", keep=BUFFER_DISK_RESERVE_BYTES + 4 * MIB)
    with agent(config) as process:
        wait_until(lambda: "its disk is full but for" in log_of(config), 60, "a full card")
        fill(card / "more", keep=0)
        with mosquitto(tmp_path, port), acking_gateway(port) as gateway:
            gateway.nack_reason = "bad_value"
            wait_until(lambda: "cannot delete what" in log_of(config), 60, "it is said")
            assert process.poll() is None
            (card / "more").unlink()
            (card / "others").unlink()
            wait_until(
                lambda: read_buffer_stats(buffer).dropped.get("refused", 0) > 0, 60, "refusals"
            )
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
    found = read_buffer_stats(buffer)
    assert found.acknowledged == 0
    assert found.sampled == found.buffered + sum(found.dropped.values())


def test_a_read_only_card_is_said_and_what_is_on_it_goes_out_later(
    card: Path, tmp_path: Path
) -> None:
    """Exit status 1, so that systemd tries again; with the card writable the same stream goes on."""
    config, buffer = config_on(card, tmp_path, free_port()), card / "buffer.db"
    with agent(config) as process:
        wait_until(lambda: "device pump-1" in log_of(config), 15, "the agent")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    before = read_buffer_stats(buffer)
    subprocess.run(["mount", "-o", "remount,ro", card], check=True)
    with agent(config) as process:
        assert process.wait(15) == 1
    said = log_of(config)
    assert f"error: buffer {buffer}: Read-only file system" in said
    assert "mount -o remount,rw" in said
    assert "Traceback" not in said
    subprocess.run(["mount", "-o", "remount,rw", card], check=True)
    with agent(config) as process:
        wait_until(lambda: read_buffer_stats(buffer).sampled > before.sampled, 15, "new readings")
    assert read_buffer_stats(buffer).stream == before.stream
    assert read_buffer_stats(buffer).buffered >= before.buffered


def test_a_folder_that_cannot_be_made_is_said(card: Path, tmp_path: Path) -> None:
    """The first start on a read-only card."""
    subprocess.run(["mount", "-o", "remount,ro", card], check=True)
    config = config_on(card / "new", tmp_path, free_port())
    with agent(config) as process:
        assert process.wait(15) == 1
    assert "Read-only file system" in log_of(config)
    assert "Traceback" not in log_of(config)
