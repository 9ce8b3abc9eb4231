"""The ``replay`` input: a recorded CSV in real time, at a factor, or as fast as possible.

Each poll carries the place behind its last row, stored together with its readings: after a kill at
any moment the replay goes on with the next row, neither losing nor repeating one. In real time the
pause between rows is the recorded one (divided by the factor), counted from the start of the
program: what was missed while the agent was down is not caught up in a burst.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

import msgspec

from edge_agent.inputs.port import Input
from edge_agent.inputs.replay.settings import ReplaySettings
from edge_agent.inputs.replay.source import Chunk, CsvSource, Place
from edge_agent.readings import Poll
from headrace.clock import Clock
from headrace.limits.inputs import MAX_POLL_ROWS


class ReplayInput(Input):
    """Rows of one CSV file as readings."""

    def __init__(self, settings: ReplaySettings) -> None:
        self._settings = settings
        self.interval_s = settings.interval_s
        self.lossless = settings.speed == "max"
        self._factor = 1.0 if isinstance(settings.speed, str) else settings.speed
        self._chunk: Chunk | None = None
        self._anchor: tuple[float, int] | None = None  # monotonic seconds, recorded time

    def open(self, *, clock: Clock, checkpoint: str | None) -> None:
        super().open(clock=clock, checkpoint=checkpoint)
        self._source = CsvSource(self._settings)
        self._place = self._source.place(checkpoint)
        # A poll of many columns must stay below the bound on readings.
        self._max_rows = max(1, MAX_POLL_ROWS // max(1, len(self._source.columns)))

    def poll(self) -> Poll:
        chunk = self._chunk or self._source.read(self._place.offset)
        if chunk is None:
            return self._at_end()
        self._chunk = chunk
        start = min(self._place.rows, len(chunk.times))
        end = min(self._due(chunk, start), start + self._max_rows)
        whole = end == len(chunk.times)
        if end == start and not whole:
            return Poll()
        shift_us = self._shift(chunk, start)
        runs, unreadable, widened = self._source.runs(chunk, start, end, shift_us)
        self._move(chunk, end, whole, shift_us)
        dropped = self._dropped(unreadable, chunk.unreadable_rows if whole else 0)
        more = whole or self.lossless
        return Poll(runs, self._checkpoint(), dropped, widened, more=more)

    def close(self) -> None:
        self._source.close()

    def _due(self, chunk: Chunk, start: int) -> int:
        """The first row of the chunk whose time has not come yet."""
        if self.lossless or start >= len(chunk.times):
            return len(chunk.times)
        now = self.clock.monotonic()
        if self._anchor is None:
            self._anchor = (now, chunk.times[start])
        since, recorded = self._anchor
        limit = recorded + int((now - since) * self._factor * 1e6)
        return bisect_right(chunk.times, limit, start)

    def _shift(self, chunk: Chunk, start: int) -> int:
        """What is added to recorded times: nothing, or what makes the first row happen now."""
        if not self._settings.restamp:
            return 0
        if self._place.shift_us is not None:
            return self._place.shift_us
        first = chunk.times[start] if start < len(chunk.times) else self.clock.now_us()
        return self.clock.now_us() - first

    def _move(self, chunk: Chunk, end: int, whole: bool, shift_us: int) -> None:
        shift = shift_us if self._settings.restamp else None
        if whole:
            # With a smaller chunk_rows than before the restart, done rows reach into the next chunk.
            done = max(0, self._place.rows - len(chunk.times))
            self._place = Place(self._source.header, chunk.end, done, shift)
            self._chunk = None
        else:
            self._place = Place(self._source.header, chunk.offset, end, shift)

    def _dropped(self, cells: int, rows: int) -> Mapping[str, int]:
        found = {"unreadable": cells, "bad_time": rows * len(self._source.columns)}
        return {reason: count for reason, count in found.items() if count}

    def _at_end(self) -> Poll:
        if not self._settings.loop:
            return Poll(done=True)
        # The next round happens now too: its shift is worked out at its first row.
        self._place = Place(self._source.header, self._source.start)
        self._anchor = None
        return Poll(checkpoint=self._checkpoint())

    def _checkpoint(self) -> str:
        return msgspec.json.encode(self._place).decode()
