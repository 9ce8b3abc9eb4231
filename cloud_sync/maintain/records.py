"""What a rewriting is about to do, written down before it does it.

::

    maintenance/<table>/<job>.json     in the lake's store

A record names the files that go and where those that come will lie. It is put before the first file is
written, and stays until nobody needs either kind: so what a kill leaves behind is known by name, and
nothing is ever deleted because a listing looked odd. A landed file is touched only when the record of a
committed rewriting names it, or one of landings that nobody needs (``landings``); what a lander is writing, or what
is not registered yet, stands in none.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Final

import msgspec
from pyiceberg.table import Table

from cloud_sync.maintain.runs import job_name
from headrace.errors import LakeError
from headrace.lake.store import Store

PREFIX: Final = "maintenance"


class Record(msgspec.Struct, frozen=True):
    """One rewriting. ``free_since_us``: since when no snapshot names the files that went; 0: not seen yet."""

    job: str
    table: str
    table_uuid: str
    partition: str
    gone: tuple[str, ...]
    folder: str
    is_dense: bool = False
    free_since_us: int = 0

    @property
    def path(self) -> str:
        return f"{PREFIX}/{self.table}/{self.job}.json"


def removal(table: Table, uris: Iterable[str], now_us: int) -> Record:
    """Of files that go while none come."""
    return Record(
        job_name(now_us, secrets.token_hex(4)), table.name()[-1], str(table.metadata.table_uuid), "",
        tuple(uris), table.location_provider().new_data_location("removed"),
    )  # fmt: skip


def put(store: Store, record: Record) -> None:
    """Write it down, or anew."""
    store.put(record.path, msgspec.json.encode(record))


def all_of(store: Store, table: str) -> list[Record]:
    """The records of a table, oldest first.

    Raises:
        LakeError: one is not readable.
    """
    found: list[Record] = []
    for path in store.names(f"{PREFIX}/{table}"):
        payload = store.get(path)
        if payload is None:
            continue
        try:
            found.append(msgspec.json.decode(payload, type=Record))
        except msgspec.MsgspecError as error:
            raise LakeError(
                f"{path}: not a record of maintenance: {error}", hint="a newer version wrote it?"
            ) from error
    return found
