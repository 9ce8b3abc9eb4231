"""What the models say on MQTT and hear there: between the uplink's thread and theirs.

What is heard is a hint and no more: somebody who may publish for this device can have it look at its
repository, at the bounded rate of ``headrace.models.poller``, and what it finds there is signed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from headrace import wire
from headrace.errors import PayloadError
from headrace.models import reports
from headrace.models.machine import Slot

_log = logging.getLogger(__name__)

_NOTHING: Final = reports.reported("device", serial=0, models=())


class Desk:
    """One device's; every attribute is replaced as a whole, so no lock is needed."""

    def __init__(self) -> None:
        self._hint: Callable[[int], None] = lambda _serial: None
        self._report = _NOTHING
        self._active: dict[str, int] = {}

    # --- the models' side -------------------------------------------------------------------------

    def on_hint(self, hint: Callable[[int], None]) -> None:
        """Who is told that the repository is said to be at a serial."""
        self._hint = hint

    def say(self, slots: Sequence[Slot], serial: int) -> None:
        """How things stand."""
        self._report = reports.reported(
            "device", serial=serial, models=[reports.row(slot) for slot in slots]
        )
        self._active = {slot.name: slot.active for slot in slots if slot.active is not None}

    # --- the uplink's side ------------------------------------------------------------------------

    @property
    def report(self) -> bytes:
        """What belongs on the device's ``model/reported``."""
        return self._report

    @property
    def active(self) -> dict[str, int]:
        """Model name → version that runs."""
        return self._active

    def hear(self, payload: bytes) -> None:
        """Something arrived on ``model/desired``."""
        try:
            desired = wire.decode(payload, wire.ModelDesired)
        except PayloadError as error:
            _log.warning("ignored what is desired of the models: %s", error)
            return
        self._hint(desired.serial)
