"""Puts the parts of the page together and refreshes them while somebody looks.

The page runs in the gateway's own event loop and server. A viewer's timer ends with his connection;
there are at most ``CONSOLE_MAX_VIEWERS``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response
from nicegui import Client, ui

from gateway.console.alerts import Alerts
from gateway.console.chart import Chart
from gateway.console.devices import Devices
from gateway.console.header import LOGO, Header
from gateway.console.models import Models, Rows
from gateway.console.notices import Notices
from gateway.console.parts import block
from gateway.console.picture import Picture, Pictures
from gateway.console.selection import Selection
from gateway.live import Live
from gateway.status import Status
from headrace.clock import SystemClock
from headrace.limits.console import CONSOLE_MAX_ALERTS, CONSOLE_MAX_VIEWERS, CONSOLE_REFRESH_S

_STYLE: Final = Path(__file__).with_name("console.css")


def mount(app: FastAPI, live: Live, status: Status, models: Rows | None = None) -> None:
    """Show the console at ``/`` of the gateway's application; once a process, before it serves.

    Args:
        models: one row a model of the repository, where there is one.
    """
    pictures = Pictures(live, SystemClock(), status.missing)

    @ui.page("/")
    def console() -> Response | None:
        if len(Client.instances) > CONSOLE_MAX_VIEWERS:
            return PlainTextResponse(
                f"{CONSOLE_MAX_VIEWERS} others look at this page; close one and load it again\n",
                status_code=503,
            )
        Page(live, status, pictures, models)
        return None

    ui.run_with(
        app,
        title="Headrace",
        favicon=LOGO,
        dark=None,
        language="en-GB",
        tailwind=False,
        binding_refresh_interval=None,
        show_welcome_message=False,
    )


class Page:
    """What one viewer sees."""

    def __init__(
        self, live: Live, status: Status, pictures: Pictures, models: Rows | None = None
    ) -> None:
        self._pictures = pictures
        self._site = status.site
        self._title = ""
        self._selection = Selection()
        ui.add_css(_STYLE)
        self._header = Header(status)
        with block("main", "hr-main"):
            self._alerts = Alerts(live, self._choose_alert)
            with block("div", "hr-columns"):
                self._devices = Devices(
                    self._selection, on_choose=self._choose, on_toggle=self._toggle
                )
                self._chart = Chart(live, self._selection, self._choose_series)
            self._models = Models(models) if models is not None else None
            self._notices = Notices(live)
        ui.timer(CONSOLE_REFRESH_S, self._refresh)

    def _refresh(self) -> None:
        picture = self._pictures.latest()
        self._selection.follow(picture.urgent)
        self._selection.settle(list(self._chart.offered()), self._alarming(picture))
        self._header.show(picture)
        self._alerts.show(picture)
        self._devices.show(picture)
        self._chart.show(picture.now_us)
        if self._models is not None:
            self._models.show()
        self._notices.show()
        self._show_title(picture.firing)

    def _alarming(self, picture: Picture) -> set[str]:
        """Series of the chosen devices that an alert is about at present."""
        return {
            alert["series"]
            for alert in picture.alerts[:CONSOLE_MAX_ALERTS]
            if alert["device"] in self._selection.devices and alert["state"] != "resolved"
        }

    def _show_title(self, firing: int) -> None:
        title = f"({firing}) Headrace {self._site}" if firing else f"Headrace {self._site}"
        if title != self._title:
            self._title = title
            ui.page_title(title)

    def _choose(self, device: str) -> None:
        self._selection.only(device)
        self._refresh()

    def _toggle(self, device: str) -> None:
        if not self._selection.toggle(device):
            ui.notify("The chart is full: take another device off first.", type="info")
        self._refresh()

    def _choose_series(self, series: list[str]) -> None:
        self._selection.show(series)
        self._refresh()

    def _choose_alert(self, device: str, series: str) -> None:
        self._selection.only(device)
        offered = list(self._chart.offered())
        self._selection.settle(offered)
        if series in offered and series not in self._selection.series:
            self._selection.show([series, *self._selection.series])
        self._refresh()
