"""The MicroPython firmware in MicroPython itself, against the real gateway."""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.firmware.conftest import Board
from tests.firmware.ledger import compare, journalled, lines
from tests.firmware.tools import EXAMPLES, ROOT, tool
from tests.programs import Gateway
from tests.servers import wait_until
from tests.servers.link import Link

FIRMWARE = EXAMPLES / "micropython"
HERE = Path(__file__).parent

#: As much as a Pico W leaves free (about 190 KiB), although pointers are twice as long here.
HEAP = ["-X", "heapsize=190k"]


def test_it_writes_and_reads_the_wire_vectors() -> None:
    """The same bytes as everyone else's, made on MicroPython."""
    manifest = ROOT / "tests" / "wire_vectors" / "manifest.json"
    done = subprocess.run(
        [tool("micropython"), HERE / "mp_vectors.py", FIRMWARE, manifest],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 written, 21 documents" in done.stdout


def test_what_runs_on_a_board_alone_is_at_least_sound() -> None:
    """Sensors, Wi-Fi and NTP are not here; that the files are MicroPython, and the clock's epoch, is."""
    checks = "all(len(series) == 3 for series in board.SERIES), board.utc_us() // 1000000 - now < 2"
    script = f"import board, main, time; now = int(time.time()); print({checks})"
    done = subprocess.run(
        [tool("micropython"), *HEAP, "-c", script],
        cwd=FIRMWARE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "True True\n"), done.stderr


def test_a_power_cut_after_any_block_operation_loses_nothing_that_was_kept() -> None:
    """On a real littlefs, in a chip whose power fails in the middle of a block; and what writing wears."""
    done = subprocess.run(
        [tool("micropython"), "-X", "heapsize=8m", HERE / "mp_power_cuts.py", FIRMWARE],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"each of (\d+) .* (\S+) erased blocks", done.stdout)
    assert found is not None, done.stdout
    assert int(found[1]) > 150
    assert float(found[2]) < 1.1  # what the README says about wear


def write_settings(folder: Path, port: int, **changed: object) -> Path:
    settings = json.loads((FIRMWARE / "settings.json").read_text(encoding="utf-8"))
    settings |= {"device": "mp-1", "host": "127.0.0.1", "port": port, "tls": None}
    settings |= {"ring": str(folder / "ring"), "sample_ms": 10, "ack_timeout_ms": 1000}
    settings |= {"write_every": 1} | changed
    path = folder / "settings.json"
    path.write_text(json.dumps(settings), encoding="utf-8")
    return path


@pytest.fixture
def device(
    tmp_path: Path, link: Link, board: Callable[[list[str]], Board]
) -> tuple[Board, Path, Path]:
    """The firmware behind the link, its ledger, and the file that ends sampling."""
    ledger, stop = tmp_path / "ledger", tmp_path / "stop"
    settings = write_settings(tmp_path, link.port)
    argv = [tool("micropython"), *HEAP, str(HERE / "mp_device.py"), str(FIRMWARE)]
    made = board([*argv, str(settings), str(ledger), str(stop)])
    return made, ledger, stop


def test_nothing_is_lost_or_doubled_over_a_cut_link_and_kills(
    device: tuple[Board, Path, Path], link: Link, gateway: Gateway
) -> None:
    """The cable is pulled, the power fails before, during and after; the journal has every reading once."""
    made, ledger, stop = device
    made.power_on()
    wait_until(lambda: journalled(gateway.journal) > 40, 20, "readings arrive" + made.output())
    link.swallow()
    more_readings(ledger, 700)  # more than a segment
    link.cut()
    more_readings(ledger, 200)
    made.cut_power()
    made.power_on()
    more_readings(ledger, 200)
    link.mend()
    chance = random.Random(7)
    for _ in range(6):  # in the middle of the backlog, and while it samples
        more_readings(ledger, chance.randrange(2, 80))
        made.cut_power()
        made.power_on()
    wait_until(lambda: journalled(gateway.journal) > 400, 20, "it goes on" + made.output())
    stop.touch()
    assert made.wait_end(30) == 0, made.output()
    result = compare(ledger, gateway.journal, "mp-1")
    assert result.sampled > 600
    assert (result.lost, result.changed, result.duplicated) == ([], [], [])
    assert len(result.unbooked) <= 2 * 7  # two readings a kill: between flash and book


def more_readings(ledger: Path, count: int) -> None:
    goal = lines(ledger) + count
    wait_until(lambda: lines(ledger) >= goal, 20, f"{count} more readings are sampled")
