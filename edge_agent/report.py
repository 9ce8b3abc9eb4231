"""What the agent says of itself: the retained device state and the metrics endpoint."""

from __future__ import annotations

from collections.abc import Callable

from edge_agent.buffer.store import Store
from edge_agent.enrol.renewal import Renewal
from edge_agent.identity import ClockWatch
from headrace import __version__
from headrace.clock import Clock
from headrace.errors import TransportError
from headrace.metrics import Metrics
from headrace.wire import DeviceState


class Report:
    """Reads the counters where they are kept: in the buffer file, across restarts."""

    def __init__(
        self,
        store: Store,
        *,
        boot: str,
        clock: Clock,
        metrics: Metrics,
        models: Callable[[], dict[str, int]] | None = None,
        renewal: Renewal | None = None,
    ) -> None:
        self._renewal = renewal
        self._store, self._boot, self._metrics, self._models = store, boot, metrics, models
        self._clock_watch = ClockWatch(clock)

    def state(self, online: bool) -> DeviceState:
        """The document of the device's state topic."""
        counts = self._store.counts()
        self._metrics.set("buffered_readings", counts.buffered)
        return DeviceState(
            online=online,
            version=__version__,
            boot=self._boot,
            clock=self._clock_watch.state(),
            stream=self._store.stream,
            buffered=counts.buffered,
            sampled=counts.sampled,
            dropped=dict(counts.dropped),
            models=self._models() if self._models is not None else None,
            certificate=self._renewal.ends_at_us if self._renewal is not None else 0,
            renewal=self._renewal.failure if self._renewal is not None else "",
        )


def serve_metrics(metrics: Metrics, port: int) -> None:
    """Answer Prometheus on 127.0.0.1, from a thread of its own.

    Raises:
        TransportError: the port is taken.
    """
    from prometheus_client import start_http_server

    try:
        start_http_server(port, addr="127.0.0.1", registry=metrics.registry)
    except OSError as error:
        raise TransportError(
            f"metrics cannot be served on 127.0.0.1:{port}: {error}",
            hint="set another metrics.port",
        ) from error
