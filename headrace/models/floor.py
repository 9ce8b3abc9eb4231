"""The earliest time that it can be: what expiry is judged by when a clock has gone back.

A Pi without a clock chip boots in the past, and somebody who sets a clock back can offer metadata
that has expired. So the floor is kept on disk and only rises, by two kinds of evidence:

- a signed time: when the repository's timestamp was signed. It cannot be forged.
- this machine's clock at a refresh that succeeded, or, when metadata was seen to be expired, the time
  at which it expired: what was expired once stays expired.

Both are bounded by an expiry that the repository has signed, so a clock that runs ahead by years can
not shut a site out for years: metadata that is signed again later is accepted again.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from headrace.models import files


class _Kept(msgspec.Struct, frozen=True):
    not_before_us: int


class ClockFloor:
    """A time in a file that only rises."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._not_before_us = self._read()

    @property
    def not_before_us(self) -> int:
        return self._not_before_us

    def at_least(self, now_us: int) -> datetime:
        """The time to judge by: the clock's, unless it is below the floor."""
        return datetime.fromtimestamp(max(now_us, self._not_before_us) / 1e6, UTC)

    def raise_to(self, time_us: int) -> None:
        """Remember that it is at least ``time_us``; on disk when this returns."""
        if time_us <= self._not_before_us:
            return
        files.write(self._path, msgspec.json.encode(_Kept(time_us)))
        self._not_before_us = time_us

    def _read(self) -> int:
        data = files.read(self._path)
        if data is None:
            return 0
        try:
            return msgspec.json.decode(data, type=_Kept).not_before_us
        except msgspec.MsgspecError:
            # Damaged: the next refresh writes it anew; the metadata's own versions still hold.
            return 0
