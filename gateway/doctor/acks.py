"""With ``ack_after = "lake"``: whether what devices wait for gets on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.acks import CURSOR
from gateway.config import GatewayConfig
from gateway.doctor.finding import Finding, ok, warn
from headrace.errors import HeadraceError
from headrace.journal import LAKE, REGISTERED, JournalReader

#: Seconds that a batch may wait: two intervals of landing and registering, and some more.
_LATE_S: Final = 300


def check(config: GatewayConfig, now_us: int) -> Iterator[Finding]:
    """Where the batches stand that devices still keep."""
    if config.journal.ack_after != "lake" or not config.journal_path.exists():
        return
    try:
        with JournalReader(config.journal_path) as reader:
            cursors = {name: offset for name, offset, _ in reader.cursors()}
            head = reader.head()
            oldest = reader.received_after(cursors.get(REGISTERED, 0))
    except HeadraceError:
        return  # said of the journal already
    waiting = head - cursors.get(REGISTERED, 0)
    waiting_s = 0 if oldest is None or not waiting else (now_us - oldest) // 1_000_000
    said = (
        f"{waiting} batches are not registered ({waiting_s} s), "
        f"{cursors.get(REGISTERED, 0) - cursors.get(CURSOR, 0)} not told"
    )
    if waiting_s <= _LATE_S:
        yield ok("acks", said)
    elif cursors.get(LAKE, 0) < head:
        yield warn("acks", said, "devices keep all of it: is cloud-sync running, and can it land?")
    else:
        yield warn(
            "acks", said,
            "all has landed: is a registrar running, and may this site read its receipts?",
        )  # fmt: skip
