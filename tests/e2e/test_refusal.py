"""Agent and gateway together, and a batch that the gateway will never take."""

from __future__ import annotations

import sqlite3
import zlib
from pathlib import Path

from headrace.buffer_stats import read_buffer_stats
from headrace.journal import JournalReader
from tests.programs import Programs, make_gateway
from tests.servers import wait_until


def agent_config(folder: Path, port: int) -> str:
    return f"""
device = "pump-1"
[buffer]
path = "{folder / "buffer.db"}"
loss_window_s = 0.0
[uplink]
port = {port}
ack_timeout_s = 3
[[inputs]]
plugin = "simulated"
rate_hz = 20.0
interval_s = 0.1
"""


def test_a_refused_batch_is_dropped_with_its_reason_and_the_rest_goes_on(
    programs: Programs, tmp_path: Path
) -> None:
    """What flash turned to rubbish ends in quarantine, is counted at the device, and blocks nothing."""
    gateway = make_gateway(programs)
    agent = programs.make("edge_agent", agent_config(tmp_path, gateway.mqtt_port))
    buffer = tmp_path / "buffer.db"
    agent.start()
    wait_until(
        lambda: buffer.exists() and read_buffer_stats(buffer).buffered > 100, 20, "a few batches"
    )
    assert agent.stop() == 0  # a clean stop leaves everything in the tables
    spoiled = spoil_last_batch(buffer)
    gateway.start()
    gateway.wait_ready()
    agent.start()
    wait_until(lambda: read_buffer_stats(buffer).acknowledged > 500, 30, "the rest goes on")
    assert agent.stop() == 0

    stats = read_buffer_stats(buffer)
    assert stats.dropped == {"refused": spoiled}
    assert stats.sampled == stats.acknowledged + spoiled
    assert "the gateway refuses a batch (broken_frame)" in agent.output()
    with JournalReader(gateway.journal) as reader:
        assert reader.counts()["quarantined"] == 1
    (holes,) = gateway.get("api/v1/gaps/pump-1").values()
    assert sum(last - first + 1 for first, last in holes) == spoiled


def spoil_last_batch(buffer: Path) -> int:
    """Rubbish with a checksum that fits, in a batch that is not joined with others."""
    db = sqlite3.connect(buffer, isolation_level=None)
    (first, rows) = db.execute(
        "SELECT first_seq, rows FROM batches ORDER BY first_seq DESC LIMIT 1"
    ).fetchone()
    rubbish = bytes(range(200))
    db.execute(
        "UPDATE batches SET payload = ?, crc = ?, boot = 'another' WHERE first_seq = ?",
        (rubbish, zlib.crc32(rubbish), first),
    )
    db.close()
    return int(rows)
