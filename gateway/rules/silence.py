"""Devices that stopped sending, judged on the gateway's clock.

A device is heard when a batch of it arrives (``received_at``), whatever its readings say. Three
things look like silence of a device and are not, so none of them may raise an alert:

- the gateway was down: nobody is silent before it has listened for ``for_s`` itself;
- the gateway stood still (suspended, clock stepped, a long retry): a jump of its clock between two
  looks starts that listening anew;
- the gateway is behind: while batches come in, time is the arrival of the newest, not the wall clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gateway.rules.config import RuleConfig
from gateway.rules.machine import SECOND_US, Active, Transition
from headrace.limits.consumers import RULES_CLOCK_JUMP_S


@dataclass(frozen=True, slots=True)
class Listening:
    """Since when the gateway has been listening without a break, and when it looked last.

    ``set_back``: whether the clock was behind the look before, by more than looks differ.
    """

    since: int
    looked: int
    set_back: bool = False

    def look(self, now_us: int) -> Listening:
        """Look again; a jump of the clock, either way, is a break."""
        jump = RULES_CLOCK_JUMP_S * SECOND_US
        jumped = abs(now_us - self.looked) > jump
        return Listening(now_us if jumped else self.since, now_us, self.looked - now_us > jump)


def judge(
    rule: RuleConfig, active: Active | None, heard: int, listening: Listening
) -> tuple[Active | None, Transition | None]:
    """The silence alert of one device; ``heard`` is the arrival of its newest batch."""
    now = listening.looked
    if active is not None and heard > active.started:
        silent_s = (heard - active.started) / SECOND_US
        return None, Transition("resolved", heard, silent_s, active.started, heard)
    since = max(heard, listening.since)
    silent_s = (now - since) / SECOND_US
    if active is not None or silent_s < rule.for_s:
        return active, None
    # The silence started when the device was heard last, also where that was before this start.
    return Active("firing", heard), Transition("firing", now, silent_s, heard)


def concerned(rule: RuleConfig, heard: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """The devices that a silence rule looks at."""
    for device, at in heard.items():
        if fnmatchcase(device, rule.device):
            yield device, at
