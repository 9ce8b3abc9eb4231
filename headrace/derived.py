"""Readings that the gateway makes of readings: model scores and alerts, and how they are called.

A score is a reading named ``model/<model>/score`` of the device that it judges; an alert transition
is a reading named ``alert/<rule>`` whose text is an ``Alert`` as JSON. What the gateway says of its
own state is named ``gateway/<what>``. All are journalled, landed and queried like everything else;
the prefixes are what tells them apart.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from headrace.errors import PayloadError

MODEL_PREFIX: Final = "model/"
ALERT_PREFIX: Final = "alert/"
DEVICE_MODEL_PREFIX: Final = "edge-model/"
VITALS_PREFIX: Final = "gateway/"

#: A series that changed its type or unit (gateway/schema): text, JSON.
SCHEMA_NAME: Final = VITALS_PREFIX + "schema"

#: ``inactive`` ends a pending alert that never fired; ``resolved`` ends one that did.
AlertState = Literal["pending", "firing", "resolved", "inactive"]
Severity = Literal["info", "warning", "critical"]


class Alert(msgspec.Struct, frozen=True):
    """One transition of an alert; times are microseconds since 1970 UTC.

    ``value`` is the reading's value at the transition, for silence the seconds without a batch.
    """

    state: AlertState
    severity: Severity
    series: str
    started: int
    ended: int | None = None
    value: float | None = None
    summary: str = ""


def score_name(model: str) -> str:
    """The series of a model's scores."""
    return f"{MODEL_PREFIX}{model}/score"


def relative_name(model: str) -> str:
    """The series of a model's scores over the threshold of the version that gave them."""
    return f"{MODEL_PREFIX}{model}/relative"


def event_name(model: str) -> str:
    """The series of what happens to a model's versions: text, JSON."""
    return f"{MODEL_PREFIX}{model}/event"


def device_score_name(model: str) -> str:
    """The series of the scores that a device gives itself; ``model/`` is the gateway's."""
    return f"{DEVICE_MODEL_PREFIX}{model}/score"


def device_relative_name(model: str) -> str:
    """The same over the threshold."""
    return f"{DEVICE_MODEL_PREFIX}{model}/relative"


def device_event_name(model: str) -> str:
    """What happens to versions at a device."""
    return f"{DEVICE_MODEL_PREFIX}{model}/event"


def alert_name(rule: str) -> str:
    """The series of a rule's transitions."""
    return ALERT_PREFIX + rule


def is_derived(name: str) -> bool:
    """Whether a series of that name was made by a gateway."""
    return name.startswith((MODEL_PREFIX, ALERT_PREFIX, VITALS_PREFIX))


def encode_alert(alert: Alert) -> str:
    """The text of an alert reading."""
    return msgspec.json.encode(alert).decode()


def decode_alert(text: str) -> Alert:
    """The alert that a reading's text says.

    Raises:
        PayloadError: it is not one.
    """
    try:
        return msgspec.json.decode(text, type=Alert)
    except msgspec.MsgspecError as error:
        raise PayloadError("bad_schema", f"not an alert: {error}: {text[:120]!r}") from error
