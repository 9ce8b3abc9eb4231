"""Drives the uplink machine: one thread that joins buffer, machine and MQTT client.

The thread waits for an event (something sealed, an ack, a connection lost) or for the machine's next
tick, lets the machine decide, carries out its actions, and fills the window from the buffer.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from edge_agent.buffer.store import Store
from edge_agent.uplink.filling import Filling
from edge_agent.uplink.machine import (
    Action,
    Connect,
    Disconnect,
    Forget,
    Machine,
    Refuse,
    Send,
    State,
)
from edge_agent.uplink.mqtt import Desired, Document, Down, LinkEvent, MqttLink, Taken, Up
from headrace import wire
from headrace.clock import Clock
from headrace.errors import HeadraceError, PayloadError, TransportError
from headrace.limits.agent import UPLINK_MAX_EVENTS
from headrace.logs import Condition
from headrace.metrics import Metrics

_log = logging.getLogger(__name__)

#: A disconnect this soon after a publish may mean that the broker denies the topic.
_DENIAL_S = 2.0

#: Seconds for the offline state, and then for the farewell, to reach the broker.
_GOODBYE_S = 1.0


@dataclass(frozen=True, slots=True)
class _Wake:
    """Something was sealed, or the uplink shall stop."""


class Models(Protocol):
    """What the uplink says for the models of this device and hands on to them."""

    @property
    def report(self) -> bytes: ...
    def hear(self, payload: bytes) -> None: ...


class Uplink:
    """The uplink thread.

    Args:
        link: built with ``put`` as its way to tell events.
        state: what the device says of itself, given whether it is online.
        failed: called once when the thread cannot go on (the buffer is damaged).
        models: of this device, where it runs any.
    """

    def __init__(
        self,
        store: Store,
        machine: Machine,
        *,
        clock: Clock,
        metrics: Metrics,
        make_link: Callable[[Callable[[int, LinkEvent], None]], MqttLink],
        state: Callable[[bool], wire.DeviceState],
        state_interval_s: float,
        broker: str,
        message_rows: int,
        failed: Callable[[HeadraceError], None],
        models: Models | None = None,
    ) -> None:
        self._store, self._machine, self._clock, self._metrics = store, machine, clock, metrics
        self._events: queue.Queue[tuple[int, LinkEvent | _Wake]] = queue.Queue(UPLINK_MAX_EVENTS)
        self._link = make_link(self._put)
        self._state, self._state_interval_s, self._failed = state, state_interval_s, failed
        self._models, self._models_said = models, b""
        self._broker = Condition(_log, f"broker {broker}")
        self._filling = Filling(store, message_rows=message_rows)
        self._messages: dict[int, int] = {}
        self._published_at = float("-inf")
        self._answered = False  # whether this connection has brought an ack or a nack
        self._state_due = float("inf")
        self._wake_pending = threading.Event()
        self._stop_at: float | None = None
        self.seen_at = clock.monotonic()  # when the thread last came round, for the watchdog
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)

    # --- from other threads -----------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There is something new in the buffer."""
        if not self._wake_pending.is_set():
            self._wake_pending.set()
            self._events.put((0, _Wake()))

    def stop(self, drain_s: float) -> None:
        """Hand over what is left for up to ``drain_s`` seconds, say offline, end the thread."""
        self._stop_at = self._clock.monotonic() + drain_s
        self.wake()
        self._thread.join()

    def reconnect(self, why: str) -> None:
        """Connect anew, because files that the connection was made with have changed.

        What is on its way is sent again, and dies as a duplicate at the gateway.
        """
        with suppress(queue.Full):  # then the connection is being given up anyway
            self._put(self._link.connection, Down(why))

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def is_drained(self) -> bool:
        """Whether everything that was sealed has been acknowledged."""
        return self._store.counts().buffered == 0

    def _put(self, connection: int, event: LinkEvent) -> None:
        self._events.put_nowait((connection, event))

    # --- the thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._is_finished():
                self._step()
        except HeadraceError as error:
            self._failed(error)
        finally:
            self._say_goodbye()

    def _step(self) -> None:
        """Wait for the next thing to happen, and act."""
        self.seen_at = self._clock.monotonic()
        event = self._next_event()
        now = self._clock.monotonic()
        if event is not None:
            self._do(self._handle(event, now), now)
        self._do(self._machine.tick(now), now)
        for message in self._filling.messages(
            self._machine, now, draining=self._stop_at is not None
        ):
            offer = (message.first_seq, message.last_seq, message.payload)
            self._do(self._machine.offer(*offer, now), now)
        if now >= self._state_due:
            self._publish_state(now)
        self._publish_models()

    def _is_finished(self) -> bool:
        if self._stop_at is None:
            return False
        hopeless = self._machine.state is State.DISCONNECTED
        return hopeless or self.is_drained or self._clock.monotonic() >= self._stop_at

    def _next_event(self) -> LinkEvent | None:
        wait = self._next_due() - self._clock.monotonic()
        try:
            connection, event = self._events.get(timeout=max(0.0, min(wait, 60.0)))
        except queue.Empty:
            return None
        if isinstance(event, _Wake):
            self._wake_pending.clear()
            return None
        return event if connection == self._link.connection else None

    def _next_due(self) -> float:
        dues = [self._machine.next_tick(), self._state_due]
        if self._filling.held_until is not None:
            dues.append(self._filling.held_until)
        if self._stop_at is not None:
            dues.append(self._stop_at)
        return min(dues)

    # --- events -----------------------------------------------------------------------------------

    def _handle(self, event: LinkEvent, now: float) -> list[Action]:
        match event:
            case Up():
                return self._came_up(now)
            case Down(why):
                return self._went_down(why, now)
            case Taken(message):
                first_seq = self._messages.pop(message, None)
                if first_seq is not None:
                    self._machine.published(first_seq)
                return []
            case Document(is_ack, payload):
                return self._read_document(is_ack, payload, now)
            case Desired(payload):
                if self._models is not None:
                    self._models.hear(payload)
                return []

    def _came_up(self, now: float) -> list[Action]:
        self._metrics.set("connected", 1)
        self._answered = False
        if self._machine.in_flight == 0:
            self._broker.good()
        self._publish_state(now)
        self._models_said = b""
        return self._machine.connected(now)

    def _went_down(self, why: str, now: float) -> list[Action]:
        unanswered = self._machine.state is State.CONNECTED and not self._answered
        if unanswered and now - self._published_at < _DENIAL_S:
            why += f"; right after a publish: does the broker's ACL allow {self._link.data_topic}?"
        self._broker.bad(why)
        self._metrics.set("connected", 0)
        self._messages.clear()
        self._state_due = float("inf")
        self._link.close()
        return self._machine.disconnected(now)

    def _read_document(self, is_ack: bool, payload: bytes, now: float) -> list[Action]:
        try:
            self._answered = True
            if is_ack:
                ack = wire.decode(payload, wire.Ack)
                self._broker.good()
                return self._machine.acked(ack.stream, ack.ranges, now)
            nack = wire.decode(payload, wire.Nack)
        except PayloadError as error:
            _log.warning("ignored an %s: %s", "ack" if is_ack else "nack", error)
            return []
        if nack.stream in ("", self._store.stream):
            _log.error("the gateway refuses a batch (%s): %s", nack.reason, nack.detail)
        return self._machine.nacked(nack.stream, nack.ranges, nack.crc, nack.reason)

    # --- actions ----------------------------------------------------------------------------------

    def _do(self, actions: list[Action], now: float) -> None:
        for action in actions:
            match action:
                case Connect():
                    self._connect(now)
                case Disconnect(why):
                    self._do(self._went_down(why, now), now)
                    return  # what else was to be done belonged to that connection
                case Send():
                    self._send(action, now)
                case Forget(ranges):
                    self._metrics.count("acknowledged_readings", self._store.forget(ranges))
                case Refuse(ranges, _reason):
                    rows = self._store.drop(ranges, "refused")
                    self._metrics.count("dropped_readings", rows, reason="refused")

    def _connect(self, now: float) -> None:
        try:
            self._link.connect()
        except TransportError as error:
            self._do(self._went_down(str(error), now), now)

    def _send(self, action: Send, now: float) -> None:
        self._messages[self._link.publish(action.payload)] = action.first_seq
        self._published_at = now
        if action.again:
            self._metrics.count("resent_batches")

    def _publish_state(self, now: float) -> None:
        self._link.publish_state(self._state(True))
        self._state_due = now + self._state_interval_s

    def _publish_models(self) -> None:
        """At each connection, and when it changes; the scores of a new version wake this thread."""
        if self._models is None or self._machine.state is not State.CONNECTED:
            return
        report = self._models.report
        if report != self._models_said:
            self._link.publish_models(report)
            self._models_said = report

    def _say_goodbye(self) -> None:
        if self._machine.state is State.CONNECTED:
            self._link.publish_state(self._state(False), wait_s=_GOODBYE_S)
        self._link.close(goodbye_s=_GOODBYE_S)
