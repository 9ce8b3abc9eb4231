"""What the gateway tells single devices about models, and tells others about those devices.

- A device that runs models itself (its state says so) is told on ``model/desired`` which state of the
  repository the mirror has: a hint to look now, retained for when it is away.
- For a device that does not, ``model/reported`` says which versions have scored its readings here.

Once about every second, and only what has changed; a switch at a site of thousands of devices takes
some seconds to be said of all of them, so that acks never wait behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from gateway.live import Live
from headrace.limits.console import LIVE_MAX_DEVICES
from headrace.limits.edge_models import MODELS_TOLD_PER_ROUND
from headrace.models import reports
from headrace.models.store import SlotStore
from headrace.topics import Topics
from headrace.wire import ModelDesired, encode


class Publish(Protocol):
    """The broker's way to send."""

    def __call__(self, topic: str, payload: bytes, *, retain: bool = False) -> None: ...


class Teller:
    """Used by the poller's thread alone.

    Args:
        scored: device → model name → version that has scored it last.
    """

    def __init__(
        self,
        site: str,
        topics: Topics,
        publish: Publish,
        *,
        live: Live,
        store: SlotStore,
        scored: Callable[[], Mapping[str, Mapping[str, int]]],
    ) -> None:
        self._site, self._topics, self._publish = site, topics, publish
        self._live, self._store, self._scored = live, store, scored
        self._told: dict[str, bytes] = {}

    def tell(self, serial: int) -> None:
        """Say what has changed since the last time."""
        room = MODELS_TOLD_PER_ROUND
        for device, topic, payload in self._messages(serial):
            if self._told.get(device) == payload:
                continue
            self._publish(topic, payload, retain=True)
            self._remember(device, payload)
            room -= 1
            if not room:
                return

    def _messages(self, serial: int) -> Iterator[tuple[str, str, bytes]]:
        own = self._live.with_own_models()
        hint = encode(ModelDesired(serial))
        for device in own:
            yield device, self._topics.model_desired(device), hint
        slots = {slot.name: slot for slot in self._store.all()}
        for device, versions in self._scored().items():
            if device not in own:
                models = [reports.brief(slots[name], version) for name, version in versions.items()]
                said = reports.reported("gateway", site=self._site, serial=serial, models=models)
                yield device, self._topics.model_reported(device), said

    def _remember(self, device: str, payload: bytes) -> None:
        if len(self._told) >= 2 * LIVE_MAX_DEVICES:
            self._told.clear()  # all is said once more; retained messages say the same again
        self._told[device] = payload
