"""Which devices and series a viewer has on the chart. Pure.

Until the viewer chooses, the page does: the device with an alert, else the first one; its model's
score first, because that is the one number that sums the others up, then what an alert is about. Devices keep their colour while
they are chosen, whoever else comes and goes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from headrace.derived import MODEL_PREFIX
from headrace.limits.console import CONSOLE_MAX_DEVICES, CONSOLE_MAX_PANELS

#: Series that are shown before the viewer chooses; four panels fit on a laptop without scrolling.
_DEFAULT_PANELS = 4


class Selection:
    """Chosen devices with their colour slots, and chosen series."""

    def __init__(self) -> None:
        self._slots: dict[str, int] = {}
        self.series: list[str] = []
        self._by_hand = False

    @property
    def devices(self) -> list[str]:
        return list(self._slots)

    def slot(self, device: str) -> int | None:
        """The number of the device's colour, None for one that is not on the chart."""
        return self._slots.get(device)

    def follow(self, device: str | None) -> None:
        """What the page would show; only while the viewer has not chosen."""
        if not self._by_hand and device is not None:
            self._slots = {device: 0}

    def only(self, device: str) -> None:
        """Look at this device alone."""
        self._by_hand = True
        self._slots = {device: 0}

    def toggle(self, device: str) -> bool:
        """Add or remove a device; False where no more fit."""
        self._by_hand = True
        if device in self._slots:
            del self._slots[device]
            return True
        free = set(range(CONSOLE_MAX_DEVICES)) - set(self._slots.values())
        if not free:
            return False
        self._slots[device] = min(free)
        return True

    def show(self, series: Sequence[str]) -> None:
        """Look at these series."""
        self._by_hand = True
        self.series = list(series)[:CONSOLE_MAX_PANELS]

    def settle(self, offered: Sequence[str], alarming: Collection[str] = ()) -> None:
        """Keep the series that the chosen devices have, else take the default ones."""
        kept = [name for name in self.series if name in offered] if self._by_hand else []
        self.series = kept or default_series(offered, alarming)


def default_series(offered: Sequence[str], alarming: Collection[str] = ()) -> list[str]:
    """Scores, then series with an alert, then the others in the order in which they were sent."""
    return sorted(
        offered, key=lambda name: (not name.startswith(MODEL_PREFIX), name not in alarming)
    )[:_DEFAULT_PANELS]
