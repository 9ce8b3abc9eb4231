"""What ``gateway journal stat`` shows."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headrace.errors import StorageCorrupt
from headrace.journal import JournalReader
from headrace.ranges import Range, RangeSet
from headrace.words import instant

_SECOND_US = 1_000_000


def collect(path: Path, now_us: int) -> dict[str, Any]:
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
        heard = {device: last for device, _, last in reader.devices()}
        oldest = reader.received_after(0)
        return {
            "path": str(path),
            "site": reader.site,
            "journal": reader.journal_id,
            "head": head,
            "file_bytes": path.stat().st_size,
            "free_bytes": shutil.disk_usage(path.parent).free,
            "oldest": oldest,
            "age_s": None if oldest is None else max(0, now_us - oldest) / _SECOND_US,
            **_counts(reader),
            "quarantine": reader.quarantine_reasons(),
            "consumers": [
                _consumer(reader, name, offset, head, required, now_us)
                for name, offset, required in reader.cursors()
            ],
            "devices": [_device(name, streams[name], heard.get(name)) for name in sorted(streams)],
        }


def _counts(reader: JournalReader) -> dict[str, int | None]:
    try:
        return {**reader.counts(), "damaged": 0}
    except StorageCorrupt:
        # Nothing adds up over a page that cannot be read; `journal verify` says which.
        return {"batches": None, "readings": None, "payload_bytes": None, "damaged": 1}


def _consumer(
    reader: JournalReader, name: str, offset: int, head: int, required: bool, now_us: int
) -> dict[str, Any]:
    behind = reader.received_after(offset) if offset < head else None
    return {
        "consumer": name,
        "offset": offset,
        "lag": head - offset,
        "lag_s": 0.0 if behind is None else max(0, now_us - behind) / _SECOND_US,
        "required": required,
    }


def _device(name: str, streams: dict[str, RangeSet], heard: int | None) -> dict[str, Any]:
    return {
        "device": name,
        "readings": sum(ranges.count for ranges in streams.values()),
        "heard": heard,
        "gaps": {
            stream: ranges.holes_from(1)
            for stream, ranges in streams.items()
            if ranges.holes_from(1)
        },
    }


def lines(stat: dict[str, Any], *, top: int) -> list[str]:
    """The same for people; of the devices those with most readings, and all that lack some."""
    shown = [f"journal {stat['journal']} of site {stat['site']}: {stat['path']}", *_totals(stat)]
    for consumer in stat["consumers"]:
        held = "holds the journal" if consumer["required"] else "optional"
        late = f" ({consumer['lag_s']:.0f} s)" if consumer["lag"] else ""
        shown.append(
            f"  {consumer['consumer']:<24} offset {consumer['offset']}, "
            f"{consumer['lag']} batches behind{late}, {held}"
        )
    devices = sorted(stat["devices"], key=lambda device: (not device["gaps"], -device["readings"]))
    shown += [_device_line(device) for device in devices[:top]]
    if len(devices) > top:
        shown.append(f"  … and {len(devices) - top} devices more; --top N or --json shows them")
    return shown


def _totals(stat: dict[str, Any]) -> list[str]:
    quarantine = ", ".join(f"{count} {reason}" for reason, count in stat["quarantine"].items())
    holds = (
        "has pages that cannot be read: see `gateway journal verify`"
        if stat["damaged"]
        else f"{stat['batches']} batches, {stat['readings']} readings, {stat['payload_bytes']} bytes"
    )
    since = f" since {instant(stat['oldest'])}" if stat["oldest"] is not None else ""
    return [
        f"  {holds}{since}; head {stat['head']}",
        f"  file {stat['file_bytes']} bytes, {stat['free_bytes']} free on its disk",
        f"  quarantine: {quarantine or 'empty'}",
    ]


def _device_line(device: dict[str, Any]) -> str:
    heard = f", heard {instant(device['heard'])}" if device["heard"] is not None else ""
    return f"  {device['device']:<24} {device['readings']} readings, {_lacks(device)}{heard}"


def _lacks(device: dict[str, Any]) -> str:
    gaps: Sequence[Range] = [gap for ranges in device["gaps"].values() for gap in ranges]
    if not gaps:
        return "no gaps"
    named = ", ".join(f"{first}-{last}" for first, last in gaps[:5])
    return f"lacks {named}" + (f" and {len(gaps) - 5} ranges more" if len(gaps) > 5 else "")
