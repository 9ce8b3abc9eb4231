"""Which table it is: so that a dropped table is told from one that was never made.

A table that is gone would be made anew, empty, and everything that landed would be registered again, as
far as its files are still there: maintenance rewrites and removes them. So the registrar puts a record
beside the landing zone when it first sees the table, and stops where table and record do not agree.
Then somebody decides: ``cloud-sync restore-table``.
"""

from __future__ import annotations

from typing import Final

import msgspec

from headrace.errors import LakeError
from headrace.lake.store import Store

PATH: Final = "tables/headrace.readings.json"
_HINT: Final = "put it back with `cloud-sync restore-table`, or see there how to begin anew"


class TableId(msgspec.Struct, frozen=True):
    """A table as its catalogue knows it; no uuid stands for one that may be made anew."""

    uuid: str = ""
    location: str = ""


class TableRecord:
    """The record of one table."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._is_there = False

    def check(self, found: TableId | None) -> None:
        """Compare with the table as it is; the first table that is seen is put on record.

        Raises:
            LakeError: the table is gone, or is another one.
        """
        known = self.read()
        if found is None:
            if known.uuid:
                raise LakeError(
                    f"the table headrace.readings is gone; it was {known.uuid} at {known.location}",
                    hint=_HINT,
                )
        elif not known.uuid:
            self.write(found)
            self._is_there = True
        elif known.uuid != found.uuid:
            raise LakeError(
                f"the table headrace.readings is another one: expected {known.uuid} at "
                f"{known.location}, got {found.uuid}",
                hint=_HINT,
            )
        else:
            self._is_there = True

    def see(self, found: TableId | None) -> None:
        """After a commit, which may have made the table."""
        if not self._is_there:
            self.check(found)

    def read(self) -> TableId:
        """What is on record."""
        payload = self._store.get(PATH)
        if payload is None:
            return TableId()
        try:
            return msgspec.json.decode(payload, type=TableId)
        except msgspec.MsgspecError as error:
            raise LakeError(f"{PATH}: not readable: {error}") from error

    def write(self, table: TableId) -> None:
        """Put a table on record."""
        self._store.put(PATH, msgspec.json.encode(table))
