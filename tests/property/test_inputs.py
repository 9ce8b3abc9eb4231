"""Inputs against whatever a device, a command or a kernel may say: readings or a named refusal, never more."""

from __future__ import annotations

import json
import logging
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.accumulator import Accumulator
from edge_agent.inputs.exec.output import readings as printed
from edge_agent.inputs.exec.settings import ExecSettings, Format
from edge_agent.inputs.modbus.plan import MAX_BITS, MAX_WORDS, groups
from edge_agent.inputs.modbus.registers import BIT_TABLES, WORDS, ModbusSettings, Register
from edge_agent.inputs.mqtt.payload import readings as published
from edge_agent.inputs.mqtt.settings import TopicSettings
from edge_agent.inputs.values import Complaints
from edge_agent.inputs.w1.sensor import HIGHEST, LOWEST, NoReadingError, temperature
from edge_agent.readings import Poll, Run
from headrace.codecs import line
from headrace.errors import InputError

LOG = logging.getLogger("quiet")
LOG.disabled = True
NOW = 1_750_000_000_000_000

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)
payloads = st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode())


def accepted(runs: list[Run]) -> bool:
    """Every run is one that the buffer can encode, or refuses by name."""
    accumulator = Accumulator()
    accumulator.add(Poll(runs))
    numbers = [value for run in runs if not run.is_text for value in run.values]
    return accumulator.sampled == len(runs) and all(map(math.isfinite, numbers))


@given(payloads, st.booleans())
def test_any_message_gives_readings_or_a_refusal(payload: bytes, texts: bool) -> None:
    """The sum of readings and complaints is what the message held."""
    topic = TopicSettings(topic="{device}", text=("*",) if texts else (), exclude=())
    try:
        runs = list(
            published(topic, {"device": "d"}, payload, NOW, prefix="", complaints=Complaints(LOG))
        )
    except ValueError:
        return
    assert accepted(runs)


@given(
    payloads | st.text(max_size=200).map(str.encode),
    st.sampled_from(["lines", "json", "line_protocol"]),
)
def test_any_output_of_a_command_gives_readings_or_a_refusal(output: bytes, form: Format) -> None:
    """Whatever a script prints."""
    chosen = ExecSettings(command=("x",), format=form, text=True)
    try:
        runs = list(printed(output, chosen, now_us=NOW, complaints=Complaints(LOG)))
    except InputError:
        return
    assert accepted(runs)


@given(
    st.text(max_size=120)
    | st.from_regex(r"([0-9a-f]{2} ){9}: crc=[0-9a-f]{2} (YES|NO)\n([0-9a-f]{2} ){9}t=-?\d{1,6}")
)
def test_any_file_of_a_thermometer_is_a_temperature_or_a_refusal(text: str) -> None:
    """Within what the chip can measure."""
    try:
        value = temperature(text, before=None)
    except NoReadingError as error:
        found = error.reason in ("crc", "power_on", "unreadable")
    else:
        found = LOWEST <= value <= HIGHEST
    assert found


names = st.text("abz_ ,=\\é", min_size=1, max_size=5).filter(lambda name: not name.endswith("\\"))
fields = st.one_of(
    st.floats(-1e9, 1e9).map(repr), st.integers(-(2**53), 2**53).map("{}i".format),
    st.sampled_from(["t", "F", "true", '"text"', '"a \\"b\\" c"', '"a,b=c d"']),
)  # fmt: skip


def escaped(name: str) -> str:
    return "".join("\\" + letter if letter in ", =" else letter for letter in name)


@settings(max_examples=200)
@given(
    names,
    st.dictionaries(names, names, max_size=2),
    st.dictionaries(names, fields, min_size=1, max_size=3),
)
def test_a_line_has_the_same_readings_as_at_a_gateway(
    measurement: str, tags: dict[str, str], values: dict[str, str]
) -> None:
    """A device that moves from its own line protocol to exec keeps its series."""
    if measurement[0] in " #" or "\\" in measurement + "".join([*tags, *tags.values(), *values]):
        return
    head = escaped(measurement) + "".join(f",{escaped(k)}={escaped(v)}" for k, v in tags.items())
    body = ",".join(f"{escaped(key)}={value}" for key, value in values.items())
    text = f"{head} {body} {NOW * 1_000}"
    theirs = line.decode(text.encode(), NOW).rows.to_pylist()
    chosen = ExecSettings(command=("x",), format="line_protocol", text=True)
    ours = list(printed(text.encode(), chosen, now_us=0, complaints=Complaints(LOG)))
    assert [(run.name, run.values[0], run.times[0]) for run in ours] == [
        (row["name"], row["text"] if row["value"] is None else row["value"], NOW) for row in theirs
    ]


tables = st.builds(
    Register, name=st.just("x"), address=st.integers(0, 400), device_id=st.integers(1, 2),
    table=st.sampled_from(["holding", "coil"]), type=st.sampled_from(["uint16", "float64"]),
)  # fmt: skip


@given(st.lists(tables, max_size=60), st.integers(0, 100))
def test_a_plan_reads_every_register_once_within_the_protocol(
    registers: list[Register], max_gap: int
) -> None:
    """And each answer holds all the words of its registers."""
    plan = groups(ModbusSettings(registers=tuple(registers), max_gap=max_gap))
    read = [register for group in plan for register in group.registers]
    assert sorted(map(repr, read)) == sorted(map(repr, registers))
    for group in plan:
        assert group.count <= (MAX_BITS if group.table in BIT_TABLES else MAX_WORDS)
        for one in group.registers:
            assert group.address <= one.address
            assert one.address + WORDS[one.type] <= group.address + group.count
            assert (one.device_id, one.table) == (group.device_id, group.table)
