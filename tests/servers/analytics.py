"""Plays Mixpanel's raw export and the GA4 Data API: answers in the shape of their documentation.

Neither can be had here. What is played is what an importer depends on: days, pages, the order of rows, quotas
and how they are refused (429, with and without Retry-After), and wrong secrets.
"""

from __future__ import annotations

import base64
import json
import random
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from tests.servers.http import Reply, Request


@dataclass
class Mixpanel:
    """``events`` by day; each export has them in another order. The first ``busy`` answers say "later"."""

    secret: str = "s3cret"
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    busy: int = 0
    asked: list[str] = field(default_factory=list)

    def add(self, day: str, name: str, time: int, **properties: Any) -> None:
        event = {
            "event": name,
            "properties": {"time": time, "distinct_id": f"user-{time % 7}", **properties},
        }
        self.events.setdefault(day, []).append(event)

    def __call__(self, request: Request) -> Reply:
        path, _, query = request.path.partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        expected = base64.b64encode(f"headrace:{self.secret}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            return Reply(401, b'{"error": "Invalid credentials", "status": "error"}')
        if path != "/api/2.0/export" or asked["from_date"] != asked["to_date"]:
            return Reply(400, b'{"error": "bad request"}')
        if self.busy:
            self.busy -= 1
            return Reply(429, b'{"error": "Query rate limit exceeded"}', {"Retry-After": "1"})
        self.asked.append(asked["from_date"])
        lines = [json.dumps(each) for each in self.events.get(asked["from_date"], [])]
        random.shuffle(lines)
        return Reply(200, "".join(f"{line}\n" for line in lines).encode())


@dataclass
class Ga4:
    """``rows`` by day: dimension values, then metric values."""

    token: str = "t0ken"
    dimensions: tuple[str, ...] = ("dateHour", "country")
    metrics: tuple[str, ...] = ("activeUsers",)
    rows: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    busy: int = 0
    pages: list[tuple[str, int]] = field(default_factory=list)

    def __call__(self, request: Request) -> Reply:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return _refused(
                401, "UNAUTHENTICATED", "Request had invalid authentication credentials."
            )
        if request.path != "/v1beta/properties/123:runReport":
            return _refused(404, "NOT_FOUND", "no such property")
        if self.busy:
            self.busy -= 1
            return _refused(429, "RESOURCE_EXHAUSTED", "Exhausted property tokens per hour.")
        asked = json.loads(request.body)
        day, offset = asked["dateRanges"][0]["startDate"], int(asked["offset"])
        self.pages.append((day, offset))
        rows = sorted(self.rows.get(day, []))
        page = rows[offset : offset + int(asked["limit"])]
        count = len(self.dimensions)
        answer: dict[str, Any] = {
            "dimensionHeaders": [{"name": each} for each in self.dimensions],
            "metricHeaders": [{"name": each, "type": "TYPE_INTEGER"} for each in self.metrics],
            "metadata": {"currencyCode": "USD", "timeZone": "Europe/Berlin"},
            "kind": "analyticsData#runReport",
        }
        if rows:  # an empty report says neither
            answer["rowCount"] = len(rows)
        if page:
            answer["rows"] = [
                {
                    "dimensionValues": [{"value": each} for each in row[:count]],
                    "metricValues": [{"value": each} for each in row[count:]],
                }
                for row in page
            ]
        return Reply(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})


def _refused(status: int, code: str, message: str) -> Reply:
    return Reply(
        status, json.dumps({"error": {"code": status, "message": message, "status": code}}).encode()
    )
