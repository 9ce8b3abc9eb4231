"""The results as tables in Markdown."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.bench.lake.commits import run_commits
from tests.bench.lake.knowing import run_folding, run_knowing, run_late
from tests.bench.lake.landing import run_landing
from tests.bench.lake.merging import run_merging
from tests.bench.lake.recordings import host, rig
from tests.bench.lake.sizes import run_running_day, run_sizes


def sizes(folder: Path, share: float, landing_s: int = 600, batch_s: int = 1) -> None:
    """Both recordings, three sizes each."""
    print(f"A batch every {batch_s} s, a landing every {landing_s} s.\n")
    print("| recording at 1 Hz | readings | files | bytes a reading, landed | compacted |")
    print("|---|---|---|---|---|")
    for name, recording in (("pump rig", rig()), ("host metrics", host())):
        if recording is None:
            print(f"| {name} | not on this machine: set HEADRACE_TEST_DATA | | | |")
            continue
        for part in (0.1, 0.3, 1.0):
            some = recording.first(round(len(recording.times) * part * share))
            result = run_sizes(
                folder / f"{name}-{part}", some, landing_s=landing_s, batch_s=batch_s
            )
            print(
                f"| {name} | {result.readings:,} | {result.files} | {result.landed:.2f} "
                f"| {result.compacted:.2f} |",
                flush=True,
            )
    print(flush=True)


def running_day(folder: Path, share: float, batch_s: int = 1) -> None:
    """Both recordings, as the lake has them before their day is over."""
    print(f"A batch every {batch_s} s, a landing a minute, a round of maintenance an hour.\n")
    print("| recording at 1 Hz | readings | files | B/reading before a round | after it |")
    print("|---|---|---|---|---|")
    for name, recording in (("pump rig", rig()), ("host metrics", host())):
        if recording is not None:
            some = recording.first(round(len(recording.times) * share))
            result = run_running_day(folder / name, some, batch_s=batch_s)
            print(
                f"| {name} | {result.readings:,} | {result.files} | {result.landed:.2f} "
                f"| {result.compacted:.2f} |",
                flush=True,
            )
    print(flush=True)


def merging(folder: Path, landings: int, level: int = 3) -> None:
    """One day, a quarter of it, a sixteenth."""
    print("| readings of the day | files | B/reading before | after | CPU us a reading | peak MB |")
    print("|---|---|---|---|---|---|")
    for part in (16, 4, 1):
        result = run_merging(
            folder / str(part),
            landings=max(2, landings // part),
            devices=20,
            steps=625,
            level=level,
        )
        print(
            f"| {result.readings:,} | {result.files} | {result.before:.2f} | {result.after:.2f} "
            f"| {result.cpu_us_per_reading:.2f} | {result.peak_mb} |",
            flush=True,
        )
    print(flush=True)


def knowing(folder: Path, readings_of_day: int) -> None:
    """One day, a quarter of it, a sixteenth; and what has landed, folded in."""
    print(
        "| readings of the day | series | series counted, CPU us a reading | judged | peak MB | headrace catalog, CPU s |"
    )
    print("|---|---|---|---|---|---|")
    for part in (16, 4, 1):
        result = run_knowing(folder / f"knowing-{part}", readings_of_day=readings_of_day // part)
        print(
            f"| {result.readings:,} | {result.series:,} | {result.counting_us:.3f} | {result.judging_us:.2f} "
            f"| {result.judging_mb} | {result.catalog_cpu_s:.2f} |",
            flush=True,
        )
    us = run_folding(folder / "folding", landings=20, rows=100_000)
    print(f"\nFolding in what landed: {us:.3f} us a reading.\n", flush=True)
    whole, *late = run_late(
        folder / "late", readings_of_day=readings_of_day // 4, devices=(1, 10, 100, 1_000)
    )
    told = ", ".join(f"{seconds:.2f}" for seconds in late)
    print(
        f"Quality, CPU s: the day {whole:.2f}; 1, 10, 100, 1,000 of 1,000 devices late: {told}.\n",
        flush=True,
    )


def commits(folder: Path, count: int, *, is_maintained: bool = True) -> None:
    """All of them, a quarter, a sixteenth."""
    print(
        "| commits | CPU ms, first | last | files | snapshots | metadata files | maintenance, CPU s |"
    )
    print("|---|---|---|---|---|---|---|")
    for part in (16, 4, 1):
        result = run_commits(
            folder / str(part), commits=max(120, count // part), is_maintained=is_maintained
        )
        print(
            f"| {result.commits:,} | {result.first_ms:.1f} | {result.last_ms:.1f} | {result.files} "
            f"| {result.snapshots} | {result.metadata_files} | {result.maintenance_cpu_s:.1f} |",
            flush=True,
        )
    print(flush=True)


def landing(folder: Path, share: float, *, on_s3: bool = False) -> None:
    """Three sizes; the largest is some 20 s of work."""
    print(
        "| readings | **readings/s** | s landing, registering | CPU s per million | of the store's server "
        "| peak MB | B/reading |"
    )
    print("|---|---|---|---|---|---|---|")
    for millions in (4, 16, 64):
        place = folder / str(millions)
        place.mkdir()
        result = run_landing(place, readings=round(millions * 1_000_000 * share), on_s3=on_s3)
        landed, server = result.landed, result.server
        million = landed.readings / 1e6
        print(
            f"| {landed.readings:,} | {landed.readings_per_s:,.0f} | {landed.landing_s:.2f}, "
            f"{landed.seconds - landed.landing_s:.2f} | {landed.cpu_s / million:.3f} "
            f"| {f'{server.cpu_s / million:.3f}' if server else '-'} | {landed.peak_mb:.0f} "
            f"| {result.bytes_per_reading:.2f} |",
            flush=True,
        )
        shutil.rmtree(place)  # a journal and a lake of the largest take 700 MB
    print(flush=True)
