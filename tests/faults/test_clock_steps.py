"""What the programs do when the wall clock is set under them: by libfaketime, in their process alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from headrace.buffer_stats import read_buffer_stats
from headrace.journal import REGISTERED, JournalReader
from tests.journals import Journal, readings
from tests.servers import free_port, stop_process, wait_until
from tests.servers.agent import log_of, write_agent_config

FAKETIME = shutil.which("faketime")
INPUT = '[[inputs]]\nplugin = "simulated"\nrate_hz = 20.0\ninterval_s = 0.05\n'

pytestmark = pytest.mark.skipif(FAKETIME is None, reason="faketime is not installed")


def library() -> str:
    """What `faketime` preloads."""
    said = subprocess.run(
        ["faketime", "now", "sh", "-c", "echo $LD_PRELOAD"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return said.stdout.strip().rpartition(":")[2]


@contextmanager
def with_clock(module: str, config: Path, offset: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program whose wall clock is off by what the file says; its steady clock is the machine's."""
    environment = {
        **os.environ, "LD_PRELOAD": library(), "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1",
    }  # fmt: skip
    with (config.parent / "agent.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, "run", "--config", str(config)],
            stderr=log, env=environment,
        )  # fmt: skip
    try:
        yield process
    finally:
        stop_process(process)


@pytest.mark.parametrize("step", ["+20000d", "-300d"], ids=["forward", "back"])
def test_sampling_goes_on_when_the_clock_is_set(tmp_path: Path, step: str) -> None:
    """A device without a clock chip finds a time server: no input stands still, and no memory goes."""
    config = write_agent_config(
        tmp_path, port=free_port(), inputs=INPUT, buffer="loss_window_s = 0.1"
    )
    offset = tmp_path / "offset"
    # Not before 1970: readings from there would be dropped.
    offset.write_text("+0\n" if step.startswith("-") else "-20000d\n", encoding="ascii")
    buffer = tmp_path / "buffer.db"
    with with_clock("edge_agent", config, offset) as process:
        wait_until(
            lambda: buffer.exists() and read_buffer_stats(buffer).sampled > 100, 30, "readings"
        )
        offset.write_text(("+0" if step.startswith("+") else step) + "\n", encoding="ascii")
        wait_until(lambda: "the clock was set by" in log_of(config), 30, "the step is noticed")
        seen = read_buffer_stats(buffer).sampled
        wait_until(lambda: read_buffer_stats(buffer).sampled > seen + 200, 30, "more readings")
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
        assert int(peak) < 150_000, f"{peak} kB"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_landing_goes_on_when_the_clock_is_set_back(tmp_path: Path) -> None:
    """cloud-sync plans its next look by the wall clock; it is not to wait until the old time comes again."""
    offset, config = tmp_path / "offset", tmp_path / "cloud_sync.toml"
    offset.write_text("+0\n", encoding="ascii")
    config.write_text(
        f'[journal]\npath = "{tmp_path / "journal.db"}"\n[lake]\nuri = "{tmp_path / "lake"}"\n'
        f"[landing]\ninterval_s = 0.2\n[register]\ninterval_s = 0.2\n",
        encoding="utf-8",
    )
    with closing(Journal(tmp_path / "journal.db")) as journal:
        journal.append("pump-1", readings(100))
        with (
            with_clock("cloud_sync", config, offset) as process,
            JournalReader(journal.path) as reader,
        ):
            wait_until(lambda: reader.cursor(REGISTERED) == 1, 60, "the first batch")
            offset.write_text("-30d\n", encoding="ascii")
            for at in range(2, 5):
                journal.append("pump-1", readings(100, seed=at))
                wait_until(lambda at=at: reader.cursor(REGISTERED) == at, 60, f"batch {at}")
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
