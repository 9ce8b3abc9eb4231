"""``python -m tests.bench.lake``: one of them, in the size that is wanted."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from tests.bench.lake import printed


@click.group()
def main() -> None:
    """Measure the lake."""


@main.command()
@click.option("--landing-s", default=600, help="Seconds between two landings.")
@click.option("--batch-s", default=1, help="Seconds of readings in a batch.")
def sizes(landing_s: int, batch_s: int) -> None:
    """Bytes per reading, landed and compacted, of the recordings."""
    _in_folder(lambda folder: printed.sizes(folder, 1.0, landing_s, batch_s))


@main.command("running-day")
@click.option("--batch-s", default=1, help="Seconds of readings in a batch.")
def running_day(batch_s: int) -> None:
    """Bytes per reading before the day is over."""
    _in_folder(lambda folder: printed.running_day(folder, 1.0, batch_s))


@main.command()
@click.option("--s3", "on_s3", is_flag=True, help="On SeaweedFS instead of a folder.")
@click.option("--share", default=1.0, help="Of the 4, 16 and 64 million readings.")
def landing(on_s3: bool, share: float) -> None:
    """From the journal into the table: readings a second, CPU and memory."""
    _in_folder(lambda folder: printed.landing(folder, share, on_s3=on_s3))


@main.command()
@click.option("--landings", default=160, help="Landings of the day, of 100,000 readings each.")
@click.option("--level", default=3, help="zstd level of the dense files.")
def merging(landings: int, level: int) -> None:
    """CPU and memory of a compaction."""
    _in_folder(lambda folder: printed.merging(folder, landings, level))


@main.command()
@click.option("--readings", default=16_000_000, help="Of the largest day.")
def knowing(readings: int) -> None:
    """Series, quality and the catalogue: CPU and memory."""
    _in_folder(lambda folder: printed.knowing(folder, readings))


@main.command()
@click.option("--commits", default=10_000)
@click.option("--unmaintained", is_flag=True, help="To see what maintenance is for.")
def commits(commits: int, unmaintained: bool) -> None:
    """The time of a commit after many."""
    _in_folder(lambda folder: printed.commits(folder, commits, is_maintained=not unmaintained))


def _in_folder(run: object) -> None:
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        run(Path(folder))  # type: ignore[operator]


if __name__ == "__main__":
    main()
