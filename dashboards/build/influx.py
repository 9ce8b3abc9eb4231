"""InfluxQL for panels: the one language that InfluxDB 1, 2 and 3 share.

Grafana replaces ``$timeFilter`` and ``$__interval`` and puts variables in as regular expressions,
hence ``=~ /^$device$/`` throughout. The measurement and its tags are what the gateway's InfluxDB
sink writes: ``readings``, tagged ``site``, ``device``, ``name``, with fields ``value`` and ``text``.
"""

from __future__ import annotations

from typing import Final, Literal

from grafana_foundation_sdk.cog import builder, variants
from grafana_foundation_sdk.models.dashboard import DataSourceRef

from headrace.grafana import DATASOURCE_UID

SOURCE: Final = DataSourceRef(type_val="influxdb", uid=DATASOURCE_UID)

SITE: Final = '"site" =~ /^$site$/'
DEVICE: Final = '"device" =~ /^$device$/'
SERIES: Final = '"name" =~ /^$series$/'

#: What devices send, without what gateways make of it.
MEASURED: Final = r'"name" !~ /^(gateway|model|alert)\//'

Format = Literal["time_series", "table"]


def named(name: str) -> str:
    """A WHERE clause for one of the gateway's own series."""
    return f"\"name\" = 'gateway/{name}'"


def matching(pattern: str) -> str:
    """A WHERE clause for those of the gateway's own series that a regular expression matches."""
    return rf'"name" =~ /^gateway\/{pattern}/'


def select(what: str, *where: str, by: str = "", fill: str = "") -> str:
    """One statement over the readings of the dashboard's time range."""
    clauses = " AND ".join([*where, "$timeFilter"])
    group = f" GROUP BY {by}" if by else ""
    filled = f" fill({fill})" if fill else ""
    return f'SELECT {what} FROM "readings" WHERE {clauses}{group}{filled}'  # noqa: S608 - ours


def over(what: str, inner: str) -> str:
    """One statement over the rows of another."""
    return f"SELECT {what} FROM ({inner})"  # noqa: S608 - ours


def total(name: str) -> str:
    """The newest value of a series of each gateway, added up."""
    newest = select('last("value") AS "newest"', SITE, named(name), by='"site"')
    return over(f'sum("newest") AS "{name}"', newest)


class InfluxQuery(variants.Dataquery):
    """A panel's query, as Grafana's InfluxDB data source reads it."""

    def __init__(self, query: str, *, ref: str, alias: str, result: Format) -> None:
        self.query = query
        self.ref = ref
        self.alias = alias
        self.result = result

    def to_json(self) -> dict[str, object]:
        """The query in the dashboard's JSON."""
        return {
            "datasource": SOURCE,
            "refId": self.ref,
            "rawQuery": True,
            "query": self.query,
            "resultFormat": self.result,
            **({"alias": self.alias} if self.alias else {}),
        }


class Query(builder.Builder[variants.Dataquery]):
    """Builds an ``InfluxQuery``; ``alias`` names its lines, with ``$tag_device`` and the like."""

    def __init__(
        self, query: str, *, ref: str = "A", alias: str = "", result: Format = "time_series"
    ) -> None:
        self._query = InfluxQuery(query, ref=ref, alias=alias, result=result)

    def build(self) -> variants.Dataquery:
        """The query."""
        return self._query
