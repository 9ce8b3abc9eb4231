"""The ``mqtt`` input: what devices have published at a local broker since the last poll.

Not lossless: between their publication and the buffer's next commit messages are in memory only, and
what is published while the agent or the broker is away is gone. A device that must not lose readings
speaks the wire contract itself.
"""

from __future__ import annotations

import logging

from edge_agent.inputs.mqtt.payload import readings
from edge_agent.inputs.mqtt.settings import MqttSettings
from edge_agent.inputs.mqtt.subscriber import Message, Subscriber
from edge_agent.inputs.port import Input
from edge_agent.inputs.values import Complaints
from edge_agent.readings import Poll, Run
from headrace.clock import Clock
from headrace.limits.inputs import JSON_MAX_VALUES, MAX_POLL_ROWS

_log = logging.getLogger(__name__)


class MqttInput(Input):
    """Messages as readings, each at the time at which it arrived."""

    def __init__(self, settings: MqttSettings) -> None:
        self.interval_s = settings.interval_s
        self._settings = settings
        self._complaints = Complaints(_log)
        self._left: list[Message] = []

    def open(self, *, clock: Clock, checkpoint: str | None) -> None:
        super().open(clock=clock, checkpoint=checkpoint)
        self._subscriber = Subscriber(self._settings, clock.now_us)
        self._subscriber.start()

    def poll(self) -> Poll:
        messages, dropped = self._subscriber.take()
        if dropped:
            why = "messages come faster than they are taken, or one is too large"
            self._complaints.note("queue", why, reason="queue_full", count=dropped)
        elif not self._left and not messages:
            self._subscriber.check()
        self._left += messages
        runs = self._runs()
        return Poll(
            runs,
            dropped=self._complaints.take(),
            widened=self._complaints.take_widened(),
            more=bool(self._left),
        )

    def close(self) -> None:
        self._subscriber.close()

    def _runs(self) -> list[Run]:
        """Readings of as many messages as one poll may carry."""
        runs: list[Run] = []
        taken = 0
        while taken < len(self._left) and len(runs) + JSON_MAX_VALUES <= MAX_POLL_ROWS:
            runs += self._of_message(self._left[taken])
            taken += 1
        self._left = self._left[taken:]
        return runs

    def _of_message(self, message: Message) -> list[Run]:
        """By the first pattern that matches: a topic is one device's, however many match."""
        for topic in self._settings.topics:
            names = topic.template.match(message.topic)
            if names is None:
                continue
            try:
                return list(
                    readings(
                        topic, names, message.payload, message.time_us,
                        prefix=self._settings.prefix, complaints=self._complaints,
                    )
                )  # fmt: skip
            except ValueError as error:
                self._complaints.note(message.topic, f"neither JSON nor a number: {error}")
                return []
        return []
