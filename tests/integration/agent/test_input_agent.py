"""The agent as a process with every kind of sensor at once: what arrives at the gateway, and what it costs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from paho.mqtt import publish

from headrace.buffer_stats import read_buffer_stats
from tests.servers import wait_until
from tests.servers.acking_gateway import AckingGateway, acking_gateway
from tests.servers.agent import AGENT, agent, log_of, write_agent_config
from tests.servers.modbus import ModbusDevice, modbus_tcp
from tests.servers.mosquitto import EXECUTABLE, mosquitto
from tests.unit.edge_agent.inputs import trees

needs_broker = pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not installed")

INPUTS = """
[[inputs]]
plugin = "iio"
interval_s = 0.2
sysfs = "{sysfs}"

[[inputs]]
plugin = "hwmon"
interval_s = 0.2
kinds = ["fan"]
sysfs = "{sysfs}"

[[inputs]]
plugin = "w1"
interval_s = 0.2
sysfs = "{sysfs}"

[[inputs]]
plugin = "exec"
interval_s = 0.5
timeout_s = 0.5
command = ["sh", "-c", "echo tank/level 1.25 m; echo door ajar"]

[[inputs]]
plugin = "modbus"
host = "127.0.0.1"
port = {modbus}
interval_s = 0.2
timeout_s = 0.2

[[inputs.registers]]
name = "meter/power"
address = 0
unit = "frobs"

[[inputs.registers]]
name = "meter/none"
address = 60

[[inputs]]
plugin = "mqtt"
port = {mqtt}

[[inputs.topics]]
topic = "zigbee2mqtt/{{device}}"
"""


def arrived(gateway: AckingGateway) -> dict[str, str]:
    """Series and their units."""
    units: dict[str, str] = {}
    with gateway.lock:
        for batch in gateway.batches:
            for name in batch.rows.column("name").to_pylist():
                units[name] = batch.units.get(name, "")
    return units


@needs_broker
def test_readings_of_every_input_reach_the_gateway(tmp_path: Path) -> None:
    """With units; what cannot be read is counted by reason; the agent stays small and stops cleanly."""
    trees.iio(tmp_path, 0, "1-0076", trees.BME280)
    trees.hwmon(tmp_path, 0, "nct6775.656", trees.BOARD)
    trees.w1(tmp_path, "28-0316a2791fff", trees.GOOD_SLAVE)
    trees.w1(tmp_path, "28-000000000001", trees.POWER_ON)
    expected = {
        "bme280/temp": "Cel", "nct6775/fan1": "1/min", "28-0316a2791fff/temperature": "Cel",
        "tank/level": "m", "meter/power": "frobs", "kitchen/humidity": "%RH",
    }  # fmt: skip
    with (
        mosquitto(tmp_path) as broker,
        acking_gateway(broker.port) as gateway,
        modbus_tcp(ModbusDevice()) as modbus,
    ):
        inputs = INPUTS.format(sysfs=tmp_path, modbus=modbus, mqtt=broker.port)
        config = write_agent_config(tmp_path, port=broker.port, inputs=inputs)
        payload = json.dumps({"humidity": 48.5})
        with agent(config) as process:

            def all_there() -> bool:
                publish.single("zigbee2mqtt/kitchen", payload, qos=1, port=broker.port)
                return expected.items() <= arrived(gateway).items()

            wait_until(all_there, 30, f"every series; log:\n{log_of(config)}")
            assert psutil.Process(process.pid).memory_info().rss < 60 * 2**20
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
    stats = read_buffer_stats(tmp_path / "buffer.db")
    assert {"power_on", "unreadable", "modbus_exception"} <= stats.dropped.keys()
    assert stats.sampled == stats.acknowledged + sum(stats.dropped.values())
    log = log_of(config)
    for once in (
        "28-000000000001/temperature",
        "door: expected a number",
        "exception 2",
        "'frobs'",
    ):
        assert log.count(once) == 1, log


def test_every_fault_of_every_input_is_reported_at_once(tmp_path: Path) -> None:
    """With file and key, exit status 2; an unknown unit is a warning."""
    config = write_agent_config(
        tmp_path,
        port=1883,
        inputs="""
        [[inputs]]
        plugin = "modbus"
        host = "meter"
        registers = [
          {name = "a", address = 0, type = "int128"},
          {name = "b", address = 70000},
          {name = "c", adress = 3, unit = "odd"},
        ]
        [[inputs]]
        plugin = "modbus"
        host = "meter"
        registers = [{name = "a", address = 0, type = "int32"}, {name = "b", address = 1}]
        [[inputs]]
        plugin = "mqtt"
        topics = [{topic = "a/#/b"}]
        [[inputs]]
        plugin = "exec"
        command = []
        [[inputs]]
        plugin = "w1"
        interval_s = 0
        """,
    )
    done = subprocess.run(
        [*AGENT, "check-config", "-c", str(config)], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert str(config) in done.stderr
    for key in (
        "inputs[0].registers[0].type", "inputs[0].registers[1].address",
        "inputs[0].registers[2].adress: unknown key; did you mean 'address'",
        "inputs[1].registers[1].address: 'b' (uint16 at 1) overlaps", "inputs[2].topics[0].topic",
        "inputs[3].command", "inputs[4].interval_s",
    ):  # fmt: skip
        assert key in done.stderr, done.stderr


def test_an_unknown_unit_is_a_warning_of_check_config(tmp_path: Path) -> None:
    """Exit status 0: a meter may know units that SenML does not."""
    inputs = '[[inputs]]\nplugin = "modbus"\nhost = "h"\nregisters = [{name = "a", address = 0, unit = "odd"}]'
    config = write_agent_config(tmp_path, port=1883, inputs=inputs)
    done = subprocess.run(
        [*AGENT, "check-config", "-c", str(config)], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "warning:" in done.stderr
    assert "input modbus-1: registers[0].unit: 'odd' is not a SenML unit" in done.stderr


def test_an_agent_imports_only_the_inputs_that_it_has() -> None:
    """A device with one thermometer does not carry a Modbus stack."""
    script = (
        "import sys\nfrom headrace.plugins import INPUTS, find\nimport edge_agent.app\n"
        "for name in ('host', 'w1', 'iio', 'exec', 'modbus'): find(INPUTS, name)\n"
        "print([name for name in ('pymodbus', 'serial', 'edge_agent.inputs.mqtt', 'pyarrow')"
        " if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
