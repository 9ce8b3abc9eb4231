"""Code and files agree, and the files are what Grafana wants."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.build.__main__ import differing
from dashboards.build.parts import UIDS
from dashboards.build.units import GRAFANA
from headrace.grafana import DATASOURCE_UID
from headrace.grafana.rules import RULES
from headrace.units import is_registered
from tests.dashboards.grafana import NAMES, ROOT, load


def test_what_stands_in_the_repository_is_what_the_code_makes() -> None:
    """Edit dashboards/build and run: python -m dashboards.build."""
    assert differing() == []


@pytest.mark.parametrize("name", NAMES)
def test_panels_fit_the_grid_and_do_not_overlap(name: str) -> None:
    """24 columns, and each place is taken once."""
    taken: set[tuple[int, int]] = set()
    for panel in load(name)["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("name", NAMES)
def test_everything_asks_the_pinned_data_source_in_influxql(name: str) -> None:
    """A uid of Grafana's own making would break the dashboard on the next machine."""
    dashboard = load(name)
    targets = [target for panel in dashboard["panels"] for target in panel["targets"]]
    asked = [*targets, *dashboard["templating"]["list"], *dashboard["annotations"]["list"]]
    assert {(one["datasource"]["type"], one["datasource"]["uid"]) for one in asked} == {
        ("influxdb", DATASOURCE_UID)
    }
    assert all(target["rawQuery"] and target["query"].startswith("SELECT ") for target in targets)


@pytest.mark.parametrize("name", NAMES)
def test_a_panel_without_data_says_what_is_missing(name: str) -> None:
    """An empty panel must not look like one that is well."""
    for panel in load(name)["panels"]:
        assert panel["fieldConfig"]["defaults"]["noValue"].startswith("no data: "), panel["title"]


@pytest.mark.parametrize("name", NAMES)
def test_panels_are_read_back_by_grafanas_schema_without_a_loss(name: str) -> None:
    """The SDK's types are generated from Grafana's: a misspelt option would be dropped by them."""
    register_default_plugins()
    written = load(name)
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(load(name))))
    for part in ("panels", "templating", "links", "time"):
        assert not list(lost(written[part], again[part], part))


def lost(written: Any, again: Any, path: str) -> Iterator[str]:
    """Where something is written that does not come back; defaults may come in addition."""
    if isinstance(written, dict):
        for key, value in written.items():
            yield from lost(value, again.get(key), f"{path}.{key}")
    elif isinstance(written, list):
        for number, value in enumerate(written):
            yield from lost(value, again[number], f"{path}[{number}]")
    elif written != again:
        yield f"{path}: {written!r} came back as {again!r}"


def test_dashboards_lead_to_one_another() -> None:
    """By the common tag at the top, with variables and time; and from a device's cell."""
    dashboards = [load(name) for name in NAMES]
    assert {one["uid"] for one in dashboards} == set(UIDS.values())
    for one in dashboards:
        (link,) = one["links"]
        assert link["type"] == "dashboards"
        assert set(link["tags"]) <= set(one["tags"])
        assert link["includeVars"]
        assert link["keepTime"]
    fleet = json.dumps(load("fleet"))
    assert f"/d/{UIDS['Device']}?var-device=" in fleet


def test_units_are_said_for_registered_symbols_only() -> None:
    """A typing error would show as a unit that nobody ever sees."""
    assert [symbol for symbol in GRAFANA if not is_registered(symbol)] == []


def provisioning(kind: str) -> Any:
    path = ROOT / "provisioning" / kind / "headrace.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_provisioning_pins_the_uid_and_deletes_nothing() -> None:
    """deleteDatasources breaks whatever refers to the source between two starts of Grafana."""
    (source,) = provisioning("datasources")["datasources"]
    assert source["uid"] == DATASOURCE_UID
    text = "".join(path.read_text(encoding="utf-8") for path in Path(ROOT).rglob("*.yaml"))
    assert "delete" not in text.lower().replace("disabledeletion", "")


def test_alert_rules_have_what_grafana_asks_of_a_rule() -> None:
    """Fields by the types of its provisioning; each rule's condition is one of its steps."""
    (group,) = provisioning("alerting")["groups"]
    assert {"orgId", "name", "folder", "interval", "rules"} == set(group)
    assert len({rule["uid"] for rule in group["rules"]}) == len(RULES) == 5
    for rule in group["rules"]:
        steps = {step["refId"]: step for step in rule["data"]}
        assert rule["condition"] in steps
        assert rule["noDataState"] in {"OK", "NoData", "Alerting", "KeepLast"}
        assert rule["execErrState"] in {"OK", "Error", "Alerting", "KeepLast"}
        assert re.fullmatch(r"\d+[smh]", rule["for"])
        assert len(rule["uid"]) <= 40
        assert steps["A"]["datasourceUid"] == DATASOURCE_UID
        assert "$timeFilter" in steps["A"]["model"]["query"]
        # Grafana takes a $ in a label or annotation for a variable of its environment.
        assert "$" not in json.dumps([rule["annotations"], rule["labels"], rule["title"]])


def test_the_readme_shows_a_picture_of_every_dashboard() -> None:
    """Drawn by tests/dashboards/pictures.py; small, since they are in every clone."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", page):
        assert (ROOT / target).exists(), target
    for name in NAMES:
        assert f"(pictures/{name}.png)" in page
        assert (ROOT / "pictures" / f"{name}.png").stat().st_size < 200_000
