"""The edge-agent command: outputs, exit statuses, and what it does not import."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import threading
from array import array
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_agent.buffer.store import Store
from edge_agent.cli import main
from edge_agent.intake import Intake
from edge_agent.readings import Poll, Run
from headrace.clock import ManualClock
from headrace.limits.sizes import MIB
from headrace.metrics import Metrics

NOW = 1_750_000_000_000_000


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def buffer(tmp_path: Path) -> Path:
    """A buffer with numbers and texts in two batches."""
    path, clock = tmp_path / "buffer.db", ManualClock(NOW)
    with closing(Store(path, device="pump-1", max_bytes=MIB, clock=clock)) as store:
        fill(store, clock)
    return path


def fill(store: Store, clock: ManualClock) -> None:
    intake = Intake(store, loss_window_s=0, boot="b", clock=clock, metrics=Metrics("agent"),
                    sealed=lambda: None)  # fmt: skip
    intake.add_source("x", lossless=False)
    stopping = threading.Event()
    numbers = Run("flow", array("q", [NOW, NOW + 1]), array("d", [1.5, 2.5]))
    intake.accept("x", Poll([numbers]), stopping=stopping)
    texts = Run("state", array("q", [NOW + 2]), ["on"])
    intake.accept("x", Poll([texts]), stopping=stopping)


def test_buffer_stat_counts_for_scripts(buffer: Path) -> None:
    """The keys that scripts read."""
    stats = json.loads(invoke("buffer", "stat", buffer, "--json").stdout)
    assert stats["device"] == "pump-1"
    assert (stats["sampled"], stats["acknowledged"], stats["buffered"]) == (3, 0, 3)
    assert stats["dropped"] == {}
    assert len(stats["stream"]) == 16
    assert {"written_bytes_per_day", "written_bytes_per_reading"} <= stats.keys()


def test_buffer_commands_read_the_log_of_a_running_agent(tmp_path: Path) -> None:
    """Batches that are not in the tables yet are listed and exported."""
    path, clock = tmp_path / "buffer.db", ManualClock(NOW)
    with closing(Store(path, device="pump-1", max_bytes=MIB, clock=clock)) as store:
        fill(store, clock)
        rows = json.loads(invoke("buffer", "ls", path, "--json").stdout)
        assert [(row["first_seq"], row["last_seq"]) for row in rows] == [(1, 2), (3, 3)]
        exported = invoke("buffer", "export", path).stdout
    assert invoke("buffer", "export", path).stdout == exported
    assert len(exported.splitlines()) == 4


def test_buffer_ls_shows_batches(buffer: Path) -> None:
    """For people and as JSON."""
    rows = json.loads(invoke("buffer", "ls", buffer, "--json").stdout)
    assert [(row["first_seq"], row["last_seq"]) for row in rows] == [(1, 2), (3, 3)]
    assert len(invoke("buffer", "ls", buffer).stdout.splitlines()) == 3


def test_buffer_export_decodes_every_reading(buffer: Path) -> None:
    """As CSV with a header line, and as JSON lines."""
    rows = list(csv.DictReader(io.StringIO(invoke("buffer", "export", buffer).stdout)))
    assert [(row["seq"], row["name"], row["value"], row["text"]) for row in rows] == [
        ("1", "flow", "1.5", ""), ("2", "flow", "2.5", ""), ("3", "state", "", "on"),
    ]  # fmt: skip
    assert rows[0]["time"] == str(NOW)
    lines = invoke("buffer", "export", buffer, "--format", "json").stdout.splitlines()
    assert json.loads(lines[2]) == {
        "seq": 3, "name": "state", "time": NOW + 2, "value": None, "text": "on",
    }  # fmt: skip


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    """Exit status 2, and what to do."""
    result = invoke("buffer", "stat", tmp_path / "none.db")
    assert result.exit_code == 2
    assert "buffer.path" in result.stderr


def test_check_config_reports_every_fault_and_exits_with_2(tmp_path: Path) -> None:
    """With file and key."""
    path = tmp_path / "agent.toml"
    path.write_text('device = "a b"\n[[inputs]]\nplugin = "nope"\n', encoding="utf-8")
    result = invoke("check-config", "--config", path)
    assert result.exit_code == 2
    assert f"{path}: 2 faults" in result.stderr
    assert "device:" in result.stderr
    assert "inputs[0].plugin:" in result.stderr


def test_run_with_a_faulty_config_starts_nothing(tmp_path: Path) -> None:
    """No buffer file is made."""
    path = tmp_path / "agent.toml"
    path.write_text(f'device = "a"\n[buffer]\npath = "{tmp_path / "b.db"}"\n', encoding="utf-8")
    assert invoke("run", "--config", path).exit_code == 2
    assert not (tmp_path / "b.db").exists()


def test_the_sample_config_of_host_is_sound(tmp_path: Path) -> None:
    """What sample-config prints, check-config accepts."""
    path = tmp_path / "agent.toml"
    path.write_text(
        invoke("sample-config", "--input", "host", "--input", "simulated").stdout, encoding="utf-8"
    )
    result = invoke("check-config", "--config", path)
    assert result.exit_code == 0, result.stderr
    assert "inputs host-1, simulated-1" in result.stdout


def test_simulate_writes_the_pump(tmp_path: Path) -> None:
    """Equal seeds, equal files."""
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    for path in (first, second):
        assert invoke("simulate", "--rows", "20", "--seed", "5", path).exit_code == 0
    assert first.read_text() == second.read_text()
    assert len(first.read_text().splitlines()) == 21


@pytest.mark.parametrize("command", [[], *[[name] for name in main.commands], ["buffer", "stat"]])
def test_every_command_has_help_with_an_example(command: list[str]) -> None:
    """Nobody should have to look elsewhere for the first use."""
    result = invoke(*command, "--help")
    assert result.exit_code == 0
    assert "Example:" in result.stdout


def modules_after(code: str) -> set[str]:
    script = f"{code}\nimport sys; print('\\n'.join(m.split('.')[0] for m in sys.modules))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(out.stdout.split())


def test_help_imports_nothing_heavy() -> None:
    """It answers at once, also on a Pi."""
    heavy = {
        "apscheduler",
        "paho",
        "nanoarrow",
        "sqlite_utils",
        "psutil",
        "prometheus_client",
        "sqlite3",
    }
    assert not modules_after("import edge_agent.cli") & heavy


def test_a_running_agent_imports_no_pyarrow_and_no_sqlite_utils() -> None:
    """50 MB of memory are what a small device has to spare."""
    code = "import edge_agent.app, edge_agent.inputs.host, edge_agent.inputs.replay"
    loaded = modules_after(code)
    assert not loaded & {"pyarrow", "numpy", "pydantic", "sqlite_utils", "duckdb", "cryptography"}
