"""What a source says, as readings: numbers from texts, and a count of what is no reading.

Shared by the inputs that read words of the outside world (files, messages, commands). A value that
cannot be read is counted under ``unreadable`` with every poll and said once per series: a sensor
that is unplugged for a week must not fill the log, and one that breaks later must still be named.
"""

from __future__ import annotations

import json
import logging
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from headrace.limits.inputs import INPUT_MAX_COMPLAINTS, JSON_MAX_DEPTH, JSON_MAX_VALUES

UNREADABLE: Final = "unreadable"

#: Characters of a series name in the log and in the memory of what was said: a name may come from a
#: device, and be as long as its message.
_SAID_CHARS: Final = 200

#: Up to here every integer has a float64 of its own.
_MAX_EXACT: Final = 2**53

#: Words that stand for a switch or a door; a boolean is a reading of 0 or 1.
_WORDS: Final = {
    "on": 1.0, "off": 0.0, "true": 1.0, "false": 0.0, "online": 1.0, "offline": 0.0,
    "open": 1.0, "closed": 0.0,
}  # fmt: skip


class Complaints:
    """Counts what could not be read, by reason, and says it once per series."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._said: dict[str, set[str]] = {}
        self._counts: Counter[str] = Counter()

    def note(self, name: str, why: str, *, reason: str = UNREADABLE, count: int = 1) -> None:
        """One value (or ``count``) of a series was dropped."""
        self._counts[reason] += count
        name = name[:_SAID_CHARS]
        if name not in self._said and len(self._said) >= INPUT_MAX_COMPLAINTS:
            return
        reasons = self._said.setdefault(name, set())
        if reason not in reasons:
            reasons.add(reason)
            self._logger.warning("%s: %s; dropped and counted as %s", name, why, reason)

    def heal(self, name: str) -> None:
        """The series can be read: the next failure is news again."""
        if name[:_SAID_CHARS] in self._said:
            del self._said[name[:_SAID_CHARS]]
            self._logger.info("%s: can be read again", name)

    def take(self) -> Mapping[str, int]:
        """The counts since the last call, for ``Poll.dropped``."""
        counts, self._counts = dict(self._counts), Counter()
        return counts


def number(text: str) -> float | None:
    """A finite decimal number; None for anything else (``nan``, ``inf`` and ``1_000`` too).

    An integer that float64 cannot hold exactly is none: a counter that jumps by rounding is worse
    than one that is missing.
    """
    try:
        value = float(text)
    except ValueError:
        return None
    if not math.isfinite(value) or "_" in text:
        return None
    if abs(value) >= _MAX_EXACT and text.strip().lstrip("+-").isdigit() and int(text) != value:
        return None
    return value


def leaf_number(value: object) -> float | None:
    """What a leaf of a JSON document says as a number; None where it is a text."""
    if isinstance(value, str):
        found = number(value)
        return switch(value) if found is None else found
    if isinstance(value, (bool, float)):
        return float(value) if math.isfinite(value) else None
    # str() of an integer of thousands of digits is refused by Python, and beyond any sensor.
    return number(str(value)) if isinstance(value, int) and value.bit_length() < 1_024 else None


def switch(text: str) -> float | None:
    """0 or 1 for a word that stands for a boolean."""
    return _WORDS.get(text.strip().lower())


def flatten(document: Any) -> Iterator[tuple[str, Any]]:
    """The leaves of a JSON document with their paths (``AM2301/Temperature``); nulls are left out.

    Raises:
        ValueError: it is deeper or has more values than any sensor needs.
    """
    pending: list[tuple[str, Any, int]] = [("", document, 0)]
    leaves = 0
    while pending:
        path, value, depth = pending.pop()
        if isinstance(value, (dict, list)):
            if depth >= JSON_MAX_DEPTH:
                raise ValueError(f"nested deeper than {JSON_MAX_DEPTH} at {path!r}")
            items = value.items() if isinstance(value, dict) else enumerate(value)
            below = [(f"{path}/{key}" if path else str(key), item) for key, item in items]
            pending.extend((key, item, depth + 1) for key, item in reversed(below))
            continue
        leaves += 1
        if leaves > JSON_MAX_VALUES:
            raise ValueError(f"more than {JSON_MAX_VALUES} values")
        if value is not None:
            yield path, value


def parse_json(text: bytes | str) -> Any:
    """A JSON document.

    Raises:
        ValueError: it is none. NaN and Infinity, which are no JSON, become null.
    """
    try:
        return json.loads(text, parse_constant=lambda _name: None)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
