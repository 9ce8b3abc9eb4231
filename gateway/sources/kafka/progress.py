"""What of a partition has been taken, what of that is on our disk, and what may be given back. Pure.

Messages are taken in the order of their offsets and done in any order: the inbox takes devices in turns.
What is committed to the cluster is the offset before which everything is done. Offsets have holes
(compaction, marks of transactions), so a message's place begins behind the message before it.
"""

from __future__ import annotations

from collections import deque

from gateway.ingest.arrival import Place


class Progress:
    """One partition, for as long as it is assigned to us.

    Args:
        stream: names the partition for life.
    """

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._last: int | None = None
        self._open: deque[int] = deque()
        # Filled by the ingest thread, emptied by the source's: adding to a set is atomic.
        self._done: set[int] = set()
        self._position: int | None = None

    def take(self, offset: int) -> Place | None:
        """The place of a message that was taken; None where it should have come before.

        That happens when a topic was made again: other messages have the same offsets then.
        """
        number = offset + 1
        first = number if self._last is None else self._last + 1
        if number < first:
            return None
        self._last = number
        self._open.append(offset)
        return Place(self._stream, first, number)

    def done(self, offset: int) -> None:
        """The journal or the quarantine has a message."""
        self._done.add(offset)

    def to_commit(self) -> int | None:
        """The offset to go on from, if it has moved since the last call."""
        moved = False
        while self._open and self._open[0] in self._done:
            offset = self._open.popleft()
            self._done.discard(offset)
            self._position, moved = offset + 1, True
        return self._position if moved else None

    @property
    def waiting(self) -> int:
        """Messages that were taken and are not done."""
        return len(self._open) - len(self._done)
