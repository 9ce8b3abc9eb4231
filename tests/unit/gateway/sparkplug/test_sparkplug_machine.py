"""Sessions of Sparkplug nodes: births, gaps, deaths, and what waits for an explanation."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.sparkplug.machine import Machine, Message, Step
from gateway.sparkplug.names import Kind, NodeKey, Place
from headrace.codecs import sparkplug
from headrace.codecs.sparkplug_schema import Payload
from headrace.errors import PayloadError
from headrace.limits.sources import SPARKPLUG_HOLD_S, SPARKPLUG_REBIRTH_S

KEY = NodeKey("g", "n")
METRICS = 3


def message(kind: Kind, payload: bytes, device: str = "") -> Message:
    return Message(Place(kind, KEY, device), payload, 0)


class Sender:
    """A node that encodes; value % 10 says which metric a value is of."""

    def __init__(self) -> None:
        self.seq, self.bd_seq, self.shift, self.count = 0, 0, 0, 0
        self.device_shift = 0

    def birth(self, device: str = "") -> Message:
        if not device:
            self.seq = 0
        made = Payload(timestamp=1, seq=self._next())
        made.metrics.add(name="bdSeq", datatype=4, long_value=self.bd_seq)
        for number in range(METRICS):
            made.metrics.add(
                name=f"m{number}", alias=self._alias(number, device), datatype=10, is_null=True
            )
        return message("DBIRTH" if device else "NBIRTH", made.SerializeToString(), device)

    def data(self, number: int, device: str = "") -> Message:
        self.count += 1
        made = Payload(timestamp=1, seq=self._next())
        made.metrics.add(alias=self._alias(number, device), double_value=10 * self.count + number)
        return message("DDATA" if device else "NDATA", made.SerializeToString(), device)

    def death(self) -> Message:
        made = Payload(timestamp=1)
        made.metrics.add(name="bdSeq", datatype=4, long_value=self.bd_seq)
        return message("NDEATH", made.SerializeToString())

    def restart(self) -> None:
        """Another session, in which aliases mean something else."""
        self.bd_seq += 1
        self.shift += 1

    def _alias(self, number: int, device: str) -> int:
        shift = self.shift + (self.device_shift if device else 0)
        return (number + shift) % METRICS + (100 if device else 0)

    def _next(self) -> int:
        self.seq += 1
        return (self.seq - 1) % 256


def read(step: Step) -> list[tuple[str, float]]:
    """What a journal would have of it."""
    found = []
    for each in step.ready:
        rows = sparkplug.decode(each.payload, 0).rows.to_pylist()
        found += [(row["name"], row["value"]) for row in rows]
    return found


def test_data_are_completed_by_the_birth() -> None:
    """By alias, of the node and of its device."""
    machine, node = Machine(), Sender()
    assert machine.take(node.birth(), 0.0).states == [("", True)]
    machine.take(node.birth("d"), 0.0)
    assert read(machine.take(node.data(1), 0.0)) == [("m1", 11.0)]
    assert read(machine.take(node.data(2, "d"), 0.0)) == [("m2", 22.0)]


def test_a_gap_is_asked_about_once_in_a_while() -> None:
    """However much comes behind it."""
    machine, node = Machine(), Sender()
    machine.take(node.birth(), 0.0)
    node.seq += 1
    steps = [machine.take(node.data(0), at) for at in (0.0, 1.0, SPARKPLUG_REBIRTH_S, 5.5)]
    assert [step.rebirth for step in steps] == ["gap", "", "unborn", ""]
    assert not any(step.ready for step in steps)
    assert len(read(machine.take(node.birth(), 6.0))) == 4


def test_what_is_not_explained_in_time_goes_on_as_it_came() -> None:
    """No codec reads it, so it is kept whole in quarantine."""
    machine, node = Machine(), Sender()
    data = node.data(0)
    machine.take(data, 0.0)
    assert machine.overdue(SPARKPLUG_HOLD_S - 0.1) == []
    assert machine.overdue(SPARKPLUG_HOLD_S) == [data]
    with pytest.raises(PayloadError, match="alias 0"):
        sparkplug.decode(data.payload, 0)


def test_a_late_will_of_an_earlier_session_kills_nobody() -> None:
    """bdSeq tells."""
    machine, node = Machine(), Sender()
    machine.take(node.birth(), 0.0)
    will = node.death()
    node.restart()
    machine.take(node.birth(), 0.0)
    assert machine.take(will, 0.0) == Step()
    assert read(machine.take(node.data(0), 0.0)) == [("m0", 10.0)]


def test_data_that_say_all_by_themselves_wait_for_nobody() -> None:
    """Names and types in every message: some nodes do that."""
    made = Payload(timestamp=1, seq=5)
    made.metrics.add(name="m7", datatype=10, double_value=7.0)
    step = Machine().take(message("NDATA", made.SerializeToString()), 0.0)
    assert (read(step), step.rebirth) == ([("m7", 7.0)], "unborn")


def test_a_message_of_nothing_but_the_session_is_no_batch() -> None:
    """Births of nodes without metrics of their own are common."""
    made = Payload(timestamp=1, seq=0)
    made.metrics.add(name="bdSeq", datatype=4, long_value=1)
    assert Machine().take(message("NBIRTH", made.SerializeToString()), 0.0).ready == []


def test_seq_comes_round() -> None:
    """After 255 there is 0."""
    machine, node = Machine(), Sender()
    machine.take(node.birth(), 0.0)
    assert all(not machine.take(node.data(0), 0.0).rebirth for _ in range(600))


class Plant(RuleBasedStateMachine):
    """A node, a network that loses QoS 0 messages, and a host that asks for births."""

    def __init__(self) -> None:
        super().__init__()
        self.machine, self.node = Machine(), Sender()
        self.now = 0.0
        self.delivered: dict[float, str] = {}
        self.arrived: list[float] = []
        self.asked: deque[bool] = deque()

    def _deliver(self, each: Message) -> None:
        step = self.machine.take(each, self.now)
        if step.rebirth:
            self.asked.append(True)
        self._check(step.ready)

    def _check(self, ready: list[Message]) -> None:
        for each in ready:
            (metric,) = [
                m for m in Payload.FromString(each.payload).metrics if m.HasField("double_value")
            ]
            self.arrived.append(metric.double_value)
            if metric.name:
                assert metric.name == f"m{int(metric.double_value) % 10}", "read by another birth"

    @rule(number=st.integers(0, METRICS - 1), device=st.sampled_from(["", "d"]), lost=st.booleans())
    def send(self, number: int, device: str, lost: bool) -> None:
        each = self.node.data(number, device)
        if not lost:
            self.delivered[10.0 * self.node.count + number] = device
            self._deliver(each)

    @rule(lost=st.booleans())
    def reborn(self, lost: bool) -> None:
        """A lost NBIRTH is not among this: behind it the numbers may happen to follow those of before."""
        self._deliver(self.node.birth())
        birth = self.node.birth("d")
        if not lost:
            self._deliver(birth)

    @rule(lost=st.booleans())
    def exchange_device(self, lost: bool) -> None:
        """Its aliases mean something else from now on; the message that says so may be lost.

        Not while data of before wait: nothing could tell then that the next birth is not theirs.
        """
        if lost and self.machine.held:
            return
        self.node.device_shift += 1
        birth = self.node.birth("d")
        if not lost:
            self._deliver(birth)

    @rule()
    def restart(self) -> None:
        """Wills are sent with QoS 1."""
        self._deliver(self.node.death())
        self.node.restart()
        self.node.seq = 0

    @rule()
    def lose_connection(self) -> None:
        self.machine.lose_track()

    @rule(seconds=st.sampled_from([1.0, SPARKPLUG_REBIRTH_S, SPARKPLUG_HOLD_S]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self._check(self.machine.overdue(self.now))

    @invariant()
    def everything_delivered_is_on_its_way_once(self) -> None:
        assert len(self.arrived) == len(set(self.arrived))
        assert len(self.arrived) + self.machine.held == len(self.delivered)
        assert set(self.arrived) <= self.delivered.keys()


Plant.TestCase.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
TestPlant = Plant.TestCase
