"""What Grafana does with a dashboard's queries before InfluxDB gets to see them.

Variables with several values become an alternative of escaped values (``/^(a|b)$/``), "All" the
variable's own pattern or all its values; ``$timeFilter``, ``$__interval_ms`` and ``$__interval`` are
replaced as the data source's backend does.
"""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.dashboards.site import DATABASE, Site

ROOT = Path(__file__).parents[2] / "dashboards"
NAMES = ("fleet", "device", "pipeline", "alerts")


def load(name: str) -> dict[str, Any]:
    """A dashboard as it stands in the repository."""
    return json.loads((ROOT / "grafana" / f"{name}.json").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer."""

    tags: dict[str, str]
    columns: list[str]
    rows: list[list[Any]]

    @property
    def values(self) -> list[Any]:
        """The last column: of a chart, its values."""
        return [row[-1] for row in self.rows]

    def column(self, name: str) -> list[Any]:
        at = self.columns.index(name)
        return [row[at] for row in self.rows]


@dataclass(slots=True)
class Grafana:
    """Asks one site over one time range."""

    site: Site
    interval: str = "1s"
    chosen: dict[str, Sequence[str]] = field(default_factory=dict)

    def ask(self, query: str) -> list[Series]:
        """The series of a statement, times in milliseconds."""
        body = urllib.parse.urlencode({"q": self.filled_in(query), "db": DATABASE, "epoch": "ms"})
        url = f"{self.site.influx.url}/query"
        with urllib.request.urlopen(url, data=body.encode(), timeout=10) as answer:
            (result,) = json.load(answer)["results"]
        assert "error" not in result, f"{result['error']}: {query}"
        return [
            Series(one.get("tags", {}), one["columns"], one["values"])
            for one in result.get("series", [])
        ]

    def filled_in(self, query: str) -> str:
        """The statement as InfluxDB gets it."""
        for name, values in self.chosen.items():
            query = query.replace(f"${name}", _alternative(values))
        milliseconds = str(int(self.interval[:-1]) * 1000)
        time = f"time >= {self.site.start_ms}ms and time <= {self.site.end_ms}ms"
        query = query.replace("$timeFilter", time).replace("$__interval_ms", milliseconds)
        query = query.replace("$__interval", self.interval)
        assert not re.search(r"\$[A-Za-z_]", query), f"what is this variable? {query}"
        return query

    def options(self, variable: Mapping[str, Any]) -> list[str]:
        """What a variable offers."""
        return sorted(
            {value for one in self.ask(variable["query"]) for value in one.column("value")}
        )

    def open(self, dashboard: Mapping[str, Any], **chosen: str) -> None:
        """Fill in the variables in their order: what is named, and everything of the others."""
        self.chosen = {}
        for variable in dashboard["templating"]["list"]:
            name = variable["name"]
            if name in chosen:
                self.chosen[name] = [chosen[name]]
            elif variable.get("allValue"):
                self.chosen[name] = Pattern(variable["allValue"])
            else:
                self.chosen[name] = self.options(variable)


class Pattern(str):
    """A value that is a pattern already."""

    __slots__ = ()


def _alternative(values: Sequence[str]) -> str:
    if isinstance(values, Pattern):
        return values
    escaped = [re.sub(r"[\\^$*+?.()|\[\]{}/]", r"\\\g<0>", value) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
