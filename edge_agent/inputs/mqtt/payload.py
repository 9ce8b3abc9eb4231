"""One message to readings.

A JSON object gives a reading per leaf; a number or a switch word (ON, off, true, online, open …) one
reading. Texts are readings only under the keys that ``text`` names, are passed over under those of
``exclude``, and otherwise counted: a thermometer that says "unavailable" must be seen.
"""

from __future__ import annotations

import fnmatch
from array import array
from collections.abc import Iterator
from typing import Any

from edge_agent.inputs.mqtt.known import to_known, unit_of
from edge_agent.inputs.mqtt.settings import TopicSettings
from edge_agent.inputs.values import Complaints, flatten, is_widened, leaf_number, parse_json
from edge_agent.readings import Run, single


def readings(
    topic: TopicSettings, names: dict[str, str], payload: bytes, time_us: int, *,
    prefix: str, complaints: Complaints,
) -> Iterator[Run]:  # fmt: skip
    """The readings of a payload; what is none goes to ``complaints``.

    Raises:
        ValueError: the payload is neither text nor JSON within the bounds.
    """
    document = _document(payload)
    for key, value in flatten(document):
        if _matches(key, topic.exclude):
            continue
        name = prefix + topic.template.name(names, key)
        unit = unit_of(key or name, topic.units)
        if _matches(key, topic.text):
            yield Run(
                name, array("q", (time_us,)), [value if isinstance(value, str) else str(value)]
            )
            continue
        found = leaf_number(value)
        if found is None:
            complaints.note(
                name,
                f"expected a number, got {str(value)[:60]!r}; name {key!r} in text or in exclude",
            )
            continue
        complaints.heal(name)
        if is_widened(value, found):
            complaints.widened(name)
        if isinstance(document, dict):
            found = to_known(found, unit, document)
        yield single(name, time_us, found, unit)


def _document(payload: bytes) -> Any:
    """A JSON document, or the payload's text."""
    text = payload.decode("utf-8").strip()
    if text[:1] not in ("{", "["):
        return text
    return parse_json(text)


def _matches(key: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)
