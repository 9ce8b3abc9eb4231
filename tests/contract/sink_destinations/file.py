"""Files: "away" is a folder that cannot be made; what is in the part counts, as a reader will see it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.sinks.file import PLUGIN, FileSettings
from tests.contract.sink_destinations import Destination


def make(folder: Path) -> Destination:
    # A file where the disk should be mounted: nobody can make a folder in it, root neither.
    disk = folder / "disk"
    away = folder / "not mounted"
    folder.mkdir()
    away.mkdir()
    disk.write_text("")
    sink = PLUGIN.build(FileSettings(folder=disk / "readings"), site="s")

    def count() -> int:
        parts = [*(disk / "readings").glob("*.ndjson"), disk / "readings" / ".headrace" / "part"]
        return sum(len(lines(part)) for part in parts if part.exists())

    @contextmanager
    def up() -> Iterator[Callable[[], int]]:
        disk.unlink()
        away.rename(disk)
        try:
            yield count
        finally:
            sink.close()
            disk.rename(away)
            disk.write_text("")

    return Destination(sink, up)


def lines(path: Path) -> list[object]:
    """The readings of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]
