"""The C library: under sanitizers here, on an emulated Cortex-M3, and against the real gateway."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.firmware.conftest import Board
from tests.firmware.ledger import compare, journalled, lines
from tests.firmware.tools import EXAMPLES, tool
from tests.programs import Gateway
from tests.servers import wait_until
from tests.servers.link import Link

LIBRARY = EXAMPLES / "c"
PASSED = "vectors: 16 written, 21 documents"


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Runs make with a target, and gives the folder that it builds in."""
    folder = tmp_path_factory.mktemp("c")

    def run(target: str) -> Path:
        tool("gcc")
        done = subprocess.run(
            [tool("make"), "-C", LIBRARY, "-j2", target, f"BUILD={folder}"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        (folder / f"{target}.log").write_text(done.stdout, encoding="utf-8")
        return folder

    return run


def test_the_library_passes_under_sanitizers(build: Callable[[str], Path]) -> None:
    """Vectors, power cuts after every byte, the uplink's stories; address and undefined behaviour."""
    log = (build("test") / "test.log").read_text(encoding="utf-8")
    assert PASSED in log
    assert "all passed" in log


def test_the_library_passes_on_a_cortex_m3(build: Callable[[str], Path]) -> None:
    """The same tests, cross-compiled, in an emulator: 32 bits, no operating system."""
    emulator = tool("qemu-system-arm")
    tool("arm-none-eabi-gcc")
    kernel = build("cortex-m") / "tests.elf"
    machine = ["-M", "lm3s6965evb", "-display", "none", "-monitor", "none", "-serial", "none"]
    done = subprocess.run(
        [emulator, *machine, "-semihosting", "-kernel", kernel],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    output = done.stdout + done.stderr  # semihosting writes to standard error
    assert done.returncode == 0, output
    assert PASSED in output
    assert "all passed" in output


@pytest.mark.parametrize("form", ["json", "cbor"])
def test_nothing_is_lost_or_doubled_over_a_cut_link_and_kills(
    form: str,
    build: Callable[[str], Path],
    board: Callable[[list[str]], Board],
    link: Link,
    gateway: Gateway,
    tmp_path: Path,
) -> None:
    """The cable is pulled, the power fails in between; the journal has every reading once."""
    ledger, stop = tmp_path / "ledger", tmp_path / "stop"
    files = [tmp_path / "flash.bin", ledger, stop]
    program = build("demo") / "demo"
    device = board([str(program), str(link.port), "c-1", *map(os.fspath, files), form])
    device.power_on()
    wait_until(lambda: journalled(gateway.journal) > 100, 20, "readings arrive" + device.output())
    link.swallow()
    more_readings(ledger, 700)  # more than a segment
    link.cut()
    more_readings(ledger, 400)
    device.cut_power()
    device.power_on()
    more_readings(ledger, 400)
    link.mend()
    chance = random.Random(11)
    for _ in range(6):
        more_readings(ledger, chance.randrange(2, 150))
        device.cut_power()
        device.power_on()
    wait_until(lambda: journalled(gateway.journal) > 900, 20, "it goes on" + device.output())
    stop.touch()
    assert device.wait_end(30) == 0, device.output()
    result = compare(ledger, gateway.journal, "c-1")
    assert result.sampled > 1000
    assert (result.lost, result.changed, result.duplicated) == ([], [], [])
    assert len(result.unbooked) <= 2 * 7  # two readings a kill: between flash and book
    assert "0 dropped, 0 refused" in device.output()


def more_readings(ledger: Path, count: int) -> None:
    goal = lines(ledger) + count
    wait_until(lambda: lines(ledger) >= goal, 20, f"{count} more readings are sampled")


def test_the_sizes_in_the_readme_are_true(build: Callable[[str], Path]) -> None:
    """Within a tenth, for compilers differ; `make sizes` in the folder renews them."""
    tool("arm-none-eabi-gcc")
    folder = build("cortex-m")
    measured = subprocess.run(
        [sys.executable, LIBRARY / "test" / "sizes.py", folder],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    readme = (LIBRARY / "README.md").read_text(encoding="utf-8")
    written = readme.partition("<!-- sizes: begin -->\n")[2].partition("<!-- sizes: end -->")[0]
    assert figures(written).keys() == figures(measured).keys()
    for what, size in figures(measured).items():
        assert figures(written)[what] == pytest.approx(size, rel=0.1), what


def figures(table: str) -> dict[str, int]:
    """First cell and last cell of the rows that end in a number."""
    rows = [line.strip("| ").split("|") for line in table.splitlines()]
    return {row[0].strip(): int(row[-1]) for row in rows if row[-1].strip().isdigit()}


@pytest.mark.parametrize("standard", ["gnu++17", "gnu++2b"])
def test_the_arduino_sketch_fits_the_library(standard: str) -> None:
    """Types and calls, against a stub of Arduino-ESP32: not that it runs on a board."""
    folder = EXAMPLES / "arduino"
    sketch = folder / "headrace_sensor" / "headrace_sensor.ino"
    paths = [f"-I{folder / 'test' / 'stubs'}", f"-I{LIBRARY / 'src'}"]
    words = ["-fsyntax-only", f"-std={standard}", "-Wall", "-Wextra", "-Werror", *paths]
    done = subprocess.run(
        [tool("g++"), *words, "-x", "c++", sketch], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
