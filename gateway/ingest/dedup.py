"""What has been seen of each (device, stream), and what of a batch is new. Pure.

Changes are staged: a transaction that fails must leave no trace in memory, or readings that were
never written would be taken for duplicates when they come again, and be lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from gateway.ingest.arrival import Place
from headrace.errors import PayloadError
from headrace.limits.ingest import MAX_STREAMS_PER_DEVICE, SITE_MAX_STREAMS
from headrace.limits.wire import MAX_RANGES_PER_STREAM
from headrace.ranges import Range, RangeSet

Key = tuple[str, str]

#: In the place of a device: the streams of sources, whose numbers are messages (``Arrival.place``).
PLACES: Final = ""


class Seen:
    """Range sets of all streams; changed only through a ``Stage``."""

    def __init__(self, rows: Iterable[tuple[str, str, int, int]] = ()) -> None:
        self._ranges: dict[Key, RangeSet] = {}
        for device, stream, first, last in rows:
            self._ranges.setdefault((device, stream), RangeSet()).add(first, last)
        self._streams = Counter(device for device, _ in self._ranges)

    def of(self, device: str, stream: str) -> RangeSet:
        """What has been seen of one stream (do not change it)."""
        return self._ranges.get((device, stream)) or RangeSet()

    def streams(self, device: str) -> int:
        """How many streams a device has had."""
        return self._streams[device]

    def __contains__(self, key: Key) -> bool:
        return key in self._ranges

    def __len__(self) -> int:
        """How many streams there are in all."""
        return len(self._ranges)

    def holes(self, device: str) -> dict[str, list[Range]]:
        """The gaps of a device by stream: what is missing before the newest that arrived."""
        return {
            stream: ranges.holes_from(1)
            for (owner, stream), ranges in self._ranges.copy().items()
            if owner == device and ranges.holes_from(1)
        }

    def missing(self) -> dict[str, int]:
        """How many readings each device lacks; only devices that lack some."""
        found: dict[str, int] = {}
        # Asked by other threads. A list of the items would be made with others at work in between,
        # where it is long enough for the garbage collector; a copy is not.
        for (device, _), ranges in self._ranges.copy().items():
            if device != PLACES and (len(ranges) > 1 or ranges.last != ranges.count):
                found[device] = found.get(device, 0) + ranges.last - ranges.count
        return found

    def apply(self, stage: Stage) -> None:
        """The stage's transaction is on disk."""
        self._streams.update(device for device, _ in stage.changed().keys() - self._ranges.keys())
        self._ranges.update(stage.changed())


class Stage:
    """The changes of one transaction."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._changed: dict[Key, RangeSet] = {}
        self._new: Counter[str] = Counter()
        self._new_streams = 0

    def check_stream(self, device: str, stream: str) -> None:
        """A new stream takes memory for good.

        Raises:
            PayloadError: the device, or all of them, have had too many.
        """
        key = (device, stream)
        if key in self._seen or key in self._changed:
            return
        if self._seen.streams(device) + self._new[device] >= MAX_STREAMS_PER_DEVICE:
            raise PayloadError(
                "over_limit",
                f"{device} has had {MAX_STREAMS_PER_DEVICE} streams",
                hint="a stream is for life: keep its id where the readings are kept",
            )
        if len(self._seen) + self._new_streams >= SITE_MAX_STREAMS:
            raise PayloadError("over_limit", f"all devices have had {SITE_MAX_STREAMS} streams")
        self._new[device] += 1
        self._new_streams += 1

    def add(self, device: str, stream: str, first: int, last: int) -> list[Range]:
        """Mark ``first..last`` as seen and return the parts that are new.

        Raises:
            PayloadError: the stream would have more holes than the gateway can remember; nothing
                is marked.
        """
        key = (device, stream)
        ranges = self._ranges(key)
        new = ranges.missing(first, last)
        if len(ranges) + len(new) > MAX_RANGES_PER_STREAM:
            raise PayloadError(
                "bad_identity",
                f"stream {stream} of {device} has more than {MAX_RANGES_PER_STREAM} holes",
                hint="seq must count up by one per reading",
            )
        for part in new:
            ranges.add(*part)
        self._changed[key] = ranges
        return new

    def remove(self, device: str, stream: str, first: int, last: int) -> None:
        """Take ``first..last`` for never seen."""
        ranges = self._ranges((device, stream))
        ranges.remove(first, last)
        self._changed[device, stream] = ranges

    def add_place(self, place: Place) -> bool:
        """Mark a message of a source as seen; False when it was.

        Numbers that never came are forgotten, the lowest first, where they are too many: what a source
        did not deliver before thousands of other messages it left out.
        """
        key = (PLACES, place.stream)
        ranges = self._ranges(key)
        new = ranges.missing(place.first, place.last)
        for part in new:
            ranges.add(*part)
        if len(ranges) > MAX_RANGES_PER_STREAM:
            ranges.add(*ranges.holes()[0])
        self._changed[key] = ranges
        return bool(new) and new[-1][1] == place.last

    def _ranges(self, key: Key) -> RangeSet:
        """What has been seen of a stream, to be changed."""
        found = self._changed.get(key)
        return self._seen.of(*key).copy() if found is None else found

    def next_seq(self, device: str, stream: str) -> int:
        """The number after the last one of a stream that the gateway numbers itself."""
        ranges = self._changed.get((device, stream)) or self._seen.of(device, stream)
        return ranges.last + 1

    def changed(self) -> dict[Key, RangeSet]:
        """The streams that changed, with what has now been seen of them."""
        return self._changed

    def row_changes(self) -> Iterator[tuple[Key, list[Range], list[Range]]]:
        """Per stream: the stored ranges that are gone, and those that are new."""
        for key, ranges in self._changed.items():
            before, after = set(self._seen.of(*key)), set(ranges)
            yield key, sorted(before - after), sorted(after - before)
