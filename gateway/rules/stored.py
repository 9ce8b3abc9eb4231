"""What of the rules survives a restart: pending and firing alerts, and which devices exist."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from gateway.rules.evaluate import Tracked
from gateway.rules.machine import Active

#: How keys of a consumer's state begin.
ALERT_KEY: Final = "alert:"
DEVICE_KEY: Final = "device:"

#: (rule, device, series); series is empty for silence.
Key = tuple[str, str, str]


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    """An active alert as it is written down."""

    rule: str
    device: str
    series: str
    judged: int
    state: Literal["pending", "firing"]
    started: int
    false_since: int | None


def load_alert(value: bytes) -> tuple[Key, Tracked]:
    """What ``store_alert`` wrote."""
    stored = msgspec.msgpack.decode(value, type=_Stored)
    active = Active(stored.state, stored.started, stored.false_since)
    return (stored.rule, stored.device, stored.series), Tracked(stored.judged, active)


def store_alert(key: Key, judged: int, active: Active) -> bytes:
    """One alert."""
    stored = _Stored(*key, judged, active.state, active.started, active.false_since)
    return msgspec.msgpack.encode(stored)


def alert_key(key: Key) -> str:
    """Under which it is kept. JSON, because a series name may hold any separator one could think of."""
    return ALERT_KEY + msgspec.json.encode(key).decode()
