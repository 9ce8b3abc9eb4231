"""Gateway killed with sinks behind it that write each reading once: PostgreSQL and files."""

from __future__ import annotations

import json
from pathlib import Path

from tests.batches import payload
from tests.devices import Device
from tests.programs import Programs, make_gateway
from tests.servers import wait_until
from tests.servers.postgres import postgres

STREAM = "0123456789abcdef"
ROUNDS, BATCHES, ROWS = 4, 15, 50
TOTAL = ROUNDS * BATCHES * ROWS


def in_files(folder: Path) -> list[int]:
    """The sequence numbers of pump-1 in whole files and in the part, as often as they are there."""
    paths = [*folder.glob("*.ndjson"), folder / ".headrace" / "part"]
    texts = [path.read_text() for path in paths if path.exists()]
    lines = (line for text in texts for line in text.splitlines() if line.endswith("}"))
    readings = (json.loads(line) for line in lines)
    return sorted(reading["seq"] for reading in readings if reading["device"] == "pump-1")


def test_a_gateway_that_is_killed_again_and_again_writes_each_reading_once(
    programs: Programs, tmp_path: Path
) -> None:
    """SIGKILL while batches arrive and sinks deliver; then exactly what was acknowledged is there."""
    folder = tmp_path / "files"
    with postgres(tmp_path / "server") as server:
        sinks = f"""
[[sinks]]
plugin = "postgres"
conninfo = "{server.conninfo}"
required = true
[[sinks]]
plugin = "file"
folder = "{folder}"
max_file_bytes = 65536
required = true
"""
        gateway = make_gateway(programs, extra=[sinks])
        for number in range(ROUNDS):
            gateway.start()
            gateway.wait_ready()
            device = Device("pump-1", gateway.mqtt_port)
            first = number * BATCHES * ROWS + 1
            for batch in range(BATCHES):
                device.publish(payload(STREAM, first + batch * ROWS, ROWS))
            device.wait_acked(BATCHES * ROWS)
            device.close()
            gateway.program.kill()
        gateway.start()
        expected = list(range(1, TOTAL + 1))
        query = "SELECT seq FROM readings WHERE device = 'pump-1' ORDER BY seq"
        wait_until(lambda: len(server.sql(query)) >= TOTAL, 30, "all in PostgreSQL")
        wait_until(lambda: len(in_files(folder)) >= TOTAL, 30, "all in files")
        assert gateway.program.stop() == 0
        assert [seq for (seq,) in server.sql(query)] == expected
        assert in_files(folder) == expected
