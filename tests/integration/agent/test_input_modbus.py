"""The modbus input against real servers, over TCP and over a serial line."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from edge_agent.inputs.modbus.input import ModbusInput
from edge_agent.inputs.modbus.registers import ModbusSettings, Register
from edge_agent.readings import Poll
from headrace.clock import SystemClock
from headrace.errors import TransportError
from tests.servers import free_port
from tests.servers.modbus import ModbusDevice, modbus_rtu, modbus_tcp

TABLE = (
    Register(name="h0", address=0),
    Register(name="h1", address=1, scale=0.1, offset=1.0, unit="Cel"),
    Register(name="h2-3", address=2, type="uint32"),
    Register(name="u", address=0, table="input", type="float32", unit="V"),
    Register(name="nan", address=2, table="input", type="float32"),
    Register(name="c0", address=0, table="coil", type="bool"),
    Register(name="c1", address=1, table="coil", type="bool"),
    Register(name="d1", address=1, table="discrete", type="bool"),
)
EXPECTED = {
    "h0": 100.0, "h1": pytest.approx(11.1), "h2-3": 102.0 * 65_536 + 103, "u": pytest.approx(12.56),
    "c0": 1.0, "c1": 0.0, "d1": 1.0,
}  # fmt: skip


def opened(registers: tuple[Register, ...] = TABLE, **keys: Any) -> ModbusInput:
    settings = ModbusSettings(**{"registers": registers, "timeout_s": 0.3} | keys)
    assert not settings.problems()
    source = ModbusInput(settings)
    source.open(clock=SystemClock(), checkpoint=None)
    return source


def values(poll: Poll) -> dict[str, float]:
    return {run.name: float(run.values[0]) for run in poll.runs}


def test_a_table_is_read_over_tcp_with_one_request_per_run_of_registers() -> None:
    """Every table and type; what is not a number is counted."""
    device = ModbusDevice()
    with modbus_tcp(device) as port:
        source = opened(host="127.0.0.1", port=port)
        poll = source.poll()
        assert values(poll) == EXPECTED
        assert dict(poll.dropped) == {"unreadable": 1}
        assert {run.name: run.unit for run in poll.runs}["u"] == "V"
        assert sorted(device.requests) == [(1, 0), (2, 1), (3, 0), (4, 0)]
        source.close()


def test_a_table_is_read_over_a_serial_line() -> None:
    """RTU over a pair of pseudo-terminals; the line is opened once."""
    device = ModbusDevice(device_id=7)
    with modbus_rtu(device) as port:
        source = opened(serial=str(port), device_id=7)
        for _ in range(3):
            assert values(source.poll()) == EXPECTED
        source.close()
    assert len(device.requests) == 12


def test_an_exception_costs_its_group_and_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Address 50 does not exist; everything else is read."""
    table = (*TABLE, Register(name="no", address=50), Register(name="no2", address=51))
    with modbus_tcp(ModbusDevice()) as port, caplog.at_level(logging.INFO):
        source = opened(table, host="127.0.0.1", port=port)
        for _ in range(3):
            poll = source.poll()
            assert values(poll) == EXPECTED
            assert dict(poll.dropped) == {"unreadable": 1, "modbus_exception": 2}
        source.close()
    said = [line for line in caplog.messages if "holding 50-51" in line]
    assert len(said) == 1
    assert "exception 2, illegal data address" in said[0]


def test_a_group_that_is_not_answered_is_counted_and_the_rest_goes_on() -> None:
    """And it is read again as soon as the device answers; a late answer is nobody else's."""
    device = ModbusDevice()
    device.silent.add(6)
    table = (*TABLE, Register(name="slow", address=6), Register(name="after", address=9))
    with modbus_tcp(device) as port:
        source = opened(table, host="127.0.0.1", port=port)
        poll = source.poll()
        assert values(poll) == EXPECTED | {"after": 109.0}
        assert dict(poll.dropped) == {"unreadable": 1, "timeout": 1}
        device.silent.clear()
        assert values(source.poll())["slow"] == 106.0
        source.close()


def test_where_everything_times_out_the_poll_ends_with_its_interval() -> None:
    """The device is there and says nothing: a failure of the input, in time for the next poll."""
    device = ModbusDevice()
    device.silent.update(range(100))
    table = tuple(Register(name=f"r{n}", address=2 * n) for n in range(5))
    with modbus_tcp(device) as port:
        source = opened(table, host="127.0.0.1", port=port, interval_s=0.4)
        with pytest.raises(TransportError, match="no answer"):
            source.poll()
        source.close()
    assert 1 <= len(device.requests) <= 3


def test_a_device_that_is_away_is_a_failure_until_it_is_back() -> None:
    """Nobody listens; then somebody does, goes, and comes back on the same port."""
    port = free_port()
    source = opened(host="127.0.0.1", port=port)
    with pytest.raises(TransportError, match=f"127.0.0.1:{port}"):
        source.poll()
    for _ in range(2):
        with modbus_tcp(ModbusDevice(), port):
            assert values(source.poll()) == EXPECTED
        with pytest.raises(TransportError):
            source.poll()
    source.close()


def test_another_number_on_the_line_does_not_answer() -> None:
    """On a serial line that is silence, and the port stays usable."""
    with modbus_rtu(ModbusDevice(device_id=7)) as port:
        source = opened(TABLE[:1], serial=str(port), device_id=8)
        with pytest.raises(TransportError):
            source.poll()
        source.close()
        source = opened(TABLE[:1], serial=str(port), device_id=7)
        assert values(source.poll()) == {"h0": 100.0}
        source.close()


def test_a_dead_device_on_the_line_does_not_silence_those_behind_it() -> None:
    """What a poll had no time for comes first in the next one."""
    table = tuple(Register(name=f"d{n}", address=0, device_id=n) for n in (2, 3, 7))
    with modbus_rtu(ModbusDevice(device_id=7)) as port:
        source = opened(table, serial=str(port), interval_s=0.5)
        with pytest.raises(TransportError):
            source.poll()
        poll = source.poll()
        assert values(poll) == {"d7": 100.0}
        assert dict(poll.dropped) == {"timeout": 2}
        source.close()


def test_a_serial_port_has_one_master() -> None:
    """A second input on it is refused instead of disturbing the first."""
    with modbus_rtu(ModbusDevice()) as port:
        first, second = opened(TABLE[:1], serial=str(port)), opened(TABLE[:1], serial=str(port))
        assert values(first.poll()) == {"h0": 100.0}
        with pytest.raises(TransportError):
            second.poll()
        assert values(first.poll()) == {"h0": 100.0}
        first.close()


def test_a_serial_port_that_is_not_there_says_so() -> None:
    """Unplugged: what is missing and what to check."""
    source = opened(serial="/dev/serial/by-id/none")
    with pytest.raises(TransportError, match="dialout"):
        source.poll()
