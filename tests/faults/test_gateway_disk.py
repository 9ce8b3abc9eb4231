"""What the gateway does on a disk that is full: real small file systems, mounted for the test."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from headrace.journal import REGISTERED, JournalReader
from tests.batches import payload
from tests.devices import Device
from tests.programs import Gateway, Program, Programs, make_gateway
from tests.servers import free_port, wait_until

STREAM = "0123456789abcdef"
ROWS = 9_000


@pytest.fixture
def disk(tmp_path: Path, programs: Programs) -> Iterator[Path]:
    """A file system of 12 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs root to mount a small file system")
    yield folder
    programs.close()
    subprocess.run(["umount", "--lazy", folder], check=True)


def batched(numbers: Iterable[int], size: int) -> Iterator[list[int]]:
    """Groups of so many."""
    rest = iter(numbers)
    while group := list(islice(rest, size)):
        yield group


def cloud_sync(programs: Programs, gateway: Gateway, tmp_path: Path) -> Program:
    """With its lake on another disk."""
    return programs.make(
        "cloud_sync",
        f'[journal]\npath = "{gateway.journal}"\n[lake]\nuri = "{tmp_path / "lake"}"\n'
        "[landing]\ninterval_s = 0.2\nkeep_s = 0\n[register]\ninterval_s = 0.2\n",
    )


def send(device: Device, numbers: Iterable[int], taken: Callable[[], bool] = lambda: True) -> int:
    """Batches of these numbers, ten at a time and acknowledged, as long as they are taken; how many were sent."""
    sent = 0
    for group in batched(numbers, 10):
        acked = device.acked
        for number in group:
            device.publish(payload(STREAM, 1 + number * ROWS, ROWS))
        sent += len(group)
        due = acked + len(group) * ROWS
        wait_until(lambda due=due: device.acked >= due or not taken(), 90, "acks")
        if device.acked < due:
            break
    return sent


def test_a_disk_that_the_journal_has_filled_is_worked_off(
    disk: Path, tmp_path: Path, programs: Programs
) -> None:
    """Also after a kill: what has landed is pruned, and the devices are answered again."""
    gateway = make_gateway(programs, data=disk / "data")
    gateway.start()
    gateway.wait_ready()
    device = Device("pump-1", gateway.mqtt_port)
    sent = send(device, range(2_000), gateway.is_ready)
    assert not gateway.is_ready()
    assert "which are kept free" in gateway.program.output()
    gateway.program.kill()
    device.close()
    gateway.start()
    sync = cloud_sync(programs, gateway, tmp_path)
    sync.start()
    device = Device("pump-1", gateway.mqtt_port)
    # As an agent does: again from the first that was not acknowledged, and on.
    assert send(device, range(sent - 10, 2 * sent)) == sent + 10
    with JournalReader(gateway.journal) as reader:
        head = reader.head()
        wait_until(lambda: reader.cursor(REGISTERED) >= head, 90, "everything is in the lake")
    assert gateway.get("api/v1/gaps/pump-1") == {}
    assert sync.stop() == 0
    assert gateway.program.stop() == 0
    device.close()


def test_a_reload_on_a_full_disk_ends_nothing(disk: Path, programs: Programs) -> None:
    """The answer cannot be written; the gateway is not to die of that."""
    gateway = make_gateway(programs, data=disk / "data")
    gateway.start()
    gateway.wait_ready()
    left = os.statvfs(disk)
    with contextlib.suppress(OSError):
        (disk / "others").write_bytes(bytes(left.f_bavail * left.f_frsize + 1))
    gateway.program.signal(signal.SIGHUP)
    wait_until(lambda: "nobody can be told" in gateway.program.output(), 30, "it is said")
    (disk / "others").unlink()
    device = Device("pump-1", gateway.mqtt_port)
    assert send(device, range(10)) == 10
    assert gateway.program.stop() == 0
    device.close()


def test_a_sink_that_is_optional_does_not_fill_the_disk(disk: Path, programs: Programs) -> None:
    """journal.max_bytes may be larger than the disk: it is skipped past all the same, counted."""
    gateway = make_gateway(
        programs, data=disk / "data", journal="hold_for = []",
        extra=[
            "[[sinks]]", 'plugin = "influxdb"', "required = false",
            f'url = "http://127.0.0.1:{free_port()}"', 'bucket = "away"',
        ],
    )  # fmt: skip
    gateway.start()
    gateway.wait_ready()
    device = Device("pump-1", gateway.mqtt_port)
    assert send(device, range(200)) == 200
    assert gateway.program.stop() == 0
    device.close()
