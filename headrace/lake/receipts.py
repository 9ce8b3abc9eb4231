"""What a registrar tells a site: how far a journal of the site's is registered.

::

    receipts/site=<site>/journal=<id>.json    {"registered": <journal offset>, "version": 1}

The registrar writes it after its commit, and the site reads it: one small object below a prefix where it needs
to write nothing, so no site has to see the table or its catalogue, and none can deceive its devices. It may be
older than the table's watermark, never newer: what it says is registered
(docs/decisions/0021-acks-and-identity-at-the-lake.md).
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from headrace.errors import LakeError
from headrace.lake.store import Store

PREFIX: Final = "receipts"


class Receipt(msgspec.Struct, frozen=True):
    """The last offset of a journal that is in the table."""

    registered: Annotated[int, msgspec.Meta(ge=0)]
    version: int = 1


def receipt_path(site: str, journal: str) -> str:
    """Below the prefix that a site's cloud-sync needs to read."""
    return f"{PREFIX}/site={site}/journal={journal}.json"


def read_receipt(store: Store, site: str, journal: str) -> int:
    """The last offset that the registrar has told; 0 before the first.

    Raises:
        LakeError: the object is not a receipt.
    """
    path = receipt_path(site, journal)
    payload = store.get(path)
    if payload is None:
        return 0
    try:
        return msgspec.json.decode(payload, type=Receipt).registered
    except msgspec.MsgspecError as error:
        raise LakeError(
            f"{path}: not what a registrar writes: {error}",
            hint="delete it: the registrar writes it again when it starts",
        ) from error


def write_receipt(store: Store, site: str, journal: str, registered: int) -> None:
    """Tell the site; replaces what was told before."""
    store.put(receipt_path(site, journal), msgspec.json.encode(Receipt(registered)))
