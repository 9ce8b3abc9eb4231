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
WIDENED: Final = "widened"

#: Characters of a series name in the log and in the memory of what was said: a name may come from a
#: device, and be as long as its message.
_SAID_CHARS: Final = 200

#: Up to here every integer has a float64 of its own.
MAX_EXACT: Final = 2**53

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
        self._widened = 0

    def note(self, name: str, why: str, *, reason: str = UNREADABLE, count: int = 1) -> None:
        """One value (or ``count``) of a series was dropped."""
        self._counts[reason] += count
        if self._is_new(name, reason):
            self._logger.warning(
                "%s: %s; dropped and counted as %s", name[:_SAID_CHARS], why, reason
            )

    def widened(self, name: str, count: int = 1) -> None:
        """An integer (or ``count``) of a series became the nearest float64 (decision 23)."""
        self._widened += count
        if self._is_new(name, WIDENED):
            self._logger.warning(
                "%s: an integer beyond 2**53 is kept as the nearest that a reading can hold; "
                "counted as %s, scale it at the source where each unit counts",
                name[:_SAID_CHARS], WIDENED,
            )  # fmt: skip

    def _is_new(self, name: str, reason: str) -> bool:
        name = name[:_SAID_CHARS]
        if name not in self._said and len(self._said) >= INPUT_MAX_COMPLAINTS:
            return False
        reasons = self._said.setdefault(name, set())
        new = reason not in reasons
        reasons.add(reason)
        return new

    def heal(self, name: str) -> None:
        """The series can be read: the next failure is news again."""
        reasons = self._said.get(name[:_SAID_CHARS], set())
        if reasons - {WIDENED}:  # that one is no failure, and stays said
            reasons &= {WIDENED}
            self._logger.info("%s: can be read again", name)

    def take(self) -> Mapping[str, int]:
        """The counts since the last call, for ``Poll.dropped``."""
        counts, self._counts = dict(self._counts), Counter()
        return counts

    def take_widened(self) -> int:
        """The same for ``Poll.widened``."""
        count, self._widened = self._widened, 0
        return count


def number(text: str) -> float | None:
    """A finite decimal number; None for anything else (``nan``, ``inf`` and ``1_000`` too)."""
    try:
        value = float(text)
    except ValueError:
        return None
    if not math.isfinite(value) or "_" in text:
        return None
    return value


def is_widened(said: object, value: float) -> bool:
    """Whether what a source said is an integer without a float64 of its own, so that ``value`` is the nearest."""
    if abs(value) < MAX_EXACT or isinstance(said, float):
        return False
    digits = str(said).strip().lstrip("+-")
    return digits.isdecimal() and int(digits) != abs(value)


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
