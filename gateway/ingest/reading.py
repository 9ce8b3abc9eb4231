"""A message to columns, or the reason why it is refused for good. No IO."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.ingest.inbox import Arrival
from headrace import codecs
from headrace.batch import is_device_id
from headrace.codecs import Decoded
from headrace.derived import ALERT_PREFIX, MODEL_PREFIX, VITALS_PREFIX, is_derived
from headrace.errors import PayloadError
from headrace.topics import Incoming


@dataclass(frozen=True, slots=True)
class Accepted:
    """A batch that may be journalled."""

    arrival: Arrival
    device: str
    format: str
    decoded: Decoded


@dataclass(frozen=True, slots=True)
class Refused:
    """A payload for quarantine."""

    arrival: Arrival
    device: str
    format: str
    error: PayloadError


def read(arrival: Arrival, incoming: Incoming) -> Accepted | Refused:
    """Decode one message of a device."""
    try:
        if not is_device_id(incoming.device):
            raise PayloadError(
                "bad_topic",
                f"device id {incoming.device[:80]!r} is not allowed",
                hint="1 to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit",
            )
        decoded = codecs.decode(incoming.format, arrival.payload, arrival.received_at)
        _check_names(decoded)
    except PayloadError as error:
        return Refused(arrival, incoming.device[:80], incoming.format[:40], error)
    return Accepted(arrival, incoming.device, incoming.format, decoded)


def _check_names(decoded: Decoded) -> None:
    """A device must not speak for the gateway: nobody is woken by an alert that it made up."""
    for name in decoded.rows.column("name").dictionary.to_pylist():
        if is_derived(name):
            raise PayloadError(
                "bad_value",
                f"series {name[:80]!r}: names that begin with {MODEL_PREFIX}, {ALERT_PREFIX} or "
                f"{VITALS_PREFIX} are made by the gateway alone",
            )
