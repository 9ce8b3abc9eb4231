"""The webhook sink: what each answer of the receiver means for the readings that were sent.

===================================  ==============================================================
answer                               verdict
===================================  ==============================================================
2xx                                  accept: the receiver has them, durably
401, 403, 404, 405, 407, 408, 410,   keep: a token, an address or the receiver's load, which people
421, 425, 429                        or time will mend
any other 4xx                        reject this event; a batch is halved until each such is found
3xx                                  keep: readings and token go nowhere but to ``url``
5xx, no answer                       keep
===================================  ==============================================================

``Retry-After`` is honoured: until then nothing is sent, and the runner hears "keep" at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Final

import numpy as np

from gateway.consumer import Rejected
from gateway.feed import Entry
from gateway.sinks.columns import gather
from gateway.sinks.port import Sink
from gateway.sinks.search import ACCEPTED, Items, Refusal, Result, deliver, halves
from gateway.sinks.senml import sayable
from gateway.sinks.webhook.config import WebhookSettings
from gateway.sinks.webhook.events import Event, events
from gateway.sinks.webhook.receiver import Answer, Receiver
from headrace.clock import Clock, SystemClock
from headrace.errors import SinkUnavailable
from headrace.limits.sinks import SINK_MAX_PROBES, WEBHOOK_MAX_PAUSE_S

_KEPT: Final = frozenset({401, 403, 404, 405, 407, 408, 410, 421, 425, 429})

_HINTS: Final = {
    401: "check token_file",
    403: "let this token, or this gateway's address, in",
    404: "correct url",
    405: "correct url: it takes no POST",
    410: "the receiver was taken down: correct url or remove this sink",
}


class WebhookSink(Sink):
    """Posts readings as CloudEvents.

    Args:
        site: part of each event's ``source``.
        clock: for signatures and ``Retry-After``.
    """

    def __init__(self, settings: WebhookSettings, *, site: str, clock: Clock | None = None) -> None:
        self._settings = settings
        self._site = site
        self._clock = clock or SystemClock()
        self._not_before = 0.0
        self._receiver: Receiver | None = Receiver(settings, self._clock)

    def write(self, entries: Sequence[Entry]) -> Sequence[Rejected]:
        self._wait_as_told()
        columns, rejected = sayable(gather(entries))
        made = events(columns, self._site, self._settings.max_bytes)
        refusals: list[Refusal] = []
        for items in self._requests(made):
            refusals += deliver(items, partial(self._attempt, made), most=SINK_MAX_PROBES)
        readings = [
            (made[item].readings, why) for items, why in refusals for item in items.tolist()
        ]
        return [*rejected, *columns.refusals(readings)]

    def close(self) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.close()

    def _requests(self, made: Sequence[Event]) -> list[Items]:
        """Which events go together."""
        alone = self._settings.mode != "batch"
        requests: list[list[int]] = []
        size = 0
        for place, event in enumerate(made):
            size += event.size
            if alone or not requests or size > self._settings.max_bytes:
                requests.append([])
                size = event.size
            requests[-1].append(place)
        return [np.array(request) for request in requests]

    def _attempt(self, made: Sequence[Event], items: Items) -> Result:
        # Made again after a failure: tokens, secrets and CAs are renewed in their files meanwhile.
        self._receiver = self._receiver or Receiver(self._settings, self._clock)
        try:
            return self._verdict(self._receiver.post([made[at] for at in items.tolist()]), items)
        except SinkUnavailable:
            self.close()
            raise

    def _verdict(self, answer: Answer, items: Items) -> Result:
        if 200 <= answer.status < 300:
            return ACCEPTED
        why = f"the receiver answers {answer.status}: {answer.text}"
        if 400 <= answer.status < 500 and answer.status not in _KEPT:
            return halves(items, why)
        self._not_before = self._clock.monotonic() + self._pause_s(answer.retry_after)
        moved = 300 <= answer.status < 400
        hint = "set url to where it is now" if moved else _HINTS.get(answer.status, "")
        raise SinkUnavailable(why, hint=hint)

    def _wait_as_told(self) -> None:
        left = self._not_before - self._clock.monotonic()
        if left > 0:
            raise SinkUnavailable("the receiver has asked to be left alone for a while")

    def _pause_s(self, retry_after: str) -> float:
        """Seconds, from seconds or from a date; 0 for what is neither."""
        try:
            if retry_after.strip().isdecimal():
                seconds = float(retry_after)
            else:
                until = parsedate_to_datetime(retry_after).timestamp()
                seconds = until - self._clock.now_us() / 1e6
        except (ValueError, OverflowError):
            return 0.0
        return min(max(seconds, 0.0), WEBHOOK_MAX_PAUSE_S)
