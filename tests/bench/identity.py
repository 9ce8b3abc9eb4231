"""What it costs to tell readings that come again after a lost disk: bytes in manifests, CPU of registering.

``python -m tests.bench.identity [--readings N]`` prints one row per fleet, of N readings each (1 million): so
many devices, with one batch each in a landing. Pure CPU and bytes, so it does not matter what else runs.

- ``manifest``: its bytes with and without the names, and what the names are of the data files
- ``name``: CPU of writing down which readings a landing brings
- ``page``: bytes of a journal's ledger
- ``compare``: CPU of holding a landing against another journal that has brought none of it
- ``rewrite``: the same where half of it comes again, files read and written again
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from cloud_sync.lake.ledger import Brought, Ledger
from cloud_sync.lake.once import Once
from cloud_sync.landing.identity import seen
from cloud_sync.landing.parquet import encode_days
from headrace.journal import JournalReader
from headrace.lake.manifests import read_manifest, unregistered
from headrace.lake.store import LocalStore
from headrace.landing import Manifest, encode, watermark_key
from tests.journals import Journal, readings
from tests.lakes import pipeline, settings

FLEETS = (10, 100, 1_000, 10_000)
OTHER = ("test", "00000000000000ff")
HEADER = (
    "| devices | manifest B | of it names B | of data | name s | page B | compare s | rewrite s |\n"
    "|---|---|---|---|---|---|---|---|"
)


def cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    done = work()
    return time.process_time() - began, done


def land(folder: Path, devices: int, total: int) -> tuple[Manifest, float]:
    """One landing of that many devices; its manifest, and the CPU seconds of naming what it brings."""
    journal = Journal(folder / "gateway" / "journal.db")
    for number in range(devices):
        rows = readings(total // devices, series=10, seed=number)
        journal.append(f"pump-{number:05}", rows, stream=f"{number:016x}")
    journal.close()
    pipeline(settings(folder)).land()
    store = LocalStore(settings(folder).lake.folder)
    (manifest,) = [read_manifest(store, name) for name in unregistered(store, {})]
    with JournalReader(journal.path) as reader:
        rows = reader.read(0, max_rows=10**9, max_bytes=2**31)
    return manifest, cpu(lambda: seen(rows, ()))[0]


def run(devices: int, total: int) -> str:
    """A row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        manifest, naming_s = land(Path(folder), devices, total)
        store = LocalStore(settings(Path(folder)).lake.folder)
        size = len(encode(manifest))
        names = size - len(encode(msgspec.structs.replace(manifest, seen=())))
        marks = {watermark_key(manifest.site, manifest.journal): 0, watermark_key(*OTHER): 1}
        costs = []
        for shift in (total, total // devices // 2):
            other = Brought(last=1)
            other.add(
                msgspec.structs.replace(
                    each, ranges=tuple((a + shift, b + shift) for a, b in each.ranges)
                )
                for each in manifest.seen or ()
            )
            page = msgspec.json.encode(other.page())
            store.put(f"ledger/site={OTHER[0]}/journal={OTHER[1]}.json", page)
            once = Once(store, Ledger(store), encode_days)
            used, chosen = cpu(lambda once=once: once.only_new([manifest], marks, fail))
            costs.append(used)
        assert sum(each.rows for each in chosen) == manifest.rows // 2
    data = sum(file.bytes for file in manifest.files)
    return (
        f"| {devices:,} | {size:,} | {names:,} | {names / data:.2%} | {naming_s:.4f} | "
        f"{len(page):,} | {costs[0]:.4f} | {costs[1]:.2f} |"
    )


def fail(manifest: Manifest, error: Exception) -> None:
    raise error


@click.command()
@click.option("--readings", "total", default=1_000_000, show_default=True)
def main(total: int) -> None:
    """Names and costs, by the size of the fleet."""
    click.echo(HEADER)
    for devices in FLEETS:
        click.echo(run(devices, total))


if __name__ == "__main__":
    main()
