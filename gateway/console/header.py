"""The line on top: site, readiness with its reasons, journal, who is how far behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from nicegui import ui

from gateway.console import format as fmt
from gateway.console.parts import Text, block, text
from gateway.console.picture import Picture
from gateway.status import Status

#: Batches behind the head beyond which a consumer is shown as late; a busy one is some behind always.
_LATE_BATCHES: Final = 1_000

LOGO: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="22" height="22">'
    '<rect width="24" height="24" rx="5" fill="#0b7285"/>'
    '<path d="M3 9c3 0 3 2.5 6 2.5S12 9 15 9s3 2.5 6 2.5M3 14.5c3 0 3 2.5 6 2.5s3-2.5 6-2.5 3 2.5 6 2.5"'
    ' fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round"/></svg>'
)


class Header:
    """Made once a viewer; ``show`` is called at every refresh."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._consumers: dict[str, Text] = {}
        with block("header", "hr-header"):
            with block("h1", "hr-brand"):
                ui.html(LOGO, sanitize=False).classes("hr-logo").props("aria-hidden=true")
                text("Headrace")
            text(status.site, "hr-site").props["title"] = "site"
            self._ready = text("", "hr-pill")
            self._ready.props["role"] = "status"
            self._figures = block("dl", "hr-figures")
            with self._figures:
                self._devices = _figure(
                    "devices online", "devices that say so, of all that are known"
                )
                self._head = _figure("journal", "number of the newest batch")
                self._behind = block("div", "hr-figure")
                with self._behind:
                    text("batches to read", tag="dt").props["title"] = (
                        "how far each consumer lies behind the journal"
                    )
                    self._lags = block("dd", "hr-lags")

    def show(self, picture: Picture) -> None:
        reasons = self._status.not_ready()
        self._ready.say(
            f"not ready: {'; '.join(reasons)}" if reasons else "ready",
            tone="bad" if reasons else "good",
            title="batches are taken, stored and acknowledged" if not reasons else "",
        )
        online = picture.counts.get("online", 0)
        self._devices.say(f"{fmt.count(online)} / {fmt.count(len(picture.devices))}")
        self._head.say(fmt.count(self._status.head))
        consumers = self._status.consumers()
        self._behind.set_visibility(bool(consumers))
        for consumer in consumers:
            self._show_consumer(consumer)

    def _show_consumer(self, consumer: Mapping[str, Any]) -> None:
        name = consumer["consumer"]
        if name not in self._consumers:
            with self._lags:
                self._consumers[name] = text("", "hr-lag")
        lag, failure = consumer["lag_batches"], consumer["failure"]
        tone = "bad" if failure else "warn" if lag > _LATE_BATCHES else ""
        self._consumers[name].say(
            f"{name} {'stopped' if failure else fmt.count(lag)}",
            tone=tone,
            title=failure or f"has read up to batch {fmt.count(consumer['cursor'])}",
        )


def _figure(name: str, title: str) -> Text:
    with block("div", "hr-figure"):
        text(name, tag="dt").props["title"] = title
        return text("", tag="dd")
