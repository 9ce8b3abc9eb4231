"""Kafka topics to the journal: offsets are given back when the journal has the messages.

One thread: it takes messages, hands on what there is room for, and commits. A message is told by its
place (topic id, partition, offset), which the journal keeps in the transaction of what the message
brings: what the cluster delivers again after a crash, a rebalance or a lost commit is known, whatever
the message holds. A message that cannot be read goes to quarantine, and the next one follows.

When there is no room (a full inbox, or a device over its limit) the partitions are paused and the thread
goes on polling, so that the group does not take it for dead.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Iterable
from functools import partial

from gateway.ingest.arrival import Arrival
from gateway.sources.kafka.cluster import Key, Member
from gateway.sources.kafka.config import KafkaSourceSettings
from gateway.sources.kafka.message import Message, arrival, device_of
from gateway.sources.kafka.probe import probe
from gateway.sources.kafka.progress import Progress
from gateway.sources.port import SourceContext
from headrace.errors import InputError, PayloadError
from headrace.limits.agent import RETRY_FIRST_S, RETRY_MAX_S
from headrace.limits.sources import (
    KAFKA_SOURCE_COMMIT_S,
    KAFKA_SOURCE_DRAIN_S,
    KAFKA_SOURCE_HAND_BYTES,
)
from headrace.logs import Condition

logger = logging.getLogger(__name__)

_POLL_S = 0.2
_PAUSED_POLL_S = 0.02


class KafkaSource:
    """The source port over a consumer group."""

    def __init__(self, settings: KafkaSourceSettings, context: SourceContext) -> None:
        self._settings = settings
        self._context = context
        self._group = settings.group or f"headrace-{context.site}"
        self._condition = Condition(logger, f"source {context.name}")
        self._stopping = threading.Event()
        self._again = False
        self._partitions: dict[Key, Progress] = {}
        self._backlog: deque[Message] = deque()
        self._member: Member | None = None
        self._thread = threading.Thread(target=self._run, name=f"source {context.name}")

    async def start(self) -> None:
        self._thread.start()

    async def stop(self) -> None:
        """Wait for what is on its way to the journal, commit, leave the group."""
        self._stopping.set()
        await asyncio.to_thread(self._thread.join)

    def probe(self) -> str:
        return probe(self._settings, self._group)

    # --- the thread --------------------------------------------------------------------------------

    def _run(self) -> None:
        pause = RETRY_FIRST_S
        while not self._stopping.is_set():
            try:
                self._live()
                pause = RETRY_FIRST_S
            except InputError as error:
                self._condition.bad(error)
                self._stopping.wait(pause)
                pause = min(pause * 2, RETRY_MAX_S)

    def _live(self) -> None:
        """One life of a consumer.

        Raises:
            InputError: it has failed.
        """
        self._again = False
        self._member = member = Member(
            self._settings, self._group, assigned=self._assigned, revoked=self._revoked
        )
        due = self._context.clock.monotonic()
        paused = False
        try:
            while not (self._stopping.is_set() or self._again):
                self._hand_over()
                if paused != bool(self._backlog):
                    paused = not paused
                    member.pause(paused)
                self._backlog.extend(member.take(_PAUSED_POLL_S if paused else _POLL_S))
                if self._context.clock.monotonic() >= due:
                    due = self._context.clock.monotonic() + KAFKA_SOURCE_COMMIT_S
                    self._commit(wait=False)
        finally:
            self._leave(member)

    def _leave(self, member: Member) -> None:
        self._backlog.clear()
        if not self._again:
            self._wait_for_done(self._partitions)
            self._commit(wait=True)
        self._partitions.clear()
        self._member = None
        self._context.metrics.set("source_partitions", 0, source=self._context.name)
        member.close()

    def _assigned(self, keys: Iterable[Key]) -> None:
        ids = self._member.topic_ids if self._member is not None else {}
        for topic, partition in keys:
            # A message of an earlier assignment that is not done yet must not count for this one.
            stream = f"{self._context.name}/{topic}/{ids.get(topic, '')}/{partition}"
            self._partitions[topic, partition] = Progress(stream)
        self._condition.good()
        self._say_partitions()

    def _revoked(self, keys: Iterable[Key]) -> None:
        """Others go on from what we commit now, so wait for what is nearly done."""
        gone = set(keys)
        self._backlog = deque(each for each in self._backlog if _key(each) not in gone)
        self._wait_for_done(gone)
        self._commit(wait=True)
        for key in gone:
            self._partitions.pop(key, None)
        self._say_partitions()

    def _say_partitions(self) -> None:
        count = len(self._partitions)
        self._context.metrics.set("source_partitions", count, source=self._context.name)

    def _hand_over(self) -> None:
        """What there is room for, in order."""
        inbox, taken = self._context.inbox, 0
        while self._backlog and inbox.has_room:
            arrivals = self._next_arrivals(self._context.clock.now_us())
            if not arrivals:
                break
            inbox.put(arrivals)
            taken += len(arrivals)
        self._context.metrics.count("source_messages", taken, source=self._context.name)

    def _next_arrivals(self, now_us: int) -> list[Arrival]:
        """Some that go into the inbox together: to wake the ingest thread for each costs more than it."""
        found: list[Arrival] = []
        size = 0
        while self._backlog and size < KAFKA_SOURCE_HAND_BYTES and not self._again:
            message = self._backlog[0]
            device = device_of(self._settings, message)
            if not self._context.inbox.has_room_for(device):
                break
            self._backlog.popleft()
            progress = self._partitions.get(_key(message))
            if progress is None:
                continue  # not ours any more
            place = progress.take(message.offset)
            if place is None:
                logger.warning("%s has begun anew; looking at it again", message.topic)
                self._again = True
                break
            done = partial(self._done, progress, message.offset)
            found.append(arrival(self._settings, message, device, place, now_us, done))
            size += message.size
        return found

    def _done(self, progress: Progress, offset: int, refused: PayloadError | None) -> None:
        """By the ingest thread. What a limit kept out must come again: it may be nowhere."""
        if refused is not None and refused.reason == "over_limit":
            self._again = True
        else:
            progress.done(offset)

    def _wait_for_done(self, keys: Iterable[Key]) -> None:
        """For a moment: what is not done by then comes again, and is known."""
        waiting = [self._partitions[key] for key in keys if key in self._partitions]
        deadline = self._context.clock.monotonic() + KAFKA_SOURCE_DRAIN_S
        pause = threading.Event()
        while any(each.waiting for each in waiting):
            if self._context.clock.monotonic() > deadline:
                return
            pause.wait(0.01)

    def _commit(self, *, wait: bool) -> None:
        moved = {
            key: offset
            for key, progress in self._partitions.items()
            if (offset := progress.to_commit()) is not None
        }
        if moved and self._member is not None:
            self._member.commit(moved, wait=wait)


def _key(message: Message) -> Key:
    return message.topic, message.partition
