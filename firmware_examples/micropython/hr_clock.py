"""Time on a board without a clock chip.

``local_us`` starts where the last boot stopped (the newest unsynced time in the ring) and never goes
back, so readings keep their order over restarts; the time without power is missing from it, because
nobody knows it. Once something tells the time (``set_utc``, from NTP or a GPS) every local time,
also that of readings taken before, becomes a real one. Until then readings travel with times relative
to their arrival, which is right while the board stays on.
"""

import time

_TICKS_PERIOD = 1 << 30


class Clock:
    """Local time in microseconds, and what to add for UTC."""

    def __init__(self, floor_us=0, ticks_ms=None):
        self._ticks_ms = ticks_ms or time.ticks_ms
        self._last_ticks = self._ticks_ms()
        self._local_us = floor_us
        self._offset_us = None

    @property
    def synced(self):
        """Whether real time is known."""
        return self._offset_us is not None

    def local_us(self):
        """Microseconds on this device's own clock; to be asked at least once in 12 days."""
        ticks = self._ticks_ms()
        self._local_us += ((ticks - self._last_ticks) & (_TICKS_PERIOD - 1)) * 1000
        self._last_ticks = ticks
        return self._local_us

    def set_utc(self, utc_us):
        """The time is ``utc_us`` microseconds since 1970 now."""
        self._offset_us = utc_us - self.local_us()

    def now(self):
        """(microseconds, synced?): the time to keep with a reading."""
        local = self.local_us()
        return (local + self._offset_us, True) if self.synced else (local, False)

    def sent_time(self, time_us, synced):
        """(absolute?, microseconds): a kept time as it travels now."""
        if synced:
            return True, time_us
        if self.synced:
            return True, time_us + self._offset_us
        return False, min(0, time_us - self.local_us())
