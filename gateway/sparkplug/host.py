"""The host application without its connection: messages in, arrivals and commands out.

Called by the connection's thread and by a look at the clock, one at a time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from gateway.ingest.arrival import Arrival
from gateway.ingest.inbox import Inbox
from gateway.live import Live
from gateway.sparkplug.machine import Machine, Message, NodeState, Step
from gateway.sparkplug.names import NAMESPACE, NodeKey, Place, command_topic, device_id, parse
from headrace.clock import Clock
from headrace.codecs.sparkplug import NODE_CONTROL
from headrace.codecs.sparkplug_schema import Payload
from headrace.codecs.sparkplug_values import DataType
from headrace.logs import FirstTimes
from headrace.metrics import Metrics
from headrace.wire import DeviceState

logger = logging.getLogger(__name__)

FORMAT: Final = "sparkplug"

#: Pause between two looks at a full inbox: a commit takes about this long.
_ROOM_POLL_S: Final = 0.002

#: Sends a command: topic, payload.
Send = Callable[[str, bytes], None]


class Host:
    """What becomes of the messages of nodes.

    Args:
        send: to the broker; from whatever thread calls us.
    """

    def __init__(
        self, *, inbox: Inbox, live: Live, clock: Clock, metrics: Metrics, send: Send
    ) -> None:
        self._inbox = inbox
        self._live = live
        self._clock = clock
        self._metrics = metrics
        self._send = send
        self._machine = Machine()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._asked = FirstTimes(logger)

    def take(self, topic: str, payload: bytes) -> None:
        """A message on a topic of Sparkplug; waits while the inbox is full."""
        place = parse(topic)
        if place is None:
            return
        self._metrics.count("sparkplug_messages", type=place.kind)
        self._wait_for_room()
        with self._lock:
            message = Message(place, payload, self._clock.now_us())
            self._do(place.key, self._machine.take(message, self._clock.monotonic()))

    def look(self) -> None:
        """What has waited too long for a birth goes on without it."""
        with self._lock:
            self._put(self._machine.overdue(self._clock.monotonic()))
            self._metrics.set("sparkplug_held", self._machine.held)

    def nodes(self) -> list[NodeState]:
        """Every node that is known, and how well."""
        with self._lock:
            return self._machine.nodes(self._clock.monotonic())

    def lose_track(self) -> None:
        """Messages may have been missed."""
        with self._lock:
            self._machine.lose_track()

    def _wait_for_room(self) -> None:
        """The broker queues meanwhile; a gateway that stops waits for nothing."""
        while not (self._inbox.has_room or self._closed.is_set()):
            self._closed.wait(_ROOM_POLL_S)

    def close(self) -> None:
        """Nothing more will come; what waits for a birth is kept as it is."""
        self._closed.set()
        with self._lock:
            self._put(self._machine.overdue(float("inf")))

    def _do(self, key: NodeKey, step: Step) -> None:
        self._put(step.ready)
        if step.rebirth:
            self._metrics.count("sparkplug_rebirths", reason=step.rebirth)
            self._asked.warn(
                f"asking Sparkplug node {'/'.join(key)} for its birth ({step.rebirth})"
            )
            self._send(command_topic(key), rebirth_command(self._clock.now_us() // 1_000))
        for device, online in step.states:
            self._live.set_state(device_id(key, device), DeviceState(online=online))

    def _put(self, messages: Sequence[Message]) -> None:
        if messages:
            self._inbox.put([_arrival(message) for message in messages])


def _arrival(message: Message) -> Arrival:
    place = message.place
    device = device_id(place.key, place.device)
    return Arrival(
        device, FORMAT, message.payload, message.received_at, _topic(place), answered=False
    )


def _topic(place: Place) -> str:
    levels = [NAMESPACE, place.key.group, place.kind, place.key.node]
    return "/".join([*levels, place.device] if place.device else levels)


def rebirth_command(now_ms: int) -> bytes:
    """NCMD: send your birth, and those of your devices, again."""
    made = Payload(timestamp=now_ms)
    made.metrics.add(
        name=f"{NODE_CONTROL}Rebirth",
        timestamp=now_ms,
        datatype=DataType.BOOLEAN,
        boolean_value=True,
    )
    return bytes(made.SerializeToString())
