"""The notify consumer: alert transitions in, notifications out.

Notes that could not be sent yet are part of the consumer's stored state, so the journal's cursor
moves on, one dead target holds up no other, and a restart forgets nothing. A gateway that dies
between a sent note and its commit sends that note again: people rather hear it twice than never.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from logging import getLogger
from typing import Final

import msgspec
import pyarrow.compute as pc

from gateway.consumer import Consumer, Outcome
from gateway.feed import Entry
from gateway.notify import outbox
from gateway.notify.config import NotifyConfig
from gateway.notify.outbox import Heard, Note
from gateway.notify.sender import AppriseSender, Sender
from headrace.derived import ALERT_PREFIX, decode_alert
from headrace.errors import PayloadError
from headrace.logs import Condition
from headrace.metrics import Metrics

_log = getLogger(__name__)

_PREFIX: Final = "note:"


class NotifyConsumer(Consumer):
    """Tells people about alerts.

    Args:
        targets: where to; none makes this a consumer that does nothing.
        site: named in every title.
        sender: what sends; Apprise unless told otherwise.
    """

    name = "notify"
    required = False

    def __init__(
        self,
        targets: Sequence[NotifyConfig],
        metrics: Metrics,
        site: str,
        *,
        sender: Sender | None = None,
    ) -> None:
        self._targets = {
            target.name or str(number): target for number, target in enumerate(targets, start=1)
        }
        self._sender = sender if sender is not None else AppriseSender(self._targets)
        self._metrics = metrics
        self._site = site
        self._notes: dict[str, Note] = {}
        self._taken: set[str] = set()
        self._changes: dict[str, Note | None] = {}
        self._counts: list[str] = []
        self._conditions = {
            name: Condition(_log, f"notify target {name}") for name in self._targets
        }

    def restore(self, state: Mapping[str, bytes], now_us: int) -> None:
        for key, value in state.items():
            if key.startswith(_PREFIX):
                self._notes[key] = msgspec.msgpack.decode(value, type=Note)

    def step(self, entries: Sequence[Entry], now_us: int) -> Outcome:
        self._changes, self._counts = {}, []
        self._add_new(entries, now_us)
        self._drop_surplus()
        self._send_due(now_us)
        state = {
            key: None if note is None else msgspec.msgpack.encode(note)
            for key, note in self._changes.items()
        }
        return Outcome(state=state)

    def committed(self, outcome: Outcome) -> None:
        for key, note in self._changes.items():
            if note is None:
                self._notes.pop(key, None)
            else:
                self._notes[key] = note
        for outcome_name in self._counts:
            self._metrics.count("notifications", outcome=outcome_name)
        self._changes, self._counts = {}, []
        self._taken.clear()

    def _waiting(self) -> list[Note]:
        notes = self._notes | self._changes
        return [note for note in notes.values() if note is not None]

    def _add_new(self, entries: Sequence[Entry], now_us: int) -> None:
        heard = [one for entry in entries for one in self._alerts(entry)]
        for name, target in self._targets.items():
            note = outbox.compose(
                name, self._site, outbox.wanted(target, heard),
                offset=entries[-1].offset if entries else 0, now_us=now_us,
            )  # fmt: skip
            if note is not None:
                self._changes[note.key] = note

    def _alerts(self, entry: Entry) -> Iterator[Heard]:
        dictionary = entry.rows.column(0).dictionary.to_pylist()
        if not any(name.startswith(ALERT_PREFIX) for name in dictionary):
            return
        rows = entry.rows.filter(pc.starts_with(entry.rows.column(0).cast("string"), ALERT_PREFIX))
        for name, text in zip(rows.column(0).to_pylist(), rows.column(3).to_pylist(), strict=True):
            try:
                alert = decode_alert(text or "")
            except PayloadError as error:
                _log.warning("reading %s of %s: %s", name, entry.device, error)
                self._counts.append("unreadable")
                continue
            yield Heard(name.removeprefix(ALERT_PREFIX), entry.device, alert)

    def _drop_surplus(self) -> None:
        gone = [note for note in self._waiting() if note.target not in self._targets]
        for name in self._targets:
            gone += outbox.surplus(self._waiting(), name)
        for note in gone:
            self._changes[note.key] = None
            self._counts.append("given_up")

    def _send_due(self, now_us: int) -> None:
        due = outbox.next_due(self._waiting(), now_us)
        # What a step that was not committed has sent already is not sent again.
        fresh = [note for note in due if note.key not in self._taken]
        attempts = self._sender.send(fresh) if fresh else {}
        self._taken.update(key for key, attempt in attempts.items() if attempt.taken)
        for note in due:
            if note.key in self._taken:
                self._conditions[note.target].good()
                self._changes[note.key] = None
                self._counts.append("sent")
            else:
                self._conditions[note.target].bad(attempts[note.key].reason)
                self._retry(note, now_us)

    def _retry(self, note: Note, now_us: int) -> None:
        again = outbox.failed(note, now_us)
        self._changes[note.key] = again
        self._counts.append("failed")
        if again is None:
            _log.warning("notify target %s: gave up on %r", note.target, note.title)
            self._counts.append("given_up")
