"""Times of a device that still lack a feature: what is carried from one step to the next.

Bounded per device (``INFERENCE_MAX_PENDING_TIMES``, the oldest are given up) and in devices. The
newest few of each device also survive a restart; they are written only when they change.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from gateway.inference.pivot import Cells, Floats, Ints
from headrace.errors import StorageCorrupt
from headrace.limits.consumers import INFERENCE_MAX_PENDING_TIMES, INFERENCE_STORED_PENDING_TIMES


@dataclass(frozen=True, slots=True)
class Pending:
    """What one device has of unfinished times, in time order, and the last bucket it finished."""

    time: Ints
    values: Floats
    done: int = -1

    @classmethod
    def empty(cls, features: int, done: int = -1) -> Pending:
        return cls(np.empty(0, np.int64), np.empty((0, features)), done)

    def bounded(self) -> tuple[Pending, int]:
        """The newest times that may be kept, and how many had to be given up."""
        surplus = max(len(self.time) - INFERENCE_MAX_PENDING_TIMES, 0)
        return Pending(self.time[surplus:], self.values[surplus:], self.done), surplus

    def cells(self, device: int) -> Cells:
        """As cells again, to be joined with new ones."""
        row, feature = np.nonzero(~np.isnan(self.values))
        return Cells(
            np.full(len(row), device, np.int64), feature, self.time[row], self.values[row, feature]
        )


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    time: list[int]
    values: list[list[float | None]]
    done: int


def store(pending: Pending) -> bytes:
    """The part that survives a restart."""
    time = pending.time[-INFERENCE_STORED_PENDING_TIMES:].tolist()
    rows = pending.values[-INFERENCE_STORED_PENDING_TIMES:].tolist()
    values = [[None if value != value else value for value in row] for row in rows]
    return msgspec.msgpack.encode(_Stored(time, values, pending.done))


def load(data: bytes, features: int) -> Pending:
    """What ``store`` wrote; nothing where the model had other features then.

    Raises:
        StorageCorrupt: it is not what ``store`` writes.
    """
    try:
        stored = msgspec.msgpack.decode(data, type=_Stored)
    except msgspec.MsgspecError as error:
        raise StorageCorrupt(f"stored state of inference cannot be read: {error}") from error
    if any(len(row) != features for row in stored.values):
        return Pending.empty(features)
    values = np.array(stored.values, np.float64).reshape(len(stored.time), features)
    return Pending(np.array(stored.time, np.int64), values, stored.done)
