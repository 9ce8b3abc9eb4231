"""A site whose gateway loses its disk: one journal after the other at the same place, devices that send again."""

from __future__ import annotations

import zlib
from pathlib import Path

import pyarrow as pa

from cloud_sync.landing.parquet import DAY_US
from headrace.lake.catalogue import load_readings, open_catalogue
from headrace.lake.config import Lake
from tests.journals import START_US, Journal, batch
from tests.lakes import Identity

#: Readings of one batch here; every second batch of a device is of the next day.
BATCH = 10


class Site:
    """Its journal; ``lose_disk`` takes it away, with all that has not landed."""

    def __init__(self, folder: Path, name: str = "harbour") -> None:
        self.path = folder / "gateway" / "journal.db"
        self.name = name
        self.journal = Journal(self.path, site=name)

    def lose_disk(self) -> None:
        self.journal.close()
        for file in self.path.parent.iterdir():
            file.unlink()
        self.journal = Journal(self.path, site=self.name)

    def send(self, device: str, first: int, count: int = 1) -> set[Identity]:
        """A device's batches number ``first`` and following, as it has them in its buffer."""
        stream = f"{zlib.crc32(device.encode()):016x}"
        names: set[Identity] = set()
        for number in range(first, first + count):
            self.journal.seqs[device, stream] = number * BATCH
            self.journal.append(device, content(number), stream=stream)
            names |= {(device, stream, number * BATCH + at) for at in range(1, BATCH + 1)}
        return names


def content(number: int) -> pa.RecordBatch:
    """Batch ``number``: what it holds follows from its number, so a repetition is equal."""
    start = START_US + (number % 2) * DAY_US + number * 1_000_000
    values = [number + at / 100 for at in range(BATCH)]
    return batch(["level"] * BATCH, [start + at for at in range(BATCH)], values)


def registered(lake: Lake) -> pa.Table:
    """What is in the table, and nothing that has only landed."""
    table = load_readings(open_catalogue(lake))
    fields = ("device", "stream", "seq", "value")
    if table is None:
        return pa.table({name: [] for name in fields})
    return table.scan(selected_fields=fields).to_arrow()


def names(lake: Lake) -> list[Identity]:
    """The names of all registered readings, in order, each as often as it is there."""
    found = registered(lake).to_pydict()
    return sorted(zip(found["device"], found["stream"], found["seq"], strict=True))
