"""The register table: its faults, what is read together, and what words mean."""

from __future__ import annotations

import importlib.util
import struct
import subprocess
import sys
from typing import Any

import pytest

from edge_agent.inputs.modbus.decode import value_of
from edge_agent.inputs.modbus.plan import Group, groups
from edge_agent.inputs.modbus.registers import ModbusSettings, Register


def register(address: int, **keys: Any) -> Register:
    return Register(**{"name": f"r{address}", "address": address} | keys)


def settings(*registers: Register, **keys: Any) -> ModbusSettings:
    return ModbusSettings(**{"registers": registers, "host": "meter"} | keys)


@pytest.mark.parametrize(
    ("keys", "key", "problem"),
    [
        ({"type": "float64", "address": 65_534}, "address", "reaches beyond 65535"),
        ({"table": "coil", "type": "int16"}, "type", 'expected "bool"'),
        ({"type": "bit"}, "bit", 'goes with type = "bit"'),
        ({"type": "int16", "bit": 3}, "bit", 'goes with type = "bit"'),
        ({"scale": 0.0}, "scale", "every reading the same"),
    ],
)
def test_a_register_that_cannot_be_is_a_fault_with_its_key(
    keys: dict[str, Any], key: str, problem: str
) -> None:
    """Named by its place in the table."""
    found = settings(register(0), register(**{"address": 10} | keys)).problems()
    assert [name for name, _ in found] == [f"registers[1].{key}"]
    assert problem in found[0][1]


def test_every_fault_of_the_table_is_reported_at_once() -> None:
    """Overlaps, doubled names, no connection, a time-out that never ends in time."""
    table = (register(0, type="int32"), register(1), register(5), register(9, name="r5"))
    found = settings(*table, host="", timeout_s=5.0).problems()
    assert [key for key, _ in found] == [
        "host", "timeout_s", "registers[3].name", "registers[1].address",
    ]  # fmt: skip
    assert "'r1' (uint16 at 1) overlaps registers[0] 'r0' (int32 at 0)" in found[3][1]
    assert settings(register(0), serial="/dev/ttyUSB0").problems()[0][0] == "host"
    assert settings().problems()[0][0] == "registers"


def test_bits_of_one_word_do_not_overlap() -> None:
    """The same bit twice does; so does a bit and the word as a number."""
    bits = [register(7, name=f"b{bit}", type="bit", bit=bit) for bit in (0, 1, 15)]
    assert not settings(*bits).problems()
    assert settings(*bits, register(7, name="again", type="bit", bit=1)).problems()
    assert settings(*bits, register(7, name="word")).problems()
    assert not settings(register(7), register(7, name="other", table="input")).problems()


def test_an_unknown_unit_is_a_warning_only() -> None:
    """Meters have units that SenML has not."""
    chosen = settings(register(0, unit="thingies"), register(1, unit="kWh"))
    assert not chosen.problems()
    assert chosen.warnings() == [
        ("registers[0].unit", "'thingies' is not a SenML unit; sent as it is")
    ]


def test_registers_that_follow_one_another_are_one_request() -> None:
    """Across types, in any order of the table; another table or a gap begins a new one."""
    table = [register(4), register(0, type="float32"), register(2, type="int32"), register(9),
             register(5, table="input")]  # fmt: skip
    found = [(group.table, group.address, group.count) for group in groups(settings(*table))]
    assert found == [("holding", 0, 5), ("holding", 9, 1), ("input", 5, 1)]
    assert str(groups(settings(*table, max_gap=4))[0]) == "device 1 holding 0-9"


def test_a_request_is_never_longer_than_the_protocol_allows() -> None:
    """125 words or 2,000 bits; a value is never cut in two."""
    words = [register(2 * n, type="int32") for n in range(100)]
    assert [group.count for group in groups(settings(*words))] == [124, 76]
    coils = [register(n, table="coil", type="bool") for n in range(2_500)]
    assert [group.count for group in groups(settings(*coils))] == [2_000, 500]


def test_devices_on_one_line_are_asked_one_by_one() -> None:
    """The same address of two devices is two values, in two requests."""
    chosen = settings(register(0), register(0, name="other", device_id=2), register(1, device_id=1))
    assert not chosen.problems()
    found = groups(chosen)
    assert [(group.device_id, group.count) for group in found] == [(1, 2), (2, 1)]


def words(form: str, value: float) -> list[int]:
    raw = struct.pack(form, value)
    return list(struct.unpack(f">{len(raw) // 2}H", raw))


@pytest.mark.parametrize(
    ("kind", "form", "value"),
    [
        ("int16", ">h", -5), ("uint16", ">H", 65_535), ("int32", ">i", -70_000),
        ("uint32", ">I", 4_000_000_000), ("int64", ">q", -(2**53)), ("uint64", ">Q", 2**53),
        ("float32", ">f", 1.5), ("float64", ">d", 0.1),
    ],
)  # fmt: skip
def test_every_type_is_decoded(kind: str, form: str, value: float) -> None:
    """High byte and high word first; the value may stand anywhere in the answer."""
    one = register(3, type=kind)
    answer = [9, 9, 9, *words(form, value), 9]
    assert value_of(one, Group(1, "holding", 0, len(answer), (one,)), answer) == (value, False)


@pytest.mark.parametrize(
    ("byte_order", "word_order", "answer"),
    [
        ("big", "big", [0x4148, 0xF5C3]), ("big", "little", [0xF5C3, 0x4148]),
        ("little", "big", [0x4841, 0xC3F5]), ("little", "little", [0xC3F5, 0x4841]),
    ],
)  # fmt: skip
def test_byte_and_word_order_are_settings(
    byte_order: str, word_order: str, answer: list[int]
) -> None:
    """ABCD, CDAB, BADC, DCBA: all four are on the market."""
    one = register(0, type="float32", byte_order=byte_order, word_order=word_order)
    assert value_of(one, Group(1, "holding", 0, 2, (one,)), answer)[0] == pytest.approx(12.56)


def test_scale_offset_bits_and_booleans() -> None:
    """reading = number x scale + offset."""

    def read(answer: list[int], **keys: Any) -> float:
        one = register(0, **keys)
        return value_of(one, Group(1, one.table, 0, 1, (one,)), answer)[0]

    assert read([215], scale=0.1, offset=-5.0) == pytest.approx(16.5)
    assert read([0b1000], type="bit", bit=3) == 1.0
    assert read([0b0111], type="bit", bit=3) == 0.0
    assert read([0x0001], type="bit", bit=8, byte_order="little") == 1.0
    assert read([77], type="bool") == 1.0
    assert read([True], table="coil", type="bool") == 1.0


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("float32", words(">f", float("nan"))), ("float32", words(">f", float("inf"))),
    ],
)  # fmt: skip
def test_what_no_reading_can_hold_is_refused(kind: str, answer: list[int]) -> None:
    """Not-a-number is what many meters send for "not measured"."""
    one = register(0, type=kind)
    with pytest.raises(ValueError, match="expected a number"):
        value_of(one, Group(1, "holding", 0, len(answer), (one,)), answer)


@pytest.mark.parametrize(
    ("kind", "answer", "found"),
    [
        ("uint64", words(">Q", 2**53 + 1), (2.0**53, True)),
        ("uint64", words(">Q", 2**64 - 1), (2.0**64, True)),
        ("int64", words(">q", -(2**60)), (-(2.0**60), False)),
    ],
)  # fmt: skip
def test_a_counter_beyond_a_double_is_the_nearest_and_told(
    kind: str, answer: list[int], found: tuple[float, bool]
) -> None:
    """An energy meter in milliwatt-hours must not fall silent because it has counted far."""
    one = register(0, type=kind)
    assert value_of(one, Group(1, "holding", 0, len(answer), (one,)), answer) == found


def test_without_pymodbus_the_configuration_says_what_to_install() -> None:
    """A fault like any other, not a traceback; the settings load without it."""
    script = (
        "import sys; sys.modules['pymodbus'] = None\n"
        "from headrace.plugins import INPUTS, find\n"
        "from edge_agent.inputs.modbus.registers import Register\n"
        "plugin = find(INPUTS, 'modbus')\n"
        "import importlib.util\n"
        "importlib.util.find_spec = lambda name, real=importlib.util.find_spec: "
        "None if name == 'pymodbus' else real(name)\n"
        "one = Register(name='a', address=0)\n"
        "print(plugin.config(host='h', registers=(one,)).problems())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "pip install 'headrace[agent,modbus]'" in done.stdout
    assert importlib.util.find_spec("pymodbus")
