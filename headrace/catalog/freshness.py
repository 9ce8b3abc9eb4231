"""How fresh the lake is, site by site: what is registered, what has landed, what has arrived.

From small things alone: the newest reading of each series (``headrace.lake.latest``), the manifests behind it, and
the journal where it is on this machine. When readings of other sites arrive is known when they have landed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pyarrow as pa
from pyiceberg.catalog import Catalog

from headrace.errors import LakeError, LakeUnavailable
from headrace.journal import JournalReader
from headrace.lake.catalogue import load_readings
from headrace.lake.config import Lake
from headrace.lake.latest import load
from headrace.lake.manifests import read_manifest, unregistered, watermark_of, watermarks
from headrace.lake.opening import open_store
from headrace.lake.store import Store
from headrace.landing import ManifestName, parse_watermark_key


class Site(msgspec.Struct, frozen=True):
    """One site.

    ``registered``: the time of the newest reading in the table. ``received``: when the newest of its readings arrived, as
    far as that is known here. ``landed``: when it landed something last. ``waiting``: landed readings that are not
    registered.
    """

    site: str
    registered: datetime | None
    received: datetime | None
    landed: datetime | None
    waiting: int


@dataclass(slots=True)
class _Found:
    registered_us: int = 0
    received_us: int = 0
    landed_us: int = 0
    waiting: int = 0


def freshness(lake: Lake, journal: Path | None, catalogue: Catalog | None) -> list[Site]:
    """All sites, in order.

    Raises:
        LakeError: store or catalogue do not answer. StorageError: the journal cannot be read.
    """
    store = open_store(lake)
    state = load(store)
    table = load_readings(catalogue) if catalogue is not None else None
    marks = watermarks(table.properties) if table is not None else {}
    found = {parse_watermark_key(key)[0]: _Found() for key in marks}
    if state is not None:
        _of_state(found, state.rows)
    for name in unregistered(store, state.marks if state is not None else marks):
        _of_landing(found.setdefault(name.site, _Found()), store, name, marks)
    if journal is not None and journal.exists():
        _of_journal(found, journal)
    return [
        Site(site, _moment(each.registered_us), _moment(each.received_us), _moment(each.landed_us), each.waiting)
        for site, each in sorted(found.items())
    ]  # fmt: skip


def _of_state(found: dict[str, _Found], rows: pa.Table) -> None:
    newest = rows.group_by("site").aggregate([("time", "max"), ("received", "max")])
    for column in ("time_max", "received_max"):
        place = newest.schema.get_field_index(column)
        newest = newest.set_column(place, column, newest.column(column).cast(pa.int64()))
    for each in newest.to_pylist():
        own = found.setdefault(each["site"], _Found())
        own.registered_us, own.received_us = each["time_max"], each["received_max"]


def _of_landing(own: _Found, store: Store, name: ManifestName, marks: Mapping[str, int]) -> None:
    """A damaged manifest says nothing: the registrar has it in hand."""
    try:
        manifest = read_manifest(store, name)
    except LakeUnavailable:
        raise
    except LakeError:
        return
    own.landed_us = max(own.landed_us, manifest.landed_at)
    if name.last > watermark_of(marks, name):
        own.waiting += manifest.rows
    else:
        times = [file.max_time for file in manifest.files]
        own.registered_us = max([own.registered_us, *times])


def _of_journal(found: dict[str, _Found], journal: Path) -> None:
    with JournalReader(journal) as reader:
        own = found.setdefault(reader.site, _Found())
        # What was pruned stands with the devices.
        arrived = [
            reader.received_after(reader.head() - 1) or 0,
            *(at for *_, at in reader.devices()),
        ]
    own.received_us = max([own.received_us, *arrived])


def _moment(us: int) -> datetime | None:
    return datetime.fromtimestamp(us / 1e6, UTC) if us else None
