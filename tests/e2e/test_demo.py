"""``headrace demo``: the whole system on one machine, twice in the same folder, and asked afterwards."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.demo.summary import STATEMENTS
from tests.servers import wait_until

HEADRACE = Path(sys.executable).with_name("headrace")
README = Path(__file__).parents[2] / "README.md"


def run(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HEADRACE, *words], cwd=cwd, capture_output=True, text=True, timeout=150, check=False
    )


def sampled(output: str) -> dict[str, int]:
    """Readings of each device by the printed summary, where nothing is lost or doubled."""
    rows = re.findall(r"│ (\S+) +│ +([\d,]+) │ +([\d,]+) │ +([\d,]+) │ +0 │ +0 │", output)
    counts = {row[0]: [int(number.replace(",", "")) for number in row[1:]] for row in rows}
    assert all(len(set(numbers)) == 1 for numbers in counts.values()), output
    return {device: numbers[0] for device, numbers in counts.items()}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A finished demo: its working directory and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    result = run("demo", "--seconds", "25", cwd=folder)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder, result.stdout


def test_every_reading_of_every_device_is_in_the_lake_once(demo):
    """Four devices, 0 lost, 0 duplicated, exit status 0."""
    assert set(sampled(demo[1])) == {"host", "pump-1", "pump-2", "pump-3"}


def test_the_model_notices_the_faulty_pump_and_no_other(demo):
    """At least one alert from the model, for pump-3 alone."""
    result = run("query", "--format", "json", "SELECT device, rule, state FROM alerts", cwd=demo[0])
    alerts = json.loads(result.stdout)
    assert {"device": "pump-3", "rule": "pump-anomaly", "state": "firing"} in alerts
    assert {alert["device"] for alert in alerts} == {"pump-3"}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_statements_that_it_suggests_answer(demo, statement):
    """What is printed to be tried works as printed."""
    result = run("query", "--format", "csv", statement, cwd=demo[0])
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) > 1


def test_the_readmes_queries_answer(demo):
    """The commands below "Then ask the lake" run as they stand."""
    block = re.search(r"<!-- runs: after the demo -->\n```sh\n(.*?)```", README.read_text(), re.S)
    assert block is not None
    commands = "\n".join(line for line in block[1].splitlines() if not line.startswith(". .venv"))
    path = f"{HEADRACE.parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-euc", commands],
        cwd=demo[0],
        check=True,
        env=os.environ | {"PATH": path},
        timeout=60,
    )
    lines = (demo[0] / "vibration.csv").read_text().splitlines()
    assert lines[0] == "time,value"
    assert len(lines) > 100


def test_the_readmes_python_answers(demo):
    """The lines below "From Python" run as they stand."""
    block = re.search(
        r"<!-- runs: after the demo, too -->\n```python\n(.*?)```", README.read_text(), re.S
    )
    assert block is not None
    result = subprocess.run(
        [sys.executable, "-c", block[1]],
        cwd=demo[0], check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    rows, last = result.stdout.split(" ", 1)
    assert int(rows) > 100
    assert "'pump-3'" in last


def test_a_second_run_goes_on_in_the_folder_and_ctrl_c_ends_it(demo):
    """Counts go on from the first run, and Ctrl-C is an orderly end."""
    folder, first_output = demo
    first = sampled(first_output)
    with (folder / "second.log").open("wb") as log:
        process = subprocess.Popen([HEADRACE, "demo"], cwd=folder, stdout=log, stderr=log)
    output = folder / "second.log"
    wait_until(lambda: "5 s  4 devices online" in output.read_text(), 60, "5 s of the second run")
    process.send_signal(signal.SIGINT)
    assert process.wait(90) == 0, output.read_text()
    second = sampled(output.read_text())
    assert all(second[device] > first[device] for device in first)
