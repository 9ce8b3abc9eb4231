"""What goes out over MQTT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.feed import Entry
from headrace.batch import BatchId


@dataclass(frozen=True, slots=True)
class Message:
    """One publish, and the rows of a batch that it holds.

    ``identity`` is what a gateway's ack refers to; None where nobody acknowledges.
    """

    topic: str
    payload: bytes
    entry: Entry
    rows: Sequence[int]
    identity: BatchId | None = None

    @property
    def key(self) -> tuple[int, str, int]:
        """The same for the same message of the same batch, whenever it is made."""
        return self.entry.offset, self.topic, self.rows[0]
