"""What ``gateway journal stat`` shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headrace.journal import JournalReader
from headrace.ranges import RangeSet


def collect(path: Path) -> dict[str, Any]:
    """Counts, consumers and devices of a journal file, as plain data.

    Raises:
        UsageError: there is no journal.
        StorageError: it cannot be read.
    """
    with JournalReader(path) as reader, reader.snapshot():
        head = reader.head()
        streams: dict[str, dict[str, RangeSet]] = {}
        for device, stream, first, last in reader.ranges():
            streams.setdefault(device, {}).setdefault(stream, RangeSet()).add(first, last)
        return {
            "path": str(path),
            "site": reader.site,
            "journal": reader.journal_id,
            "head": head,
            "file_bytes": path.stat().st_size,
            **reader.counts(),
            "consumers": [
                {"consumer": name, "offset": offset, "lag": head - offset, "required": required}
                for name, offset, required in reader.cursors()
            ],
            "devices": [_device(name, streams[name]) for name in sorted(streams)],
        }


def _device(name: str, streams: dict[str, RangeSet]) -> dict[str, Any]:
    return {
        "device": name,
        "readings": sum(ranges.count for ranges in streams.values()),
        "gaps": {
            stream: ranges.holes_from(1)
            for stream, ranges in streams.items()
            if ranges.holes_from(1)
        },
    }


def lines(stat: dict[str, Any]) -> list[str]:
    """The same for people."""
    shown = [
        f"journal {stat['journal']} of site {stat['site']}: {stat['path']}",
        f"  {stat['batches']} batches, {stat['readings']} readings, {stat['file_bytes']} bytes; "
        f"head {stat['head']}; {stat['quarantined']} payloads in quarantine",
    ]
    for consumer in stat["consumers"]:
        held = "holds the journal" if consumer["required"] else "optional"
        shown.append(
            f"  {consumer['consumer']:<24} offset {consumer['offset']}, "
            f"{consumer['lag']} batches behind, {held}"
        )
    for device in stat["devices"]:
        gaps = [
            f"{first}-{last}" for ranges in device["gaps"].values() for first, last in ranges[:5]
        ]
        lacks = f"lacks {', '.join(gaps)}" if gaps else "no gaps"
        shown.append(f"  {device['device']:<24} {device['readings']} readings, {lacks}")
    return shown
