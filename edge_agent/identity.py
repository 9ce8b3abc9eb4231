"""What this machine says of itself in every batch: boot id, and whether its clock can be trusted.

Devices without a clock chip start in the past and jump when they reach a time server. The readings
say which clock they were stamped with, so that whoever reads them can tell; the agent itself never
decides anything by the wall clock.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Final

from headrace.clock import Clock
from headrace.wire import ClockState

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
TIMESYNC_FLAG: Final = Path("/run/systemd/timesync/synchronized")

#: Seconds for which an answer of the kernel is believed; a batch a second need not ask each time.
CLOCK_STATE_FOR_S: Final = 10.0

#: adjtimex answers with the clock's state: 5 (TIME_ERROR) means not synchronised.
_TIME_ERROR: Final = 5
_TIMEX_BYTES: Final = (
    512  # larger than struct timex on any architecture; all zero means "only read"
)


def boot_id() -> str:
    """The kernel's random id of this boot; empty where there is none."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def read_clock_state() -> ClockState:
    """What the kernel says, and where it cannot be asked, what systemd-timesyncd has noted."""
    try:
        answer = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        answer = -1
    if 0 <= answer < _TIME_ERROR:
        return "synced"
    # A container may see a host whose clock is kept by something that does not tell the kernel.
    return "synced" if TIMESYNC_FLAG.exists() else "unsynced"


class ClockWatch:
    """The clock's state, asked at most every ``CLOCK_STATE_FOR_S`` seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked_at = float("-inf")
        self._state: ClockState = "unsynced"

    def state(self) -> ClockState:
        now = self._clock.monotonic()
        if now - self._asked_at >= CLOCK_STATE_FOR_S:
            self._state = read_clock_state()
            self._asked_at = now
        return self._state
