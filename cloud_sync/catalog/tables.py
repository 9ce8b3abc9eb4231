"""Opening or making the tables that Headrace computes beside ``readings``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table

from headrace.catalog.evolution import VERSION_KEY, columns_properties, evolve
from headrace.catalog.schemas import QUALITY_COLUMNS, QUALITY_PARTITIONS, SERIES_COLUMNS
from headrace.errors import LakeError
from headrace.lake.catalogue import NAMESPACE, catalogue_errors, create_table
from headrace.lake.config import Lake

_KINDS: Final[Mapping[str, tuple[Schema, PartitionSpec]]] = {
    "series": (SERIES_COLUMNS, UNPARTITIONED_PARTITION_SPEC),
    "quality": (QUALITY_COLUMNS, QUALITY_PARTITIONS),
}

_PROPERTIES: Final = {
    # Whoever commits looks first whether the files it replaces are still there (cloud_sync.maintain.iceberg).
    "commit.retry.num-retries": "0",
    # A day of quality is a file and a commit: unmerged, each reader would open a manifest a day.
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": "10",
    # Nested columns have no statistics.
    "write.metadata.metrics.column.hours.element": "none",
    "write.metadata.metrics.column.tags.key": "none",
    "write.metadata.metrics.column.tags.value": "none",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}


def find(catalogue: Catalog, name: str) -> Table | None:
    """The table as it is; None before it was made."""
    with catalogue_errors(f"load the table {name}"):
        try:
            return catalogue.load_table((NAMESPACE, name))
        except (NoSuchTableError, NoSuchNamespaceError):
            return None


def open_or_make(catalogue: Catalog, lake: Lake, name: str) -> Table:
    """The table, with the columns that this version writes.

    Raises:
        LakeError: there is a table of that name which is not ours, or of a version that this program must not
            write to.
    """
    table = find(catalogue, name) or _make(catalogue, lake, name)
    if VERSION_KEY not in table.properties:
        raise LakeError(
            f"table {NAMESPACE}.{name} is not of Headrace, which keeps one of that name: it has no property "
            f"{VERSION_KEY}",
            hint="rename it; nothing of it was touched",
        )
    if evolve(table, _KINDS[name][0]):
        with catalogue_errors(f"load the table {name}"):
            table.refresh()
    return table


def _make(catalogue: Catalog, lake: Lake, name: str) -> Table:
    schema, partitions = _KINDS[name]
    return create_table(
        catalogue, lake, (NAMESPACE, name), schema,
        partition_spec=partitions, properties=_PROPERTIES | columns_properties(name),
    )  # fmt: skip
