"""Plays InfluxDB 3: its recorded answers, from a real HTTP server, with the lines that it takes in memory.

There is no InfluxDB 3 to be installed here. The answers are those of its documentation ("Use the v3
write_lp API to write data", partial writes) and of its own tests of ``/api/v3/write_lp``; what is played
is only the choice between them: a line whose field ``value`` is a string, or whose number is in ``bad``,
gets the type conflict that a real server answers for it.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from dataclasses import dataclass, field

from tests.servers.http import Reply, Request

_CONFLICT = (
    "invalid column type for column 'value', expected iox::column_type::field::float, "
    "got iox::column_type::field::string"
)


@dataclass
class InfluxDB3:
    """An ``Answer`` for ``http_server``; ``lines`` are the points that it has."""

    token: str = ""
    bad: set[float] = field(default_factory=set)
    lines: set[str] = field(default_factory=set)

    def __call__(self, request: Request) -> Reply:
        path, _, query = request.path.partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        if path != "/api/v3/write_lp" or asked.get("precision") != "microsecond":
            return Reply(404)
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return Reply(401, b'{"error": "the request was not authenticated"}')
        given = request.body.decode().split("\n")
        refused = {at for at, line in enumerate(given, 1) if self._conflicts(line)}
        if refused and asked.get("accept_partial") != "true":
            return _answer("parsing failed for write_lp endpoint", _refusal(min(refused), given))
        self.lines |= {line for at, line in enumerate(given, 1) if at not in refused}
        if refused:
            named = [_refusal(at, given) for at in sorted(refused)]
            return _answer("partial write of line protocol occurred", named)
        return Reply(204)

    def _conflicts(self, line: str) -> bool:
        number = re.search(r" value=(\S+)", line)
        return number is not None and float(number[1]) in self.bad


def _refusal(at: int, given: list[str]) -> dict[str, object]:
    return {"original_line": given[at - 1], "line_number": at, "error_message": _CONFLICT}


def _answer(error: str, data: object) -> Reply:
    return Reply(400, json.dumps({"error": error, "data": data}).encode())
