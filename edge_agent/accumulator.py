"""Collects the runs of one input until they are sealed.

Readings of one series are appended to that series' arrays, so a sealed batch is sorted by series
and keeps the source's order of time within it: what compresses best on the wire and in the lake.

What the gateway would refuse is dropped here, with its reason, because a batch is accepted or
refused as a whole: one bad name must not take 10,000 good readings into quarantine.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from itertools import accumulate
from typing import Final

from edge_agent.readings import Poll, Run
from headrace.derived import is_derived
from headrace.limits.inputs import MAX_POLL_ROWS, MAX_SERIES_PER_INPUT
from headrace.limits.wire import (
    MAX_BATCH_ROWS,
    MAX_BATCH_TEXT_BYTES,
    MAX_NAME_CHARS,
    MAX_TEXT_BYTES,
)

#: Same bound as the gateway's codec: what a timestamp in nanoseconds can hold.
MAX_TIME_US: Final = 2**63 // 1_000


class Accumulator:
    """Readings of one input that are not on disk yet, and the checkpoint that belongs to them."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._clear()

    def _clear(self) -> None:
        self._runs: dict[tuple[str, bool], Run] = {}
        self._dropped: Counter[str] = Counter()
        self.rows = 0
        self.checkpoint: str | None = None

    @property
    def is_empty(self) -> bool:
        return self.rows == 0 and self.checkpoint is None and not self._dropped

    @property
    def dropped(self) -> Mapping[str, int]:
        """Readings refused since the last ``clear``, by reason; not among ``rows``."""
        return self._dropped

    @property
    def sampled(self) -> int:
        """Readings that the input produced, the refused ones included."""
        return self.rows + self._dropped.total()

    def add(self, poll: Poll) -> None:
        """Take a whole poll: its readings and the checkpoint behind them."""
        self._dropped.update(poll.dropped)
        if poll.rows > MAX_POLL_ROWS:
            self._dropped["poll_too_large"] += poll.rows
        else:
            for run in poll.runs:
                self._add_run(run)
        if poll.checkpoint is not None:
            self.checkpoint = poll.checkpoint

    def _add_run(self, run: Run) -> None:
        if not run.rows:
            return
        reason = self._refusal(run)
        if reason:
            self._dropped[reason] += run.rows
            return
        self.rows += run.rows
        key = (run.name, run.is_text)
        have = self._runs.get(key)
        if have is None:
            # A copy: the input may go on using its arrays.
            self._runs[key] = Run(run.name, run.times[:], run.values[:], run.unit)
        else:
            have.times.extend(run.times)
            have.values.extend(run.values)  # type: ignore[arg-type]  # the key says which kind it is

    def _refusal(self, run: Run) -> str:
        """Why a run cannot go into a batch; empty when it can."""
        if len(run.values) != run.rows:
            return "uneven_run"
        if run.name not in self._known:
            if not 0 < len(run.name) <= MAX_NAME_CHARS or not _encodable(run.name):
                return "bad_name"
            if is_derived(run.name):
                return "reserved_name"
            if len(self._known) >= MAX_SERIES_PER_INPUT:
                return "too_many_series"
            self._known.add(run.name)
        if min(run.times) < 0 or max(run.times) > MAX_TIME_US:
            return "bad_time"
        if isinstance(run.values, list) and not _sendable(run.values):
            return "text_too_long"
        return ""

    def runs(self) -> list[Run]:
        """All runs sorted by series."""
        return [self._runs[key] for key in sorted(self._runs)]

    def clear(self) -> None:
        """Everything is on disk, or was refused: start again."""
        self._clear()


def split(runs: list[Run], rows: int = MAX_BATCH_ROWS) -> list[list[Run]]:
    """Cut runs into groups of at most ``rows`` readings and ``MAX_BATCH_TEXT_BYTES`` of text."""
    groups: list[list[Run]] = [[]]
    room, text_room = rows, MAX_BATCH_TEXT_BYTES
    for run in runs:
        at = 0
        while at < run.rows:
            take, size = _fitting(run, at, room, text_room)
            if take == 0:
                groups.append([])
                room, text_room = rows, MAX_BATCH_TEXT_BYTES
                continue
            groups[-1].append(_slice(run, at, at + take))
            at, room, text_room = at + take, room - take, text_room - size
    return groups if groups[0] else []


def _fitting(run: Run, at: int, room: int, text_room: int) -> tuple[int, int]:
    """How many readings from ``at`` on fit, and the most bytes that their texts may take."""
    take = min(room, run.rows - at)
    if not isinstance(run.values, list):
        return take, 0
    sizes = list(accumulate(4 * len(text) for text in run.values[at : at + take]))
    take = bisect_right(sizes, text_room)
    return take, sizes[take - 1] if take else 0


def _slice(run: Run, start: int, end: int) -> Run:
    if start == 0 and end == run.rows:
        return run
    times: array[int] = run.times[start:end]
    return Run(run.name, times, run.values[start:end], run.unit)


def _encodable(text: str) -> bool:
    """Whether a text has a UTF-8 form (lone surrogates have none)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _sendable(texts: list[str]) -> bool:
    # 4 bytes a character at most: the usual text is short and needs no second look.
    if max(map(len, texts)) * 4 > MAX_TEXT_BYTES:
        return max(len(text.encode(errors="replace")) for text in texts) <= MAX_TEXT_BYTES
    return _encodable("".join(texts))
