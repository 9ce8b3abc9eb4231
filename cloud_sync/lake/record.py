"""Which table it is and what it had: so that one that was dropped or set back is told from one that is well.

A table that is gone would be made anew, empty, and everything that landed would be registered again, as
far as its files are still there: maintenance rewrites and removes them. One whose watermarks somebody has
lowered would get readings twice; one that was rolled back to an older snapshot has lost readings that its
watermarks say are there. So the registrar keeps a record beside the landing zone, of the table as it was
after each commit of its own, and stops where the table lacks something of it. Then somebody decides:
``cloud-sync restore-table``.

The record is written behind the commit, and by two registrars in any order: it may be older than the table,
and never newer. So it must be read before the table is. Whoever expires snapshots puts the present one on record
before (registrar and maintenance do): so the one on record is there, as long as nobody else expires.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from headrace.errors import LakeError
from headrace.lake.store import Store

TABLE: Final = "headrace.readings"
PATH: Final = f"tables/{TABLE}.json"
_HINT: Final = "put it back with `cloud-sync restore-table`, or see there how to begin anew"
_SET_BACK: Final = (
    "`cloud-sync restore-table` brings it back; `--anew` takes it as it is, if that was meant"
)


class TableState(msgspec.Struct, frozen=True):
    """A table and what it has; no uuid stands for one that may be made anew.

    ``snapshot`` is its present one and ``sequence`` the number of that; 0 where there is none, or where an
    earlier version has made the record. ``marks``: the watermarks by their property keys. ``rows``: readings in all.
    """

    uuid: str = ""
    location: str = ""
    snapshot: int = 0
    sequence: int = 0
    marks: dict[str, int] = {}
    rows: int = 0

    def lacks(self, known: TableState, *, follows: bool) -> str:
        """What this state of the table has lost since another one, as a sentence, or "".

        Args:
            known: as it was.
            follows: whether the present snapshot was made from that of ``known``.
        """
        if not follows:
            return (
                f"the table {TABLE} was set back: expected its snapshot to follow from {known.snapshot} "
                f"(number {known.sequence}, {known.rows} readings), got {self.snapshot} "
                f"(number {self.sequence}, {self.rows} readings)"
            )
        lower = [key for key, mark in known.marks.items() if self.marks.get(key, 0) < mark]
        if not lower:
            return ""
        first = min(lower)
        return (
            f"the table {TABLE} has lost {len(lower)} of {len(known.marks)} watermarks: expected {first} "
            f"to be {known.marks[first]} or more, got {self.marks.get(first, 'none')}"
        )


class TableRecord:
    """The record of one table; used by one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: TableState | None = None

    def check(self, found: TableState | None, follows: Callable[[TableState], bool]) -> None:
        """Compare with the table as it is; what is new in it is put on record.

        Args:
            found: the table, read after the record was.
            follows: whether the table's present snapshot was made from that of another state.

        Raises:
            LakeError: the table is gone, is another one, or has lost something.
        """
        known = self._known or self.read()
        if found is None:
            if known.uuid:
                raise LakeError(
                    f"the table {TABLE} is gone; it was {known.uuid} at {known.location}",
                    hint=_HINT,
                )
            return
        if known.uuid:
            _compare(known, found, follows)
        self.follow(found)

    def follow(self, found: TableState | None) -> None:
        """After a commit, or a check: put on record what the table has now."""
        if found is not None and found != self._known:
            self.write(found)

    def read(self) -> TableState:
        """What is on record."""
        payload = self._store.get(PATH)
        try:
            self._known = (
                TableState() if payload is None else msgspec.json.decode(payload, type=TableState)
            )
        except msgspec.MsgspecError as error:
            raise LakeError(
                f"{PATH}: not readable: {error}", hint="`cloud-sync restore-table --anew`"
            ) from error
        return self._known

    def write(self, table: TableState) -> None:
        """Put a table on record."""
        self._store.put(PATH, msgspec.json.encode(table))
        self._known = table


def _compare(known: TableState, found: TableState, follows: Callable[[TableState], bool]) -> None:
    if known.uuid != found.uuid:
        raise LakeError(
            f"the table {TABLE} is another one: expected {known.uuid} at {known.location}, "
            f"got {found.uuid}",
            hint=_HINT,
        )
    lost = found.lacks(known, follows=follows(known))
    if lost:
        raise LakeError(lost, hint=_SET_BACK)
