"""docs/how-to/firmware.md as it is written: from the code of `gateway enroll` to readings in a query."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import headrace.cli
from tests.enrolment import EnrolSite, make_site, run_enroll, run_gateway
from tests.firmware.conftest import Board
from tests.firmware.ledger import compare
from tests.firmware.test_micropython import FIRMWARE, HEAP, HERE, more_readings, write_settings
from tests.firmware.tools import ROOT, tool
from tests.programs import Programs
from tests.wire_vectors import all_vectors, payload

PAGE = (ROOT / "docs" / "how-to" / "firmware.md").read_text(encoding="utf-8")
CODE = "4K7Q-9RTX-M2PD-0ZHN"


def commands(mark: str) -> list[list[str]]:
    """The lines of the shell block behind a mark."""
    block = re.search(rf"<!-- runs: {mark} -->\n```sh\n(.*?)```", PAGE, re.S)
    assert block is not None, mark
    return [shlex.split(line) for line in block[1].splitlines()]


@pytest.fixture
def site(programs: Programs) -> EnrolSite:
    """A gateway that gives out certificates."""
    made = make_site(programs, enrol='names = ["localhost"]')
    made.gateway.start()
    made.gateway.wait_ready()
    return made


def enrol(site: EnrolSite, folder: Path) -> Path:
    """The page's commands; address, folder and code are the test's own."""
    (invite, join) = commands("enrol")
    assert invite[:2] == ["gateway", "enroll"]
    code = site.invite(invite[2])
    own = {CODE: code, "https://gateway.local:8443": site.url, invite[2]: str(folder / invite[2])}
    result = run_enroll(*[own.get(word, word) for word in join[2:]])
    assert result.exit_code == 0, result.output
    for words in commands("der"):
        subprocess.run([tool("openssl"), *words[1:]], cwd=folder, check=True, capture_output=True)
    return folder / invite[2]


def test_an_enrolled_board_delivers_until_it_is_revoked(
    site: EnrolSite, board: Callable[[list[str]], Board], tmp_path: Path
) -> None:
    """With certificates from the gateway, over TLS to the broker inside it."""
    files = enrol(site, tmp_path)
    names = {"ca": "ca.der", "cert": "device.crt.der", "key": "device.key.der"}
    settings = write_settings(
        tmp_path,
        site.gateway.mqtt_port,
        device="greenhouse-1",
        host="localhost",
        tls={key: str(files / name) for key, name in names.items()},
    )
    ledger, stop = tmp_path / "ledger", tmp_path / "stop"
    script = [str(HERE / "mp_device.py"), str(FIRMWARE), str(settings), str(ledger), str(stop)]
    device = board([tool("micropython"), *HEAP, *script])
    device.power_on()
    more_readings(ledger, 50)
    stop.touch()
    assert device.wait_end(30) == 0, device.output()
    result = compare(ledger, site.gateway.journal, "greenhouse-1")
    assert (result.lost, result.changed, result.duplicated) == ([], [], [])
    check_query(tmp_path, result.sampled)

    assert run_gateway(site, "revoke", "greenhouse-1").exit_code == 0
    stop.unlink()
    device.power_on()
    more_readings(ledger, 20)
    device.cut_power()
    assert device.output().count("no connection") >= 1
    again = compare(ledger, site.gateway.journal, "greenhouse-1")
    assert len(again.lost) >= 20  # sampled and kept on the board


def check_query(data: Path, sampled: int) -> None:
    ((_, *words),) = commands("query")
    words += ["--data", str(data), "--format", "csv"]
    result = CliRunner().invoke(headrace.cli.main, words)
    assert result.exit_code == 0, result.output
    rows = sorted(line.split(",") for line in result.stdout.splitlines()[1:])
    assert [row[0] for row in rows] == ["count", "temperature"]
    assert sum(int(row[1]) for row in rows) == sampled
    assert max(int(row[3]) for row in rows) == sampled


def test_the_pack_on_the_page_is_a_wire_vector() -> None:
    """What people copy is what the tests hold everybody to."""
    marked = re.search(r"<!-- vector: (\S+) -->\n```json\n(.*?)\n```", PAGE, re.S)
    assert marked is not None
    (vector,) = [vector for vector in all_vectors() if vector["id"] == marked[1]]
    assert payload(vector).decode() == marked[2]
