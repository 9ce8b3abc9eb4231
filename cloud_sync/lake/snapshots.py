"""Snapshot expiry: the table's metadata stays small, and so does the time of a commit.

Only metadata goes: the manifest lists and manifests that no kept snapshot has. Data files that compaction
has replaced are another matter (``cloud_sync.maintain.sweep``): queries may still read them.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.table.snapshots import Snapshot

from headrace.errors import CommitConflict
from headrace.lake.catalogue import catalogue_errors


def expired(table: Table, keep: int) -> list[Snapshot]:
    """Snapshots that are neither among the newest ``keep`` nor named by a branch or tag."""
    named = {reference.snapshot_id for reference in table.metadata.refs.values()}
    oldest_first = sorted(table.snapshots(), key=lambda each: each.sequence_number or 0)
    return [each for each in oldest_first[:-keep] if each.snapshot_id not in named]


def would_expire(table: Table, keep: int, coming: int) -> int:
    """How many ``expire`` would forget behind so many more commits."""
    if not coming:
        count = len(expired(table, keep))
    else:
        refs = table.metadata.refs.items()
        named = {each.snapshot_id for name, each in refs if name != MAIN_BRANCH}
        oldest_first = sorted(table.snapshots(), key=lambda each: each.sequence_number or 0)
        going = oldest_first[: max(0, len(oldest_first) + coming - keep)]
        free = [each for each in going if each.snapshot_id not in named]
        count = len(free) + max(0, coming - keep)
    return count if are_due(count, keep) else 0


def are_due(count: int, keep: int) -> bool:
    """Whether so many are enough for a commit of their own: a quarter of those that stay.

    pyiceberg copies the table's metadata some twenty times a commit, so each snapshot that waits costs every
    commit half a millisecond.
    """
    return count >= max(1, keep // 4)


def expire(table: Table, keep: int) -> int:
    """Forget them, once they are due.

    Returns:
        How many.

    Raises:
        LakeUnavailable: the catalogue is away. CommitConflict: another process did it at the same time.
    """
    old = expired(table, keep)
    if not are_due(len(old), keep):
        return 0
    going = {each.snapshot_id for each in old}
    with catalogue_errors("expire snapshots"):
        kept = [each for each in table.snapshots() if each.snapshot_id not in going]
        unused = _metadata_files(table, old) - _metadata_files(table, kept)
        try:
            table.maintenance.expire_snapshots().by_ids(sorted(going)).commit()
        except ValueError as error:  # they are gone, or have got a name since the table was read
            raise CommitConflict(f"catalogue: another process expired first: {error}") from error
        # Killed here, a few kilobytes stay behind until orphans are removed.
        for path in unused:
            with suppress(FileNotFoundError):
                table.io.delete(path)
    return len(old)


def _metadata_files(table: Table, snapshots: Iterable[Snapshot]) -> set[str]:
    """Manifest lists and manifests that the snapshots refer to."""
    found: set[str] = set()
    for snapshot in snapshots:
        found.add(snapshot.manifest_list)
        found.update(manifest.manifest_path for manifest in snapshot.manifests(table.io))
    return found
