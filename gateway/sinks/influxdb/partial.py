"""Takes a refusal apart: which lines does the server name, and what became of the others?

=======================================================  ==========================================
answer                                                   what it means
=======================================================  ==========================================
v3 ``{"error": "partial write of line protocol …",       these lines are refused, all others written
"data": [{"line_number": 2, "error_message": …}, …]}``
v3 ``{"error": "parsing failed …", "data": {…}}``        this line is refused, nothing was written
v2 ``error parsing line 2 (1-based): …``, one a line     these lines are refused, at most 100 are named,
                                                         and it is not said what became of the others
1.x ``partial write: … dropped=10000``                   so many are refused; nobody says which
=======================================================  ==========================================

What an answer leaves open is sent again without the lines that it names: writing a point twice changes
nothing. Where it names none, the request is halved until each bad line is found. A number of dropped
lines that is all of them needs no search.
"""

from __future__ import annotations

import re
from typing import Final, TypeVar

import msgspec
import numpy as np

from gateway.sinks.search import Items, Result, all_refused, halves

_DROPPED: Final = re.compile(r"dropped=(\d+)")
_V2_LINE: Final = re.compile(r"error parsing line (\d+) \(1-based\): ?([^\n]*)")
_V3_PARTIAL: Final = "partial write"

Kind = TypeVar("Kind")


class _Line(msgspec.Struct):
    line_number: int
    error_message: str = ""


class _V3(msgspec.Struct):
    error: str
    data: list[_Line] | _Line


class _V2(msgspec.Struct):
    message: str


def take_apart(items: Items, text: str) -> Result:
    """What a refusal of these items (one line each, in order) says of each."""
    named, others_written = _named(text, len(items))
    if named:
        refused = [(items[[place]], why) for place, why in sorted(named.items())]
        rest = items[~np.isin(np.arange(len(items)), list(named))]
        return Result(refused, () if others_written else [rest], text)
    dropped = _DROPPED.search(text)
    if dropped is not None and int(dropped[1]) == len(items):
        return all_refused(items, text)
    return halves(items, text)


def _named(text: str, count: int) -> tuple[dict[int, str], bool]:
    """Places of lines with reasons, and whether all others were written; nothing if one is not ours."""
    v3 = _decoded(text, _V3)
    if v3 is not None:
        lines = v3.data if isinstance(v3.data, list) else [v3.data]
        named = {line.line_number - 1: line.error_message for line in lines}
        written = v3.error.startswith(_V3_PARTIAL)
    else:
        v2 = _decoded(text, _V2)
        found = _V2_LINE.findall(v2.message if v2 is not None else "")
        named, written = {int(number) - 1: why for number, why in found}, False
    return (named, written) if all(0 <= place < count for place in named) else ({}, False)


def _decoded(text: str, kind: type[Kind]) -> Kind | None:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError:
        return None
