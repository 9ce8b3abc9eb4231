"""Every panel's query against InfluxDB: it returns the rows that the panel is about."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Final

import pytest

from headrace.derived import decode_alert
from headrace.grafana.rules import RULES, AlertRule
from tests.dashboards.grafana import NAMES, Grafana, Series, load
from tests.dashboards.site import FAULTY, MISSING, OUT, PUMPS, SENSOR

Answer = list[Series]
DEVICES: Final = {*PUMPS, SENSOR}


def one(answer: Answer) -> float:
    """The number of a stat panel."""
    (series,) = answer
    (value,) = series.values
    return float(value)


def by_tag(answer: Answer, tag: str) -> dict[str, Series]:
    return {series.tags[tag]: series for series in answer}


def holes(values: list[float | None]) -> list[int]:
    """Lengths of the empty stretches between what is there."""
    runs = [(bool(value), len(list(run))) for value, run in groupby(values, key=bool)]
    inner = runs[1:-1] if runs and not runs[0][0] else runs[:-1]
    return [length for filled, length in inner if not filled]


def outage_is_a_hole(answer: Answer) -> bool:
    """The device that was out lacks some seconds."""
    return max(holes(by_tag(answer, "device")[OUT].values), default=0) >= 2


def fleet_table(answer: Answer) -> bool:
    cells = {(one.tags["device"], one.tags["name"]): one.values[0] for one in answer}
    assert {device for device, _ in cells} == DEVICES
    assert cells[SENSOR, "gateway/silent_s"] > 3
    assert cells[SENSOR, "gateway/gap_readings"] == MISSING
    return all(cells[pump, "gateway/online"] == 1 for pump in PUMPS)


def silence(answer: Answer) -> bool:
    found = by_tag(answer, "device")
    heard = filter_none(found[OUT].values)
    newest, longest = heard[-1], max(heard)
    return set(found) == DEVICES and longest > 1.5 and newest < longest


def lag_of_the_sink_that_is_away(answer: Answer) -> bool:
    found = {series.tags["name"].split("/", 2)[2]: series.values for series in answer}
    assert found.keys() == {"inference", "rules", "schema", "sink/influxdb", "sink/away"}
    return found["sink/away"][-1] > 3 and found["sink/away"][-1] > found["sink/influxdb"][-1]


def troubles(answer: Answer) -> bool:
    sums = {name: sum(series.values) for name, series in by_tag(answer, "name").items()}
    assert sums["gateway/refused_batches"] == 1
    assert sums["gateway/duplicate_readings"] == 20
    return sums["gateway/commit_failures"] == 0


def firing_strips(answer: Answer) -> bool:
    found = {(one.tags["device"], one.tags["name"].split("/")[-1]): one.values for one in answer}
    assert max(filter_none(found[OUT, "silent"])) == 1
    assert not found[OUT, "silent"][-1]
    return 1 in found[FAULTY, "anomaly"][-3:]


def filter_none(values: list[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def scores(answer: Answer) -> bool:
    worst = {device: max(filter_none(one.values)) for device, one in by_tag(answer, "device").items()}  # fmt: skip
    return worst.keys() == set(PUMPS) and worst[FAULTY] > 10 * worst["pump-1"]


def transitions(answer: Answer) -> bool:
    (series,) = answer
    said = {
        (device, name, decode_alert(text).state) for _, device, name, text in reversed(series.rows)
    }
    return said >= {
        (OUT, "alert/silent", "firing"),
        (OUT, "alert/silent", "resolved"),
        (FAULTY, "alert/anomaly", "firing"),
    }


CHECKS: Final[dict[tuple[str, str], Callable[[Answer], bool]]] = {
    ("fleet", "Devices heard in 7 days"): lambda a: one(a) == len(DEVICES),
    ("fleet", "Devices online"): lambda a: one(a) == len(PUMPS),
    ("fleet", "Alerts firing"): lambda a: one(a) == 1,
    ("fleet", "Readings missing"): lambda a: one(a) == MISSING,
    ("fleet", "Devices"): fleet_table,
    ("fleet", "Silence"): silence,
    ("fleet", "Readings by device"): lambda a: {*by_tag(a, "device")} == {*PUMPS} and outage_is_a_hole(a),
    ("device", "Silent for"): lambda a: a[0].tags == {"device": OUT} and one(a) < 3,
    ("device", "Online"): lambda a: one(a) == 1,
    ("device", "Buffered on the device"): lambda a: one(a) >= 0,
    ("device", "Readings missing"): lambda a: one(a) == 0,
    ("device", "$series"): lambda a: a[0].tags == {"device": OUT, "name": "flow"} and outage_is_a_hole(a),
    ("device", "Readings"): outage_is_a_hole,
    ("device", "Model scores"): outage_is_a_hole,
    ("device", "Newest values"): lambda a: a[0].tags["name"] == "flow" and 1 < one(a) < 10,
    ("pipeline", "Broker connected"): lambda a: one(a) == 1,
    ("pipeline", "Readings/s"): lambda a: one(a) > 20,
    ("pipeline", "Bytes/s"): lambda a: one(a) > 100,
    ("pipeline", "Journal"): lambda a: 0 < a[0].values[-1] < 1e9,
    ("pipeline", "Flow"): lambda a: max(by_tag(a, "name")["gateway/readings_per_s"].values) > 50,
    ("pipeline", "Time of a commit"): lambda a: 0 < min(a[0].values) < 1,
    ("pipeline", "Age of what a consumer has not taken yet"): lag_of_the_sink_that_is_away,
    ("pipeline", "Batches a consumer is behind"): lag_of_the_sink_that_is_away,
    ("pipeline", "Readings missing, by device"): lambda a: {d: s.values[-1] for d, s in by_tag(a, "device").items()} == {SENSOR: MISSING, **dict.fromkeys(PUMPS, 0)},
    ("pipeline", "Refused, repeated, dropped, failed"): troubles,
    ("pipeline", "Buffered on devices"): lambda a: {*by_tag(a, "device")} == {*PUMPS},
    ("alerts", "Firing: critical"): lambda a: one(a) == 1,
    ("alerts", "Firing: warning"): lambda a: one(a) == 0,
    ("alerts", "Firing: info"): lambda a: a == [],
    ("alerts", "Firing now"): lambda a: [s.tags["device"] for s in a] == [FAULTY] and one(a) == 1,
    ("alerts", "Firing"): firing_strips,
    ("alerts", "Model scores"): scores,
    ("alerts", "Transitions"): transitions,
}  # fmt: skip

PANELS: Final = [
    (name, panel["title"], target["query"])
    for name in NAMES
    for panel in load(name)["panels"]
    for target in panel["targets"]
]


@pytest.mark.parametrize(
    ("name", "title", "query"), PANELS, ids=[f"{n}: {t}" for n, t, _ in PANELS]
)
def test_a_panel_shows_what_it_is_about(
    grafana: Grafana, name: str, title: str, query: str
) -> None:
    """With the variables as they open; on the device's dashboard the device that was out."""
    chosen = {"device": OUT, "series": "flow"} if name == "device" else {}
    grafana.open(load(name), **chosen)
    answer = grafana.ask(query)
    assert CHECKS[name, title](answer), answer


def test_variables_offer_sites_devices_and_series(grafana: Grafana) -> None:
    """The gateway is no device, and its own series and alerts are nobody's measurement."""
    dashboard = load("device")
    grafana.open(dashboard, device="pump-1")
    site, device, series = dashboard["templating"]["list"]
    assert grafana.options(site) == ["site-1"]
    assert grafana.options(device) == sorted(DEVICES)
    offered = grafana.options(series)
    assert {"flow", "vibration", "model/pump/score"} <= set(offered)
    assert not [name for name in offered if name.startswith(("gateway/", "alert/"))]


def test_a_series_whose_name_is_full_of_special_characters_is_itself_alone(
    grafana: Grafana,
) -> None:
    """ "model/pump/score" has slashes, which end a regular expression unless escaped."""
    dashboard = load("device")
    (query,) = (q for n, t, q in PANELS if (n, t) == ("device", "Newest values"))
    grafana.open(dashboard, device="pump-1", series="model/pump/score")
    assert [series.tags["name"] for series in grafana.ask(query)] == ["model/pump/score"]
    grafana.open(dashboard, device="pump-1", series="fl.w")
    assert grafana.ask(query) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_variable_without_data_leaves_panels_empty_and_breaks_none(
    grafana: Grafana, name: str
) -> None:
    """Then each panel says its "no data: …" (test_generated): no query fails, none invents rows."""
    nobody = dict.fromkeys(("site", "device", "series"), "nobody")
    grafana.open(load(name), **nobody)
    for _, title, query in (panel for panel in PANELS if panel[0] == name):
        assert grafana.ask(query) == [], title


@pytest.mark.parametrize("name", NAMES)
def test_alerts_are_notes_on_every_dashboard(grafana: Grafana, name: str) -> None:
    """What fired and what was resolved, as sentences."""
    dashboard = load(name)
    grafana.open(dashboard)
    (notes,) = dashboard["annotations"]["list"]
    (series,) = grafana.ask(notes["target"]["query"])
    said = [text for _, text, _ in series.rows]
    assert any(text.startswith("silent firing: pump-2: nothing heard for") for text in said)
    assert any(text.startswith("anomaly firing: pump-3: score") for text in said)


ALERTS: Final[dict[str, Callable[[dict[tuple[str, ...], float]], bool]]] = {
    "headrace-silent-device": lambda v: {key[0] for key in v} == DEVICES and v[SENSOR, "site-1"] > 3,
    "headrace-lag": lambda v: v["gateway/lag_s/sink/away", "site-1"] > 3,
    "headrace-gap": lambda v: {key[0] for key in v if v[key] > 0} == {SENSOR},
    "headrace-firing": lambda v: [key for key in v if v[key] > 0] == [(FAULTY, "gateway/firing/critical/anomaly", "site-1")],
    "headrace-gateway-silent": lambda v: v["site-1",] >= 1,
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.uid)
def test_an_alert_rule_sees_what_it_is_for(grafana: Grafana, rule: AlertRule) -> None:
    """Step A and B: the newest value of each series, by its labels."""
    answer = grafana.ask(rule.query)
    newest = {
        tuple(one.tags[tag] for tag in sorted(one.tags)): max(filter_none(one.values))
        if rule.op == "lt"
        else one.values[-1]
        for one in answer
    }
    assert ALERTS[rule.uid](newest), newest
