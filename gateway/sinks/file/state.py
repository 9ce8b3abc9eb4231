"""What has been written: a small file that is replaced whole, and is the only truth.

A delivery is appended to the part and fsynced, and then this file says how long the part is. So what a
power cut leaves behind that length was never accepted, and is cut off before the next delivery.

``recent`` names the deliveries of late, because the gateway may die between our answer and its own
commit, and then sends the same batches again, perhaps with more behind them: with history beside live
readings, a second's worth of both lanes (decision 15). A batch is known again by its place in the
journal together with the time when the gateway got it: a journal that was replaced counts from 1 anew.
Deliveries that follow one another become one range, for a minute, so that a range stays narrow in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from gateway.feed import Entry
from headrace.errors import StorageCorrupt
from headrace.models import files

#: Ranges remembered, and how long one grows: a second is what is needed.
_RECENT: Final = 64
_RANGE_US: Final = 60_000_000


class Delivery(msgspec.Struct, frozen=True):
    """Batches that were written: offsets and arrival times, first and last, and when it began."""

    first: int
    last: int
    earliest_us: int
    latest_us: int
    begun_us: int

    @classmethod
    def of(cls, entries: Sequence[Entry], now_us: int) -> Delivery:
        """What names these batches."""
        offsets = [entry.offset for entry in entries]
        arrivals = [entry.received_at for entry in entries]
        return cls(min(offsets), max(offsets), min(arrivals), max(arrivals), now_us)

    def continued(self, after: Delivery) -> Delivery | None:
        """This and the one behind it as one; None where they do not follow each other."""
        if after.first != self.last + 1 or not 0 <= after.begun_us - self.begun_us < _RANGE_US:
            return None
        earliest, latest = min(self.earliest_us, after.earliest_us), max(self.latest_us, after.latest_us)  # fmt: skip
        return Delivery(self.first, after.last, earliest, latest, self.begun_us)

    def has(self, entry: Entry) -> bool:
        return (
            self.first <= entry.offset <= self.last
            and self.earliest_us <= entry.received_at <= self.latest_us
        )


class Part(msgspec.Struct, frozen=True):
    """The part that is being written: the name that its file will have, and how much of it counts."""

    name: str
    started_us: int
    length: int = 0


class State(msgspec.Struct, frozen=True):
    """The whole file."""

    part: Part | None = None
    recent: tuple[Delivery, ...] = ()
    removed_files: int = 0
    removed_bytes: int = 0

    def has(self, entry: Entry) -> bool:
        """Whether a batch has been written of late."""
        return any(delivery.has(entry) for delivery in self.recent)

    def with_delivery(self, part: Part, delivery: Delivery) -> State:
        """A delivery more; the range that it continues grows, and is the newest then."""
        rest, newest = list(self.recent), delivery
        for place, known in enumerate(rest):
            joined = known.continued(delivery)
            if joined is not None:
                newest = joined
                del rest[place]
                break
        return msgspec.structs.replace(self, part=part, recent=(*rest, newest)[-_RECENT:])


def load(path: Path) -> State:
    """Read the state; a new one where there is none.

    Raises:
        StorageError: the file cannot be read, or is not ours.
    """
    data = files.read(path)
    if data is None:
        return State()
    try:
        return msgspec.json.decode(data, type=State)
    except msgspec.DecodeError as error:
        raise StorageCorrupt(
            f"{path}: not the state of a file sink: {error}",
            hint="move it away; the newest batches may then be written twice",
        ) from error


def save(path: Path, state: State) -> None:
    """Replace the state; on disk when this returns.

    Raises:
        StorageError: disk full, read-only or not ours.
    """
    files.write(path, msgspec.json.encode(state))
