"""``gateway gaps``: which readings each device lacks, by stream and number."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import click
import msgspec

from gateway.commands.options import config_option, json_option, load
from headrace.commands import reports_errors
from headrace.journal import JournalReader
from headrace.ranges import Range, RangeSet

#: Device, stream, and the ranges that are missing.
Gaps = Mapping[str, Mapping[str, list[Range]]]


def collect(journal: Path, device: str = "*") -> Gaps:
    """The gaps in front of the newest reading of each stream, of devices that match a glob.

    Raises:
        UsageError: there is no journal.
    """
    seen: dict[tuple[str, str], RangeSet] = {}
    with JournalReader(journal) as reader:
        own = reader.own_streams()
        for name, stream, first, last in reader.ranges():
            # Streams without a device are those of sources, where a gap is no reading.
            if name and stream not in own and fnmatchcase(name, device):
                seen.setdefault((name, stream), RangeSet()).add(first, last)
    found: dict[str, dict[str, list[Range]]] = {}
    for (name, stream), ranges in seen.items():
        if holes := ranges.holes_from(1):
            found.setdefault(name, {})[stream] = holes
    return found


def lines(found: Gaps) -> list[str]:
    """The same for people."""
    shown = []
    for device, streams in found.items():
        for stream, holes in streams.items():
            missing = sum(last - first + 1 for first, last in holes)
            named = ", ".join(f"{first}-{last}" for first, last in holes)
            shown.append(f"{device} lacks {missing} readings of stream {stream}: {named}")
    return shown or ["no gaps"]


@click.command()
@config_option
@json_option
@click.option("--device", default="*", help="Only devices that match this glob.")
@reports_errors
def gaps(config_path: Path, as_json: bool, device: str) -> None:
    """Name the readings that were numbered and never arrived.

    A gap is closed when the device sends it after all; one that stays was lost at the device, or
    refused and is in quarantine.

    \b
    Example:
      gateway gaps --device 'pump-*' --json
    """
    found: Any = collect(load(config_path).journal_path, device)
    click.echo(msgspec.json.encode(found) if as_json else "\n".join(lines(found)))
