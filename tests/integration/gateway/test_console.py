"""The console of a real gateway in a real browser.

``HEADRACE_SCREENSHOT=path`` keeps a picture of the page as the first test leaves it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from tests.devices import Device
from tests.programs import Gateway, Programs, make_gateway
from tests.servers.chromium import EXECUTABLE, chromium

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="chromium is not installed")
expect = playwright.expect

DEADLINE_MS = 15_000

RULES = """
[[rules]]
name = "hot-motor"
kind = "threshold"
series = "motor_temperature"
op = ">"
value = 90
severity = "critical"
"""


def pack(*readings: tuple[str, str, float], seconds_ago: float = 0.0) -> bytes:
    """A SenML pack of (name, unit, value)."""
    at = time.time() - seconds_ago
    return json.dumps([{"n": n, "u": u, "v": v, "t": at} for n, u, v in readings]).encode()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory) -> Iterator[Gateway]:
    """A gateway with its console and one rule."""
    programs = Programs(tmp_path_factory.mktemp("console"))
    made = make_gateway(programs, console=True, extra=[RULES])
    made.start()
    made.wait_ready()
    yield made
    programs.close()


@pytest.fixture(scope="module")
def browser():
    with chromium() as made:
        yield made


@pytest.fixture
def device(gateway) -> Iterator[Callable[[str], Device]]:
    """Makes devices; they leave at the end."""
    made: list[Device] = []

    def make(name: str) -> Device:
        made.append(Device(name, gateway.mqtt_port))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def page(browser, gateway):
    """The console, opened; what the browser asked for and complained about is checked at the end."""
    opened = browser.new_page(viewport={"width": 1280, "height": 800})
    opened.set_default_timeout(DEADLINE_MS)
    hosts: set[str] = set()
    complaints: list[str] = []
    opened.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    opened.on("websocket", lambda socket: hosts.add(urlsplit(socket.url).netloc))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "console",
        lambda line: complaints.append(line.text) if line.type == "error" else None,
    )
    opened.goto(f"http://127.0.0.1:{gateway.http_port}/")
    yield opened
    opened.close()
    assert hosts - {""} == {f"127.0.0.1:{gateway.http_port}"}
    assert complaints == []


def shows(locator, text: str) -> None:
    expect(locator).to_contain_text(text, timeout=DEADLINE_MS)


def row(page, table: str, key: str):
    """The row of a table that holds ``key``."""
    return page.get_by_role("region", name=table).get_by_role("row").filter(has_text=key)


def test_a_gateway_without_devices_says_how_to_get_one(page):
    """First, while the gateway is empty: nobody is left in front of blank tables."""
    shows(page.get_by_label("Devices").first, "edge-agent run --config agent.toml")
    shows(page.get_by_label("Alerts").first, "No alert")
    shows(page.get_by_role("status"), "ready")


def test_devices_values_and_alerts_show_and_follow_what_arrives(page, device):
    """One page, loaded once: state, values, a firing alert and its end."""
    pump = device("pump-1")
    state = {"online": True, "buffered": 1234, "sampled": 5678, "dropped": {"buffer_full": 9}}
    pump.publish_on(pump.topics.state("pump-1"), json.dumps(state).encode(), retain=True)
    for age in range(120, 0, -1):
        reading = ("motor_temperature", "Cel", 60.0 + age % 7)
        pump.publish(pack(reading, ("flow", "l/s", 4.5), seconds_ago=age), "senml-json")
    pump.publish(pack(("motor_temperature", "Cel", 97.25), ("flow", "l/s", 4.5)), "senml-json")

    seen = row(page, "Devices", "pump-1")
    for text in ("online", "1,234", "5,678", "242", "9"):
        shows(seen, text)
    chart = page.get_by_label("Chart", exact=True)
    shows(chart, "97.25 °C")
    shows(chart, "4.5 l/s")
    alert = row(page, "Alerts, firing ones first", "hot-motor")
    for text in ("firing", "critical", "pump-1", "97.25 °C", "limit 90"):
        shows(alert, text)
    expect(alert).to_be_in_viewport()
    expect(page).to_have_title("(1) Headrace site-1")
    if path := os.environ.get("HEADRACE_SCREENSHOT"):
        page.screenshot(path=path)

    pump.publish(pack(("motor_temperature", "Cel", 55.5), ("flow", "l/s", 5.75)), "senml-json")
    shows(chart, "55.5 °C")
    shows(chart, "5.75 l/s")
    shows(alert, "resolved")
    expect(page).to_have_title("Headrace site-1")


def test_a_device_that_leaves_is_offline(page, device):
    """The retained state (here as its last will would say it) reaches a page that is open."""
    pump = device("pump-2")
    pump.publish_on(pump.topics.state("pump-2"), b'{"online": true}', retain=True)
    shows(row(page, "Devices", "pump-2"), "online")
    pump.publish_on(pump.topics.state("pump-2"), b'{"online": false}', retain=True)
    shows(row(page, "Devices", "pump-2"), "offline")


def test_many_devices_come_in_pages_and_are_found_by_name(page, device):
    """The browser holds one page of rows, however many devices there are."""
    node = device("node-00")
    for number in range(45):
        node.publish_on(node.topics.data(f"node-{number:02}", "senml-json"), pack(("x", "V", 1.0)))
    devices = page.get_by_role("region", name="Devices")
    shows(page.get_by_label("Pages of devices"), "of 4")
    expect(devices.locator("tbody tr")).to_have_count(20)
    page.get_by_label("Filter devices by name").fill("NODE-44")
    expect(devices.locator("tbody tr")).to_have_count(1)
    page.get_by_role("button", name="node-44").click()
    shows(page.get_by_label("Chart", exact=True), "1 V")


def test_names_that_devices_choose_are_text_and_never_markup(page, device):
    """A series called like a script must not run in the browser of the one who looks at it."""
    name = "<img src=x onerror=document.title='owned'>"
    node = device("aaa")
    node.publish(pack((name, "<b>", 1.5)), "senml-json")
    row(page, "Devices", "aaa").get_by_role("button").click()
    shows(page.get_by_role("heading", name=name), name)
    assert page.locator("img[src=x]").count() == 0
    assert "owned" not in page.title()


def test_a_series_that_changes_its_unit_is_noticed(page, device):
    """Somebody who compares old values with new ones has to know."""
    node = device("unit-1")
    for unit in ("Pa", "hPa"):
        node.publish(pack(("pressure", unit, 1.5)), "senml-json")
    noticed = row(page, "Notices", "unit-1")
    for text in ("pressure", "unit", "Pa", "hPa"):
        shows(noticed, text)


def test_two_devices_are_compared_on_one_chart(page, device):
    """The tick in front of a name adds its line; a click on the name looks at it alone."""
    for name, value in (("cmp-1", 1.25), ("cmp-2", 2.5)):
        device(name).publish(pack(("pressure", "Pa", value)), "senml-json")
    page.get_by_label("Filter devices by name").fill("cmp")
    page.get_by_role("button", name="cmp-1").click()
    page.get_by_label("cmp-2 on the chart").click()
    chart = page.get_by_label("Chart", exact=True)
    shows(chart, "1.25 Pa")
    shows(chart, "2.5 Pa")
    shows(page.get_by_label("Devices on the chart"), "cmp-2")
