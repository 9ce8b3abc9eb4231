"""The real destinations that ``tests/contract/test_sinks.py`` runs over: one module each.

A module has ``make(folder) -> Destination``; its name is in ``NAMES``. A new sink is done when it is.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.feed import Entry
from gateway.sinks.port import Sink
from tests.gateway_entries import series
from tests.servers.link import Link

NAMES = (
    "file",
    "influxdb_v1",
    "influxdb_v3",
    "kafka",
    "mqtt_gateway",
    "mqtt_json",
    "mqtt_sparkplug",
    "postgres",
    "victoriametrics",
    "webhook",
)


@dataclass(frozen=True)
class Bad:
    """A batch that the destination takes in part: ``refused`` of its readings go to quarantine."""

    batch: Entry
    reason: str
    refused: int


def not_finite() -> Bad:
    """What line protocol and JSON cannot say."""
    return Bad(series("pump-1", "flow", [1.0, float("inf"), 3.0, float("nan")]), "not_finite", 2)


@dataclass(frozen=True)
class Destination:
    """A real server that can be stopped and started again, its sink, and what is in it.

    Attributes:
        up: runs the server on the same data and port; gives a count of the readings that are there,
            each once, as a reader counts who follows the sink's README.
        bad: None where the destination takes everything that the journal holds.
        link: the network before it, which can be slow or swallow everything, until ``up`` begins again;
            None where there is none. The sink's timeout must be two to four seconds then: less, and a busy machine looks like one that hangs.
        close: ends what ``up`` leaves running.
    """

    sink: Sink
    up: Callable[[], AbstractContextManager[Callable[[], int]]]
    bad: Bad | None = field(default_factory=not_finite)
    link: Link | None = None
    close: Callable[[], None] = lambda: None


def make(name: str, folder: Path) -> Destination:
    """The destination of that name; its module is imported only here, for what it needs."""
    module = importlib.import_module(f"{__name__}.{name}")
    made: Destination = module.make(folder)
    return made
