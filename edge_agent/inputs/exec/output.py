"""What a command has printed, as readings.

``lines``
    ``name value [unit]``, one reading a line; ``#`` starts a comment.
``json``
    An object: a reading per leaf, nested ones by their path.
``line_protocol``
    A subset of InfluxDB line protocol, with the names that a Headrace gateway gives:
    ``measurement,tag=value field=1i,other="text" time`` is the series ``measurement.field;tag=value``.
    Backslash escapes work; the time is nanoseconds.

A value that cannot be read is counted and said once; the rest of the output goes on. A text is a
reading only where the configuration says so.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from edge_agent.inputs.exec.settings import ExecSettings
from edge_agent.inputs.values import (
    Complaints,
    flatten,
    is_widened,
    leaf_number,
    number,
    parse_json,
    switch,
)
from edge_agent.readings import Run, single
from headrace.errors import InputError

_KEY: Final = r"(?:\\.|[^,= \\])+"
_LINE: Final = re.compile(
    rf"(?P<measurement>(?:\\.|[^, \\])+)(?P<tags>(?:,{_KEY}={_KEY})*) "
    rf'(?P<fields>{_KEY}=(?:"(?:\\.|[^"\\])*"|[^," ]+)(?:,{_KEY}=(?:"(?:\\.|[^"\\])*"|[^," ]+))*)'
    r"(?: (?P<time>-?[0-9]{1,19}))?"
)
_TAG: Final = re.compile(rf",({_KEY})=({_KEY})")
_FIELD: Final = re.compile(rf'({_KEY})=(?:"((?:\\.|[^"\\])*)"|([^," ]+))(?:,|$)')
_ESCAPE: Final = re.compile(r"\\([,= \\])")
_STRING_ESCAPE: Final = re.compile(r'\\(["\\])')
_BOOLEANS: Final = {"t": 1.0, "f": 0.0}


@dataclass(frozen=True, slots=True)
class Value:
    """One value as it was printed."""

    name: str
    value: float | None
    text: str = ""
    unit: str = ""
    time_us: int | None = None


def readings(
    output: bytes, settings: ExecSettings, *, now_us: int, complaints: Complaints
) -> Iterator[Run]:
    """The readings of a whole output.

    Raises:
        InputError: the output as a whole is not of the format.
    """
    parse = {"lines": _lines, "json": _json, "line_protocol": _line_protocol}[settings.format]
    try:
        text = output.decode("utf-8")
        values = list(parse(text, complaints))
    except ValueError as error:
        raise InputError(
            f"{settings.command[0]} printed no {settings.format}: {error}",
            hint="run it by hand and compare with format",
        ) from error
    for one in values:
        run = _run(one, settings, now_us, complaints)
        if run is not None:
            yield run


def _run(one: Value, settings: ExecSettings, now_us: int, complaints: Complaints) -> Run | None:
    name = settings.prefix + one.name
    time_us = now_us if one.time_us is None else one.time_us
    if one.value is not None:
        complaints.heal(name)
        if is_widened(one.text, one.value):
            complaints.widened(name)
        return single(name, time_us, one.value, settings.units.get(one.name, one.unit))
    if settings.text and one.text:
        return Run(name, array("q", (time_us,)), [one.text])
    complaints.note(name, f"expected a number, got {one.text[:60]!r}; text = true takes texts")
    return None


def _lines(text: str, complaints: Complaints) -> Iterator[Value]:
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) == 1:
            complaints.note(words[0], "a line is name, value and perhaps unit; got a name alone")
        elif words:
            value = _value(words[1])
            if value is None:
                yield Value(words[0], None, " ".join(words[1:]))
            else:
                yield Value(words[0], value, words[1], words[2] if len(words) > 2 else "")


def _json(text: str, _complaints: Complaints) -> Iterator[Value]:
    document = parse_json(text)
    if not isinstance(document, dict):
        raise ValueError(f"expected an object, got {type(document).__name__}")
    for path, leaf in flatten(document):
        yield Value(path, leaf_number(leaf), str(leaf))


def _line_protocol(output: str, complaints: Complaints) -> Iterator[Value]:
    for line in output.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            complaints.note("line protocol", f"not a line of it: {line[:120]!r}")
            continue
        tags = sorted((_plain(key), _plain(value)) for key, value in _TAG.findall(match["tags"]))
        suffix = "".join(f";{key}={value}" for key, value in tags)
        time_us = int(match["time"]) // 1_000 if match["time"] else None
        for key, quoted, bare in _FIELD.findall(match["fields"]):
            name = f"{_plain(match['measurement'])}.{_plain(key)}{suffix}"
            value = _field(bare) if bare else None
            text = bare.rstrip("iu") or _STRING_ESCAPE.sub(r"\1", quoted)
            yield Value(name, value, text, time_us=time_us)


def _field(bare: str) -> float | None:
    return _BOOLEANS.get(bare.lower(), _value(bare.rstrip("iu")))


def _value(word: str) -> float | None:
    found = number(word)
    return switch(word) if found is None else found


def _plain(text: str) -> str:
    return _ESCAPE.sub(r"\1", text)
