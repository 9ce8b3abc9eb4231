"""Two gateways in a chain over mosquitto: nothing lost or doubled, whatever is killed."""

from __future__ import annotations

from pathlib import Path

from headrace.journal import JournalReader
from headrace.limits.sizes import GIB
from headrace.ranges import RangeSet
from tests.batches import payload
from tests.devices import Device
from tests.programs import Gateway, Programs, make_gateway
from tests.servers import free_port, wait_until
from tests.servers.mosquitto import MosquittoProgram

STREAM = "0123456789abcdef"
BATCHES, ROWS = 120, 50


def journalled(journal: Path, device: str) -> tuple[int, RangeSet]:
    """Rows of a device's own stream in a journal, and the seqs that they are."""
    with JournalReader(journal) as reader:
        found = reader.read(0, max_rows=10**9, max_bytes=GIB)
    rows = [row for row in found if (row.device, row.stream) == (device, STREAM)]
    return sum(row.rows for row in rows), RangeSet((row.first_seq, row.last_seq) for row in rows)


def site_gateway(programs: Programs, port: int) -> Gateway:
    sink = f"""
[vitals]
interval_s = 1
[[sinks]]
plugin = "mqtt"
required = true
port = {port}
device = "{{site}}.{{device}}"
timeout_s = 2
"""
    return make_gateway(programs, extra=[sink])


def test_a_chain_of_gateways_loses_and_doubles_nothing_over_kills(programs: Programs) -> None:
    """Broker, far gateway and near gateway are killed while readings flow."""
    port = free_port()
    broker = MosquittoProgram(programs.folder, port)
    broker.start()
    (programs.folder / "far").mkdir()
    far = make_gateway(
        Programs(programs.folder / "far"), kind="external", mqtt_port=port,
        data=programs.folder / "far" / "data",
    )  # fmt: skip
    near = site_gateway(programs, port)
    try:
        far.start()
        near.start()
        far.wait_ready()
        near.wait_ready()
        device = Device("pump-1", near.mqtt_port)
        for at in range(BATCHES):
            device.publish(payload(STREAM, 1 + at * ROWS, ROWS))
            if at == 30:
                far.program.kill()
            elif at == 50:
                far.start()
            elif at == 60:
                broker.kill()
                broker.start()
            elif at == 90:
                device.wait_acked((at + 1) * ROWS)
                device.close()
                near.program.kill()
                near.start()
                near.wait_ready()
                device = Device("pump-1", near.mqtt_port)
        total = BATCHES * ROWS
        wait_until(lambda: journalled(far.journal, "site-1.pump-1")[0] >= total, 60, "all is there")
        rows, seqs = journalled(far.journal, "site-1.pump-1")
        assert (rows, seqs.pairs()) == (total, [(1, total)])
        assert (
            near.metric('headrace_gateway_sink_readings_total{sink="mqtt",verdict="reject"}') == 0
        )
        device.close()
    finally:
        far.program.kill()
        broker.close()
