"""What a round of maintenance did, or would do: the answer of ``cloud-sync maintain``."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["done", "would", "lost", "left"]


class Size(msgspec.Struct, frozen=True):
    """Files, bytes and rows of something."""

    files: int = 0
    bytes: int = 0
    rows: int = 0

    @property
    def per_row(self) -> float:
        return self.bytes / self.rows if self.rows else 0.0

    def __str__(self) -> str:
        return f"{self.files} files, {self.bytes / 1e6:,.1f} MB, {self.per_row:.2f} B/reading"


class Day(msgspec.Struct, frozen=True):
    """One partition that was compacted, or would be, in so many merges; bytes of ``after`` are estimated in a dry run."""

    table: str
    day: str
    state: State
    before: Size
    after: Size
    why: str = ""
    merges: int = 0


class Table(msgspec.Struct, frozen=True):
    """One table as a round left it; ``strays``: files of landings that nobody needs, found in this round."""

    table: str
    size: Size
    snapshots: int
    expired_snapshots: int = 0
    retired: Size = Size()
    removed_files: int = 0
    removed_metadata: int = 0
    waiting_records: int = 0
    strays: Size = Size()


class Report(msgspec.Struct, frozen=True):
    """A round."""

    dry_run: bool
    days: tuple[Day, ...] = ()
    tables: tuple[Table, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def health(self) -> str:
        """One line: is the lake well?"""
        left = [day for day in self.days if day.state in ("lost", "left")]
        would = [day for day in self.days if day.state == "would"]
        parts = [f"{each.table} {each.size}" for each in self.tables]
        if would:
            parts.append(f"{len(would)} days to compact")
        if left:
            parts.append(f"{len(left)} days left for the next round")
        parts += self.problems
        return ("trouble" if self.problems else "well") + ": " + "; ".join(parts or ["no tables"])


def lines(report: Report) -> list[str]:
    """The report as text."""
    found = [
        f"{each.table} {each.day}: {each.state}: {each.before} -> {'about ' * report.dry_run}{each.after}"
        + (f" ({each.why})" if each.why else "")
        for each in report.days
    ]
    verb = "would go" if report.dry_run else "went"
    for table in report.tables:
        if table.retired.files:
            found.append(f"{table.table}: past its days, {verb}: {table.retired}")
        if table.expired_snapshots:
            found.append(
                f"{table.table}: {table.expired_snapshots} of {table.snapshots} snapshots {verb}"
            )
        if table.strays.files:
            found.append(
                f"{table.table}: {table.strays.files} files of landings that were made again, "
                f"{table.strays.bytes / 1e6:,.1f} MB, {'would go' if report.dry_run else 'go'} after their grace"
            )
        if table.removed_files or table.removed_metadata:
            gone = f"{table.removed_files} files that nobody needs, {table.removed_metadata} stray metadata files"
            found.append(f"{table.table}: {gone} {verb}")
    return [*found, report.health]
