"""A webhook: a receiver that follows the README, and remembers which events it has."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.sinks.webhook import PLUGIN, WebhookSettings
from tests.contract.sink_destinations import Destination
from tests.servers import free_port
from tests.servers.http import Reply, Request, http_server
from tests.servers.link import Link


class Receiver:
    """Has each event once, by its source and id."""

    def __init__(self) -> None:
        self.events: dict[tuple[str, str], list[dict[str, object]]] = {}

    def __call__(self, request: Request) -> Reply:
        for event in json.loads(request.body):
            self.events.setdefault((event["source"], event["id"]), event["data"])
        return Reply(200, b"thank you")

    def count(self) -> int:
        return sum(len(data) for data in self.events.values())


def make(folder: Path) -> Destination:
    port, receiver = free_port(), Receiver()
    link = Link(port)
    settings = WebhookSettings(url=f"http://127.0.0.1:{link.port}/hook", timeout_s=2.5)

    @contextmanager
    def up() -> Iterator[Callable[[], int]]:
        with http_server(receiver, port=port):
            link.mend()
            yield receiver.count

    return Destination(PLUGIN.build(settings, site="s"), up, link=link)
