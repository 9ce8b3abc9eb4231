"""Which files of a day to merge next: pure, from their names and sizes.

A **run** is a set of files that are in one order and do not overlap: what one compaction wrote, or one
landing. Compaction makes few runs out of many. Reading one series of a day opens one file of each run.

While a day is open, runs of about one size are merged when there are enough of them, so that the number of
times that a reading is rewritten grows with the logarithm of the day. When it is over, all of it becomes
one dense run. What comes late is merged among itself, until it is worth rewriting the day.

Which compaction wrote a file, and how, stands in its name: ``<utc>-<random>-<dense|merged>-<number>.parquet``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from headrace.limits.lake import PARQUET_ROW_GROUP_ROWS
from headrace.limits.maintain import FAN_IN, FAN_IN_ROWS, LATE_SHARE

DENSE: Final = "dense"
MERGED: Final = "merged"

_NAME: Final = re.compile(
    r"/(?P<job>(?P<at>\d{8}T\d{6}Z)-[0-9a-f]{8})-(?P<kind>dense|merged)-\d{5}\.parquet$"
)


@dataclass(frozen=True, slots=True, order=True)
class File:
    """A data file of the table."""

    uri: str
    bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class Run:
    """Files that follow each other in the table's order."""

    files: tuple[File, ...]
    is_dense: bool

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)


@dataclass(frozen=True, slots=True)
class Choice:
    """Runs to merge, and whether that is the last word on the day."""

    runs: tuple[Run, ...]
    is_dense: bool


def job_name(now_us: int, token: str) -> str:
    """The name of a compaction; its age can be told from it."""
    return f"{datetime.fromtimestamp(now_us / 1e6, UTC):%Y%m%dT%H%M%SZ}-{token}"


def job_start_us(job: str) -> int:
    """When a compaction began."""
    start = datetime.strptime(job.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return int(start.timestamp()) * 1_000_000


def file_name(job: str, number: int, *, is_dense: bool) -> str:
    """The name of a compaction's file."""
    return f"{job}-{DENSE if is_dense else MERGED}-{number:05d}.parquet"


def runs_of(files: Iterable[File]) -> list[Run]:
    """Files by the compaction that wrote them; any other is a run of its own."""
    ours: dict[str, list[File]] = defaultdict(list)
    runs: list[Run] = []
    for file in files:
        match = _NAME.search(file.uri)
        if match is None:
            runs.append(Run((file,), is_dense=False))
        else:
            ours[match["job"]].append(file)
    for members in ours.values():
        is_dense = f"-{DENSE}-" in members[0].uri
        runs.append(Run(tuple(sorted(members)), is_dense))
    return runs


def choose(runs: Iterable[Run], *, is_over: bool, min_runs: int) -> Choice | None:
    """What to merge next of one day; None when it is well as it is.

    Args:
        runs: all of the day.
        is_over: nothing but late readings comes any more.
        min_runs: fewer small ones are left alone.
    """
    smallest_first = sorted(runs, key=lambda run: (run.bytes, run.files))
    if not smallest_first:
        return None
    if not is_over:
        return _of_one_size(smallest_first, min_runs)
    *rest, largest = smallest_first
    if largest.is_dense:
        if sum(run.bytes for run in rest) < LATE_SHARE * largest.bytes:
            return _of_one_size(rest, min_runs)
        if not rest:
            return None
    together = side_by_side(smallest_first)
    return Choice(tuple(together), is_dense=len(together) == len(smallest_first))


def _of_one_size(smallest_first: Sequence[Run], min_runs: int) -> Choice | None:
    """The small ones, up to one that is as large as those before it together."""
    taken: list[Run] = []
    size = 0
    for run in side_by_side(smallest_first):
        if len(taken) > 1 and run.bytes > size:
            break
        taken.append(run)
        size += run.bytes
    return Choice(tuple(taken), is_dense=False) if len(taken) >= min_runs else None


def side_by_side(runs: Sequence[Run]) -> list[Run]:
    """As many of the first runs as one merge may read; two at least."""
    taken: list[Run] = []
    rows = 0
    for run in runs[:FAN_IN]:
        rows += min(PARQUET_ROW_GROUP_ROWS, max(file.rows for file in run.files))
        if len(taken) > 1 and rows > FAN_IN_ROWS:
            break
        taken.append(run)
    return taken
