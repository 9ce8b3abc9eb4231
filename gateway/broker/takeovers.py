"""Client ids that two clients fight over: each that comes in ends the other. Pure.

A device that comes back has lost the connection before, so one takeover says nothing; one after the other does.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

from gateway.clashes import Clash
from headrace.limits.broker import CLASH_MAX_IDS, CLASH_TAKEOVERS, CLASH_WITHIN_S


@dataclass(slots=True)
class Takeovers:
    """The newest takeovers of each client id; ``now`` is in seconds, of any steady clock."""

    _found: OrderedDict[str, deque[tuple[float, str]]] = field(default_factory=OrderedDict)

    def note(self, client_id: str, address: str, now: float) -> None:
        """A client from an address has ended the older one of the same id."""
        newest = self._found.setdefault(client_id, deque(maxlen=_KEPT))
        newest.append((now, address))
        self._found.move_to_end(client_id)
        if len(self._found) > CLASH_MAX_IDS:
            self._found.popitem(last=False)

    def clashes(self, now: float) -> list[Clash]:
        """Ids that were taken over again and again of late."""
        clashes = []
        for client_id, newest in self._found.items():
            late = [address for at, address in newest if now - at <= CLASH_WITHIN_S]
            if len(late) >= CLASH_TAKEOVERS:
                clashes.append(Clash("client id", client_id, len(late), tuple(sorted(set(late)))))
        return clashes


_KEPT: Final = 100
