"""What is not among the readings: landings that were given up, and payloads that gateways refused.

The first stand in ``quarantine/`` (``headrace.resend``). The second are known here where the raw zone keeps payloads
(``[raw]``): elsewhere the gateway itself knows them (``gateway quarantine ls``).
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from headrace.errors import LakeError
from headrace.lake.config import Lake
from headrace.lake.opening import arrow_filesystem, arrow_path, open_store
from headrace.lake.store import Store
from headrace.landing import parse_manifest_name
from headrace.limits.quality import REPORT_MAX_REFUSED
from headrace.quality.table import Days
from headrace.resend import QUARANTINE_PREFIX, Quarantined

_RAW: Final = "raw"
_DAY: Final = re.compile(r"/day=(\d{4}-\d{2}-\d{2})$")


class GivenUp(msgspec.Struct, frozen=True):
    """A landing of which something is not in the table."""

    site: str
    first: int
    last: int
    readings: int | None
    why: str


class Payloads(msgspec.Struct, frozen=True):
    """Payloads that a gateway refused on a day, by device and reason."""

    day: date
    site: str
    device: str
    reason: str
    payloads: int


class Refused(msgspec.Struct, frozen=True):
    """Both; ``is_raw_kept``: whether refused payloads can be known here."""

    given_up: tuple[GivenUp, ...]
    payloads: tuple[Payloads, ...]
    is_raw_kept: bool


def load(lake: Lake, days: Days) -> Refused:
    """What there is; of payloads that of the days.

    Raises:
        LakeUnavailable: the store does not answer.
    """
    store = open_store(lake)
    folders = [
        day
        for site in store.folders(_RAW)
        for journal in store.folders(site)
        for day in store.folders(journal)
    ]
    payloads = [each for folder in folders for each in _payloads(lake, store, folder, days)]
    return Refused(tuple(_given_up(store)), tuple(payloads[:REPORT_MAX_REFUSED]), bool(folders))


def _given_up(store: Store) -> list[GivenUp]:
    paths = [
        path
        for site in store.folders(QUARANTINE_PREFIX)
        for journal in store.folders(site)
        for path in store.names(journal)
    ]
    found = [_read(store, path) for path in paths[:REPORT_MAX_REFUSED]]
    return [each for each in found if each is not None]


def _read(store: Store, path: str) -> GivenUp | None:
    name, payload = parse_manifest_name(path), store.get(path)
    if name is None or payload is None:
        return None
    try:
        said = msgspec.json.decode(payload, type=Quarantined)
    except msgspec.MsgspecError as error:
        said = Quarantined(f"{path} is not readable: {error}", "")
    return GivenUp(name.site, name.first, name.last, said.rows, said.why)


def _payloads(lake: Lake, store: Store, folder: str, days: Days) -> list[Payloads]:
    match = _DAY.search(folder)
    day = date.fromisoformat(match[1]) if match else None
    if day is None or not days.first <= day <= days.last:
        return []
    site = folder.partition("site=")[2].partition("/")[0]
    found: list[Payloads] = []
    for path in store.names(folder):
        if path.rpartition("/")[2].startswith("quarantine-"):
            counts = _counts(arrow_filesystem(lake), arrow_path(store.uri(path)))
            found += [
                Payloads(day, site, each["device"] or "", each["reason"] or "", each["count_all"])
                for each in counts
            ]
    return found


def _counts(files: Any, path: str) -> list[dict[str, Any]]:
    try:
        with files.open_input_file(path) as source:
            rows = pq.read_table(source, columns=["device", "reason"])
    except (OSError, pa.ArrowException) as error:
        raise LakeError(f"{path}: cannot be read: {error}") from error
    counted: list[dict[str, Any]] = (
        rows.group_by(["device", "reason"]).aggregate([([], "count_all")]).to_pylist()
    )
    return counted
