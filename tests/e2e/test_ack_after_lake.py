"""``ack_after = "lake"``: a gateway's disk may die, and nothing is lost or doubled."""

from __future__ import annotations

import shutil
from pathlib import Path

from headrace.buffer_stats import read_buffer_stats
from headrace.journal import REGISTERED, JournalReader
from headrace.lake.config import Lake
from tests.lakes import ask
from tests.programs import Programs, make_gateway
from tests.servers import wait_until

#: Without what the gateway says of a device.
SENT = "name NOT LIKE 'gateway/%'"


def agent_config(folder: Path, port: int, interval_s: float = 0.1) -> str:
    return f"""
device = "pump-1"
[buffer]
path = "{folder / "buffer.db"}"
loss_window_s = 0.0
[uplink]
port = {port}
ack_timeout_s = 2
[[inputs]]
plugin = "simulated"
rate_hz = 20.0
interval_s = {interval_s}
"""


def cloud_config(folder: Path, journal: Path) -> str:
    return f"""
[journal]
path = "{journal}"
[lake]
uri = "{folder / "lake"}"
[landing]
interval_s = 1
[register]
enabled = false
interval_s = 1
"""


def registrar_config(folder: Path) -> str:
    """A cloud-sync that has no journal: it registers what sites land, and tells them."""
    return f"""
[journal]
path = "{folder / "none.db"}"
[lake]
uri = "{folder / "lake"}"
[landing]
enabled = false
[register]
interval_s = 1
"""


def test_a_device_keeps_its_readings_until_the_lake_has_them(
    programs: Programs, tmp_path: Path
) -> None:
    """cloud-sync is away, then the gateway's disk is lost: the device sends it all again.

    The registrar is elsewhere, and no program of the site talks to it.
    """
    buffer = tmp_path / "buffer.db"
    gateway = make_gateway(programs, journal='ack_after = "lake"')
    cloud = programs.make("cloud_sync", cloud_config(tmp_path, gateway.journal))
    agent = programs.make("edge_agent", agent_config(tmp_path, gateway.mqtt_port))
    registrar = programs.make("cloud_sync", registrar_config(tmp_path), "registrar")
    gateway.start()
    cloud.start()
    registrar.start()
    agent.start()
    wait_until(lambda: buffer.exists() and read_buffer_stats(buffer).acknowledged > 200, 40, "acks")

    assert cloud.stop() == 0
    wait_until(lambda: all_told(gateway.journal), 20, "the device knows what is registered")
    wait_until(lambda: first_kept(gateway.journal, buffer) > 1, 20, "something is not registered")
    before = first_kept(gateway.journal, buffer) - 1
    # The last acks may still be on their way.
    wait_until(lambda: read_buffer_stats(buffer).acknowledged == before, 20, "acks have arrived")
    wait_until(lambda: read_buffer_stats(buffer).sampled > before + 400, 40, "more is sampled")
    with JournalReader(gateway.journal) as reader:
        assert reader.counts()["readings"] > 300
    assert read_buffer_stats(buffer).acknowledged == before

    gateway.program.kill()
    shutil.rmtree(gateway.data)
    gateway.start()
    cloud.start()
    wait_until(
        lambda: read_buffer_stats(buffer).acknowledged > before + 400, 60, "all is sent again"
    )
    assert agent.stop() == 0
    assert gateway.program.stop() == 0
    assert cloud.stop() == 0
    assert registrar.stop() == 0

    stats = read_buffer_stats(buffer)
    table = ask(
        Lake(uri=str(tmp_path / "lake")), gateway.journal,
        f"SELECT count(*) AS rows, count(DISTINCT seq) AS seqs, min(seq) AS first, max(seq) AS last "
        f"FROM readings WHERE device = 'pump-1' AND {SENT}",
    )  # fmt: skip
    (found,) = table.to_pylist()
    assert found["rows"] == found["seqs"] == found["last"], "none lost, none doubled"
    assert (found["first"], stats.dropped) == (1, {})
    assert found["last"] >= stats.acknowledged > before


def all_told(journal: Path) -> bool:
    """Whether every ack that is due has been sent."""
    with JournalReader(journal) as reader:
        return reader.cursor("acks") == reader.cursor(REGISTERED) > 0


def first_kept(journal: Path, buffer: Path) -> int:
    """The device's first reading that is in the journal and not in the lake; 0 while there is none."""
    stream = read_buffer_stats(buffer).stream
    with JournalReader(journal) as reader:
        rows = reader.read(reader.cursor(REGISTERED), max_rows=1_000_000, max_bytes=10**8)
    return min((row.first_seq for row in rows if row.stream == stream), default=0)
