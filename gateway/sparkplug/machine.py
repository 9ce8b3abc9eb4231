"""Who is born, whose data can be understood, and what has to be asked for. Pure: time is an argument.

A node's session begins with NBIRTH and goes on with numbers 0 … 255, 0 … in every message. While it is
**sure**, its data are completed by its births and handed on at once. A gap in the numbers, an alias that
nobody has explained or data of a node that is not born make it unsure: then its birth is asked for
(at most every ``SPARKPLUG_REBIRTH_S`` seconds), and its data wait for it, because with another birth
missed in between an alias could mean something else by now. The birth that comes explains them.

=====================  =========  ===============================================================
message                sure       otherwise
=====================  =========  ===============================================================
NBIRTH                 new session, sure; what waits of the node itself is completed
DBIRTH                 the device's names; what waits of it is completed
NDATA, DDATA           completed  held, rebirth; data that say all by themselves go on at once
NDEATH                 gone, with all devices; of another session (bdSeq): nothing
DDEATH                 the device is gone
=====================  =========  ===============================================================

What waits is bounded in number, bytes and time. What cannot wait any longer is handed on as it came: no
codec can read it, so it ends in quarantine, with the reason. Nothing is dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from gateway.sparkplug.births import Birth, bd_seq, has_readings, says_all
from gateway.sparkplug.names import NodeKey, Place
from headrace.codecs.sparkplug_schema import parse
from headrace.errors import PayloadError
from headrace.limits.sources import (
    SPARKPLUG_HOLD_BYTES,
    SPARKPLUG_HOLD_MESSAGES,
    SPARKPLUG_HOLD_S,
    SPARKPLUG_MAX_KNOWN,
    SPARKPLUG_MAX_NODES,
    SPARKPLUG_REBIRTH_S,
)

_SEQS: Final = 256


class Message(NamedTuple):
    """A payload, where it came from, and when (microseconds since 1970 UTC)."""

    place: Place
    payload: bytes
    received_at: int


@dataclass(slots=True)
class Step:
    """What a message leads to.

    Attributes:
        ready: payloads for the journal.
        rebirth: why a node's birth is to be asked for; empty where it is not.
        states: (device of the node, or "" for itself; whether it is there).
    """

    ready: list[Message] = field(default_factory=list)
    rebirth: str = ""
    states: list[tuple[str, bool]] = field(default_factory=list)


class NodeState(NamedTuple):
    """How a node is: sure, or seconds since its birth was asked for; births of it and its devices; what waits."""

    name: str
    sure: bool
    births: int
    held: int
    asked_s: float | None


@dataclass(slots=True)
class _Node:
    """The session of one node."""

    bd_seq: int | None = None
    seq: int | None = None
    sure: bool = False
    births: dict[str, Birth] = field(default_factory=dict)
    held: deque[tuple[float, Message]] = field(default_factory=deque)
    held_bytes: int = 0
    asked: float | None = None

    @property
    def known(self) -> int:
        return sum(map(len, self.births.values()))


class Machine:
    """All nodes; used by one thread."""

    def __init__(self) -> None:
        self._nodes: dict[NodeKey, _Node] = {}
        self._known = 0

    def take(self, message: Message, now: float) -> Step:
        """What one message leads to."""
        place = message.place
        node = self._nodes.get(place.key)
        try:
            parsed = parse(message.payload)
        except PayloadError:
            return Step(ready=[message])  # to quarantine, whatever it was
        if place.kind == "NDEATH":
            return self._death(node, parsed)
        if node is None:
            if len(self._nodes) >= SPARKPLUG_MAX_NODES and not self._forget_one():
                return Step(ready=[message])
            node = self._nodes[place.key] = _Node()
        if place.kind == "NBIRTH":
            return self._node_birth(node, message, parsed)
        step = Step()
        self._follow(node, parsed, step, now)
        if place.kind == "DBIRTH":
            self._device_birth(node, message, parsed, step)
        elif place.kind == "DDEATH":
            self._bear(node, place.device, None)
            step.ready += self._release_device(node, place.device)
            step.states.append((place.device, False))
        else:
            self._data(node, message, parsed, step, now)
        return step

    def overdue(self, now: float) -> list[Message]:
        """What has waited long enough for a birth, in order, as it came."""
        found: list[Message] = []
        for node in self._nodes.values():
            while node.held and node.held[0][0] + SPARKPLUG_HOLD_S <= now:
                found.append(self._release_first(node))
        return found

    def lose_track(self) -> None:
        """The connection to the broker was lost: nobody knows what the nodes have said meanwhile."""
        for node in self._nodes.values():
            node.sure, node.asked = False, None

    def nodes(self, now: float) -> list[NodeState]:
        """Every node that is known, and how well."""
        return [
            NodeState(
                "/".join(key), node.sure, len(node.births), len(node.held),
                None if node.asked is None or node.sure else now - node.asked,
            )
            for key, node in self._nodes.items()
        ]  # fmt: skip

    @property
    def held(self) -> int:
        """Messages that wait for a birth."""
        return sum(len(node.held) for node in self._nodes.values())

    # --- births and deaths -------------------------------------------------------------------------

    def _node_birth(self, node: _Node, message: Message, parsed: Any) -> Step:
        gone = [(device, False) for device in node.births if device]
        for device in list(node.births):
            self._bear(node, device, None)
        number = bd_seq(parsed)
        # What was said in another session is not explained by this one.
        strangers = list(self._release_all(node)) if node.bd_seq not in (None, number) else []
        node.bd_seq, node.seq, node.sure = number, _seq(parsed), True
        if not self._bear(node, "", Birth(parsed.metrics)):
            node.sure = False
        step = Step(strangers, states=[*gone, ("", True)])
        _add(step, message, parsed)
        step.ready += self._explained(node, "")
        return step

    def _device_birth(self, node: _Node, message: Message, parsed: Any, step: Step) -> None:
        device = message.place.device
        if node.sure:
            self._bear(node, device, Birth(parsed.metrics))
        else:
            # What waits was said before this birth: none that follows explains it.
            step.ready += self._release_device(node, device)
        _add(step, message, parsed)
        step.states.append((device, True))
        if node.sure:
            step.ready += self._explained(node, device)

    def _death(self, node: _Node | None, parsed: Any) -> Step:
        if node is None:
            return Step()
        number = bd_seq(parsed)
        if None not in (number, node.bd_seq) and number != node.bd_seq:
            return Step()  # the will of an earlier session, that came late
        step = Step(states=[(device, False) for device in node.births if device] + [("", False)])
        for device in list(node.births):
            self._bear(node, device, None)
        node.sure, node.seq, node.bd_seq = False, None, None
        step.ready += self._release_all(node)
        return step

    def _bear(self, node: _Node, device: str, birth: Birth | None) -> bool:
        """Remember what a birth said, or forget it; False where memory does not allow it."""
        old = node.births.pop(device, None)
        self._known -= len(old) if old is not None else 0
        if birth is None:
            return True
        if self._known + len(birth) > SPARKPLUG_MAX_KNOWN:
            return False
        self._known += len(birth)
        node.births[device] = birth
        return True

    def _forget_one(self) -> bool:
        """Make room for a node: forget one that is not there, and for which nothing waits."""
        for key, node in self._nodes.items():
            if not node.births and not node.held:
                del self._nodes[key]
                return True
        return False

    # --- data --------------------------------------------------------------------------------------

    def _follow(self, node: _Node, parsed: Any, step: Step, now: float) -> None:
        """Check that no message is missing before this one."""
        seq, last = _seq(parsed), node.seq
        node.seq = seq
        if not node.sure:
            self._ask(node, "unborn", step, now)
        elif seq is None or last is None or seq != (last + 1) % _SEQS:
            node.sure = False
            self._ask(node, "gap", step, now)

    def _data(self, node: _Node, message: Message, parsed: Any, step: Step, now: float) -> None:
        device = message.place.device
        # A node that writes names and types into everything is understood at any time.
        if all(map(says_all, parsed.metrics)):
            _add(step, message, parsed)
            return
        birth = node.births.get(device) if node.sure else None
        if birth is not None and birth.complete(parsed):
            _add(step, message._replace(payload=bytes(parsed.SerializeToString())), parsed)
            return
        if node.sure:
            self._ask(node, "unknown", step, now)
        self._hold(node, message, step, now)

    def _ask(self, node: _Node, why: str, step: Step, now: float) -> None:
        if node.asked is None or now - node.asked >= SPARKPLUG_REBIRTH_S:
            node.asked = now
            step.rebirth = why

    def _hold(self, node: _Node, message: Message, step: Step, now: float) -> None:
        node.held.append((now, message))
        node.held_bytes += len(message.payload)
        while len(node.held) > SPARKPLUG_HOLD_MESSAGES or node.held_bytes > SPARKPLUG_HOLD_BYTES:
            step.ready.append(self._release_first(node))

    def _release_all(self, node: _Node) -> Iterator[Message]:
        while node.held:
            yield self._release_first(node)

    def _release_device(self, node: _Node, device: str) -> Iterator[Message]:
        """What waits of one device, as it came."""
        for _ in range(len(node.held)):
            if node.held[0][1].place.device == device:
                yield self._release_first(node)
            else:
                node.held.rotate(-1)

    def _release_first(self, node: _Node) -> Message:
        message = node.held.popleft()[1]
        node.held_bytes -= len(message.payload)
        return message

    def _explained(self, node: _Node, device: str) -> Iterator[Message]:
        """What waited for this birth; what it does not explain goes on waiting."""
        birth = node.births.get(device)
        waiting, node.held, node.held_bytes = node.held, deque(), 0
        for since, message in waiting:
            parsed = parse(message.payload)
            if birth is not None and message.place.device == device and birth.complete(parsed):
                yield message._replace(payload=bytes(parsed.SerializeToString()))
            else:
                node.held.append((since, message))
                node.held_bytes += len(message.payload)


def _add(step: Step, message: Message, parsed: Any) -> None:
    """For the journal, if there is anything in it: a message of nulls is none."""
    if has_readings(parsed):
        step.ready.append(message)


def _seq(parsed: Any) -> int | None:
    return int(parsed.seq) if parsed.HasField("seq") else None
