"""Bringing a table back to what is on record of it: one that was dropped, and one that was set back.

A dropped one is put into the catalogue again, from its newest metadata. So is one whose metadata file was deleted;
where the file was that of the last commit, the one before it must do, if somebody says so: watermarks and files
of one metadata file belong together, so what that commit had registered is registered again from the landing zone. One that is there and has lost
something gets it in a commit of its own, with the state that was looked at as its requirement:

- **watermarks** become again what they were. The record may be one commit older than the table was
  (``record``), so a landed file that the table names counts, too: its landing is registered.
- **the snapshot** is set forward again to the newest that has all that is on record. Where the catalogue was
  given older metadata the snapshots in between are taken from the newest at the table's place.

What others have written on top of an older snapshot would be out of the table then: so it is refused, unless
that is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.io import load_file_io
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.update import (
    AddSnapshotUpdate,
    SetPropertiesUpdate,
    SetSnapshotRefUpdate,
    TableUpdate,
)

from cloud_sync.lake.history import (
    as_it_is,
    follows,
    line,
    newest_of,
    registered_by,
    state_of,
)
from cloud_sync.lake.metadata import newest_metadata
from cloud_sync.lake.record import TableState
from headrace.errors import LakeError, UsageError
from headrace.lake.catalogue import READINGS, catalogue_errors, make_namespace
from headrace.lake.config import Lake


def put_back(catalogue: Catalog, lake: Lake, known: TableState, *, older: bool) -> Table:
    """A table that is not in the catalogue, or there with metadata that is lost, from the newest at its place.

    Args:
        older: also from metadata that has not all that is on record.

    Raises:
        LakeError: there is none that has what is on record.
    """
    with catalogue_errors("put the table back"):
        files = load_file_io(catalogue.properties, known.location)
        newest, _ = newest_metadata(files, known, older=older)
        make_namespace(catalogue, lake)
        with suppress(NoSuchTableError):
            catalogue.drop_table(READINGS)  # the entry; files are not touched
        return catalogue.register_table(READINGS, newest)


def set_forward(catalogue: Catalog, table: Table, known: TableState, *, over: bool) -> None:
    """A table that has lost something of its record, in one commit.

    Args:
        over: also where others have written to it since; what they wrote is out of it then.

    Raises:
        UsageError: others have written to it since. LakeError: what is lost is not to be found.
    """
    with catalogue_errors("bring the table back"):
        snapshots = _forward(table, known, over=over)
        newest = snapshots[-1] if snapshots else table.current_snapshot()
        marks = _highest(
            state_of(table.metadata).marks, known.marks,
            registered_by(newest, table.io) if newest is not None else {},
        )  # fmt: skip
        updates = [*_ref(table, snapshots), _properties(marks)]
        catalogue.commit_table(table, as_it_is(table), tuple(updates))


def _forward(table: Table, known: TableState, *, over: bool) -> list[Snapshot]:
    """Snapshots from the oldest that the table lacks to the one that is to be its present one."""
    if follows(table.metadata, known):
        return []
    whole: TableMetadata = table.metadata
    if whole.snapshot_by_id(known.snapshot) is None:
        _, whole = newest_metadata(table.io, known)
    newest = newest_of(whole, known)
    if newest is None:
        raise LakeError(
            f"the snapshot {known.snapshot} of {known.location} is gone",
            hint="`cloud-sync restore-table --anew` takes the table as it is; what is lost stays lost",
        )
    before = list(line(whole, newest))
    now = table.current_snapshot()
    if now is not None and now.snapshot_id not in {each.snapshot_id for each in before}:
        _refuse(now, newest, over=over)
    missing = [each for each in before if table.metadata.snapshot_by_id(each.snapshot_id) is None]
    return [*reversed(missing), *([] if newest in missing else [newest])]


def _refuse(now: Snapshot, newest: Snapshot, *, over: bool) -> None:
    if not over:
        raise UsageError(
            f"others have written to the table since it was set back: its snapshot {now.snapshot_id} "
            f"does not lead to {newest.snapshot_id}",
            hint="--over brings ours back, and theirs is out of the table then",
        )


def _ref(table: Table, snapshots: Sequence[Snapshot]) -> list[TableUpdate]:
    if not snapshots:
        return []
    missing = [
        AddSnapshotUpdate(snapshot=each)
        for each in snapshots
        if table.metadata.snapshot_by_id(each.snapshot_id) is None
    ]
    main: dict[str, Any] = {"ref_name": MAIN_BRANCH, "snapshot_id": snapshots[-1].snapshot_id}
    return [*missing, SetSnapshotRefUpdate(**main, type=SnapshotRefType.BRANCH)]


def _properties(marks: dict[str, int]) -> SetPropertiesUpdate:
    return SetPropertiesUpdate(updates={key: str(mark) for key, mark in marks.items()})


def _highest(*states: dict[str, int]) -> dict[str, int]:
    keys = {key for marks in states for key in marks}
    return {key: max(marks.get(key, 0) for marks in states) for key in sorted(keys)}
