"""A message to columns, or the reason why it is refused for good. No IO."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import msgspec
import pyarrow as pa

from gateway.ingest.arrival import Arrival, Place
from headrace import codecs
from headrace.batch import is_device_id
from headrace.codecs import Decoded, many
from headrace.codecs.columns import memory_of
from headrace.derived import ALERT_PREFIX, MODEL_PREFIX, VITALS_PREFIX, is_derived
from headrace.errors import PayloadError


class Accepted(msgspec.Struct, frozen=True):
    """A batch that may be journalled: one payload, or several small ones of a device (``gather``).

    ``format`` and ``payload`` are what the journal keeps of it. ``names`` are its series; ``size`` is about
    what its columns take in memory.
    """

    arrivals: tuple[Arrival, ...]
    device: str
    format: str
    payload: bytes
    decoded: Decoded
    names: Collection[str]
    size: int

    @property
    def received_at(self) -> int:
        """When the last of it arrived, microseconds since 1970 UTC."""
        return self.arrivals[-1].received_at

    @property
    def answered(self) -> bool:
        """Whether acks go out on the device's topic."""
        return self.arrivals[0].answered

    @property
    def key(self) -> bytes | None:
        """What a repetition of it is told by, where it has no identity of its own."""
        return self.arrivals[0].key

    @property
    def places(self) -> list[Place]:
        """Where what it is made of stands in its source: one place an arrival, or none at all."""
        return [arrival.place for arrival in self.arrivals if arrival.place is not None]


class Refused(msgspec.Struct, frozen=True):
    """A payload for quarantine."""

    arrival: Arrival
    error: PayloadError

    def __post_init__(self) -> None:
        # Frames of a traceback hold the arrival, whose ``done`` may hold the error: a circle, and arrivals are
        # not looked at by the collector. Each refusal would stay in memory for ever, payload and all.
        found: BaseException | None = self.error
        while found is not None:
            found.__traceback__ = None
            found = found.__cause__ or found.__context__

    @property
    def device(self) -> str:
        """As it may be shown: whatever a stranger calls himself, it stays short."""
        return self.arrival.device[:80]

    @property
    def format(self) -> str:
        return self.arrival.format[:40]


def read(arrival: Arrival) -> Accepted | Refused:
    """Decode one payload of a device."""
    try:
        check_device(arrival.device)
        if arrival.format.endswith(many.SUFFIX):
            raise PayloadError("unknown_format", f"{arrival.format[:40]!r} is the journal's own")
        decoded = codecs.decode(arrival.format, arrival.payload, arrival.received_at)
        names = check_names(decoded.rows)
    except PayloadError as error:
        return Refused(arrival, error)
    if decoded.stream is None and arrival.stream is not None:
        decoded = replace(decoded, stream=arrival.stream, first_seq=arrival.first_seq)
    return Accepted(
        (arrival,), arrival.device, arrival.format, arrival.payload, decoded, names,
        memory_of(decoded.rows),
    )  # fmt: skip


def check_device(device: str) -> None:
    """Raises:
    PayloadError: no device may have this id.
    """
    if not is_device_id(device):
        raise PayloadError(
            "bad_topic",
            f"device id {device[:80]!r} is not allowed",
            hint="1 to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit",
        )


def check_names(rows: pa.RecordBatch) -> list[str]:
    """The names, none of which is the gateway's: nobody is woken by an alert that a device made up.

    Raises:
        PayloadError: a series has one of the gateway's own names.
    """
    names: list[str] = rows.column(0).dictionary.to_pylist()
    for name in names:
        if is_derived(name):
            raise PayloadError(
                "bad_value",
                f"series {name[:80]!r}: names that begin with {MODEL_PREFIX}, {ALERT_PREFIX} or "
                f"{VITALS_PREFIX} are made by the gateway alone",
            )
    return names
