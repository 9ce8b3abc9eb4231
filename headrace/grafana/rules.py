"""Alert rules for Grafana: a device is silent, a consumer lags, readings are missing, an alert fires.

Each rule is three steps, as Grafana wants them: a query (A), its newest value per series (B), a
threshold on it (C). Rules speak of the gateway's own readings (``gateway/…``), so they work on
InfluxQL alone. None has a ``$`` in its texts: Grafana's provisioning would take it for a variable of
the environment; ``{{ .Labels.device }}`` says the same without.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from headrace.grafana import DATASOURCE_UID

_EXPRESSION: Final = "__expr__"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One rule.

    Attributes:
        query: the InfluxQL of step A, one series an alert.
        op, limit: the threshold, itself not included.
        hold: how long it must be true.
        window_s: how far back the query looks.
        no_data: what it means that there is none: "OK", or "Alerting" where that is the news.
    """

    uid: str
    title: str
    query: str
    op: Literal["gt", "lt"] = "gt"
    limit: float
    hold: str
    summary: str
    severity: str = "warning"
    window_s: int = 600
    no_data: str = "OK"


def _newest(name: str, *by: str) -> str:
    """The newest value of each of the gateway's series that the pattern matches."""
    tags = ", ".join(f'"{tag}"' for tag in by)
    where = rf'"name" =~ /^gateway\/{name}/ AND $timeFilter'
    return f'SELECT last("value") FROM "readings" WHERE {where} GROUP BY {tags}'  # noqa: S608 - ours


#: Counted in steps, with a 0 where there is nothing: a series that merely ends is no news to
#: Grafana. The last step has only just begun, which is what the rule's ``hold`` is for.
_LOOKS: Final = (
    'SELECT count("value") FROM "readings" WHERE "name" = \'gateway/broker_connected\' '
    'AND $timeFilter GROUP BY time(5m), "site" fill(0)'
)

RULES: Final = (
    AlertRule(
        uid="headrace-silent-device",
        title="Device is silent",
        query=_newest("silent_s$", "site", "device"),
        limit=300,
        hold="1m",
        severity="critical",
        summary="{{ .Labels.device }} at {{ .Labels.site }} has sent nothing for over 5 minutes",
    ),
    AlertRule(
        uid="headrace-lag",
        title="Consumer lags",
        query=_newest(r"lag_s\/", "site", "name"),
        limit=300,
        hold="5m",
        summary="{{ .Labels.name }} at {{ .Labels.site }}: the oldest waits for over 5 minutes",
    ),
    AlertRule(
        uid="headrace-gap",
        title="Readings are missing",
        query=_newest("gap_readings$", "site", "device"),
        limit=0,
        hold="10m",
        summary="{{ .Labels.device }} at {{ .Labels.site }} lacks readings; "
        "gateway journal stat names them",
    ),
    AlertRule(
        uid="headrace-firing",
        title="Alert of a gateway fires",
        query=_newest(r"firing\/", "site", "device", "name"),
        limit=0,
        hold="0s",
        severity="critical",
        summary="{{ .Labels.name }} on {{ .Labels.device }} at {{ .Labels.site }}",
    ),
    AlertRule(
        uid="headrace-gateway-silent",
        title="Gateway is silent",
        query=_LOOKS,
        op="lt",
        limit=1,
        hold="2m",
        severity="critical",
        window_s=6 * 3600,
        no_data="Alerting",
        summary="the gateway at {{ .Labels.site }} has written nothing of itself for 5 minutes",
    ),
)


def as_provisioned(rule: AlertRule) -> dict[str, Any]:
    """The rule as Grafana's provisioning file says it."""
    return {
        "uid": rule.uid,
        "title": rule.title,
        "condition": "C",
        "data": [_query(rule), _last(), _threshold(rule)],
        "noDataState": rule.no_data,
        # InfluxDB away is no reason to wake anybody up twice: "Gateway is silent" says it.
        "execErrState": "KeepLast",
        "for": rule.hold,
        "annotations": {"summary": rule.summary},
        "labels": {"severity": rule.severity, "from": "headrace"},
        "isPaused": False,
    }


def _query(rule: AlertRule) -> dict[str, Any]:
    return {
        "refId": "A",
        "relativeTimeRange": {"from": rule.window_s, "to": 0},
        "datasourceUid": DATASOURCE_UID,
        "model": {
            "refId": "A",
            "rawQuery": True,
            "query": rule.query,
            "resultFormat": "time_series",
            "intervalMs": 1000,
            "maxDataPoints": 43200,
        },
    }


def _last() -> dict[str, Any]:
    return _expression("B", type="reduce", expression="A", reducer="last", settings={"mode": "dropNN"})  # fmt: skip


def _threshold(rule: AlertRule) -> dict[str, Any]:
    condition = {"evaluator": {"type": rule.op, "params": [rule.limit]}}
    return _expression("C", type="threshold", expression="B", conditions=[condition])


def _expression(ref: str, **model: Any) -> dict[str, Any]:
    datasource = {"type": _EXPRESSION, "uid": _EXPRESSION}
    return {
        "refId": ref,
        "relativeTimeRange": {"from": 0, "to": 0},
        "datasourceUid": _EXPRESSION,
        "model": {"refId": ref, "datasource": datasource, **model},
    }
