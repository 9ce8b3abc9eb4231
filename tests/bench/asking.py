"""Questions to a large lake, each the first of a process that has started: files cold, code warm.

``python -m tests.bench.asking FOLDER`` asks a lake that ``tests.bench.lake_make`` has made. For each
question a process is started, which asks ``SELECT 1`` (what it imports is there then), the files of the
lake are dropped from the page cache, and it asks once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click

from headrace.query.ask import Questions
from headrace.query.config import find_place

QUESTIONS = {
    "one device, one name, one day": (
        "SELECT time, value FROM readings WHERE device = 'pump-0500' AND name = 'flow' "
        "AND time >= '2026-05-15' AND time < '2026-05-16'"
    ),
    "last value of every series": "SELECT * FROM latest",
    "every series with its count": "SELECT * FROM series",
    "one device, one name, all days": (
        "SELECT time_bucket(INTERVAL 1 DAY, time) AS day, avg(value) FROM readings "
        "WHERE device = 'pump-0500' AND name = 'flow' GROUP BY 1"
    ),
    "count of all": "SELECT count(*) FROM readings",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What one question took."""

    rows: int
    files: int
    skipped: int
    wall_ms: float
    cpu_ms: float


def ask_cold(folder: Path, sql: str) -> Asked:
    """Ask in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.asking", "--one", sql, str(folder)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return Asked(**json.loads(done.stdout))


def drop_from_cache(folder: Path) -> None:
    """What the page cache holds of a folder's files; they must be on disk to go."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def ask_here(folder: Path, sql: str) -> Asked:
    """Ask in this process, which has asked nothing of the lake yet."""
    questions = Questions(find_place(data=folder, lake=None, config=None))
    with questions.ask("SELECT 1") as answer:
        answer.reader.read_all()
    # What planning imports is not what is measured; this reads metadata and no data.
    with questions.ask("SELECT * FROM readings WHERE device = ''") as answer:
        answer.reader.read_all()
    drop_from_cache(folder / "lake")
    wall, cpu = time.perf_counter(), time.process_time()
    with questions.ask(sql) as answer:
        rows = answer.reader.read_all().num_rows
        read = answer.read
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Asked(rows, len(read.files), read.skipped, 1_000 * wall, 1_000 * cpu)


def print_questions(folder: Path) -> None:
    """A table of all questions, the median of three."""
    print("| question | rows | files read, of | ms | CPU ms |\n|---|---|---|---|---|")
    for what, sql in QUESTIONS.items():
        found = sorted((ask_cold(folder, sql) for _ in range(3)), key=lambda each: each.wall_ms)[1]
        print(
            f"| {what} | {found.rows:,} | {found.files}, {found.files + found.skipped} | "
            f"{found.wall_ms:,.0f} | {found.cpu_ms:,.0f} |",
            flush=True,
        )
    print(flush=True)


@click.command()
@click.option("--one", default="", hidden=True)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(one: str, folder: Path) -> None:
    """Ask the lake in FOLDER."""
    if one:
        found = ask_here(folder, one)
        print(json.dumps({name: getattr(found, name) for name in Asked.__slots__}))
        return
    print_questions(folder)


if __name__ == "__main__":
    main()
