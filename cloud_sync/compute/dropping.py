"""Dropping a computed table: from the catalogue, with its files, and with what killed runs have left of it."""

from __future__ import annotations

from cloud_sync.compute.table import is_computed, load
from cloud_sync.maintain import records
from cloud_sync.maintain.sweep import Ages, sweep
from headrace.clock import Clock, SystemClock
from headrace.errors import UsageError
from headrace.lake.catalogue import NAMESPACE, catalogue_errors, exists, open_catalogue
from headrace.lake.config import Lake
from headrace.lake.opening import open_store


def drop(lake: Lake, name: str, clock: Clock | None = None) -> None:
    """Remove a computed table.

    Raises:
        UsageError: there is none of that name, or it is none that was computed.
        LakeError: store or catalogue failed; what is left goes when it is called again, or is of no harm.
    """
    catalogue = open_catalogue(lake) if exists(lake) else None
    table = None if catalogue is None else load(catalogue, name)
    if catalogue is None or table is None:
        raise UsageError(f"no table {NAMESPACE}.{name}", hint="see cloud-sync compute status")
    if not is_computed(table):
        raise UsageError(
            f"table {NAMESPACE}.{name} was not computed",
            hint="only a table that can be made again is dropped",
        )
    store, uuid = open_store(lake), str(table.metadata.table_uuid)
    now_us = (clock or SystemClock()).now_us()
    sweep(store, table, Ages(now_us=now_us, grace_us=0, orphan_us=0))
    with catalogue_errors(f"drop the table {name}"):
        catalogue.purge_table((NAMESPACE, name))
    for record in records.all_of(store, name):
        if record.table_uuid == uuid:
            store.delete(record.path)
