"""Times of a device that still lack a feature: what is carried from one step to the next.

Bounded per device (``INFERENCE_MAX_PENDING_TIMES``, the oldest are given up) and in devices. The
newest few of each device also survive a restart; they are written only when they change. So does the
bucket that was finished last, of a device that sends more than once in a bucket: what comes behind the
restart for that bucket must not be a row of its own. Devices that send less often cost no write.
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
    """What one device has of unfinished times, in time order, and the last bucket it finished.

    ``often``: whether more readings have come for a bucket that was finished.
    """

    time: Ints
    values: Floats
    done: int = -1
    often: bool = False

    @classmethod
    def empty(cls, features: int, done: int = -1, often: bool = False) -> Pending:
        return cls(np.empty(0, np.int64), np.empty((0, features)), done, often)

    @property
    def is_stored(self) -> bool:
        """Whether there is anything that a restart must not forget."""
        return len(self.time) > 0 or self.often

    def same_as(self, other: Pending) -> bool:
        """Whether both would be stored alike, where no times wait in this one."""
        return len(other.time) == 0 and (self.done, self.often) == (other.done, other.often)

    def bounded(self) -> tuple[Pending, int]:
        """The newest times that may be kept, and how many had to be given up."""
        surplus = max(len(self.time) - INFERENCE_MAX_PENDING_TIMES, 0)
        return Pending(self.time[surplus:], self.values[surplus:], self.done, self.often), surplus

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
    often: bool = False


def store(pending: Pending) -> bytes:
    """The part that survives a restart."""
    time = pending.time[-INFERENCE_STORED_PENDING_TIMES:].tolist()
    rows = pending.values[-INFERENCE_STORED_PENDING_TIMES:].tolist()
    values = [[None if value != value else value for value in row] for row in rows]
    return msgspec.msgpack.encode(_Stored(time, values, pending.done, pending.often))


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
    return Pending(np.array(stored.time, np.int64), values, stored.done, stored.often)
