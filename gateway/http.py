"""The gateway's HTTP side: metrics, health, a small API, and the console where it is switched on.

/metrics                 Prometheus exposition
/healthz                 200 while the process works
/readyz                  200 while it takes batches, 503 with reasons otherwise
/api/v1/devices          devices with state, last seen, buffered
/api/v1/alerts           newest transition of each alert
/api/v1/gaps/{device}    what a device's streams lack: {"stream": [[first, last], …]}
/api/v1/notices          series that changed their type or unit, newest first
/api/v1/clashes          client ids and device ids that two have
/api/v1/sparkplug        how host and nodes are; null where Sparkplug is off
/api/v1/consumers        cursor and lag of everyone behind the journal
/models/                 the verified part of the model repository, where one is configured
/                        the console
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from gateway.live import Live
from gateway.status import Status
from headrace.metrics import Metrics


def make_app(
    status: Status, live: Live, metrics: Metrics, sparkplug: Callable[[], Any] = lambda: None
) -> FastAPI:
    """The application without the console.

    Args:
        sparkplug: how host and nodes are; None where there are none.
    """
    app = FastAPI(title="Headrace gateway", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/metrics")
    def metrics_text() -> Response:
        status.refresh_metrics(live.online, live.clock_offsets())
        return PlainTextResponse(metrics.text(), media_type="text/plain; version=0.0.4")

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    def readyz() -> Response:
        reasons = status.not_ready()
        return JSONResponse(
            {"ready": not reasons, "reasons": reasons}, status_code=503 if reasons else 200
        )

    @app.get("/api/v1/devices")
    def devices() -> list[dict[str, Any]]:
        return live.devices()

    @app.get("/api/v1/alerts")
    def alerts() -> list[dict[str, Any]]:
        return live.alerts()

    @app.get("/api/v1/gaps/{device}")
    def gaps(device: str) -> dict[str, list[tuple[int, int]]]:
        return status.gaps(device)

    @app.get("/api/v1/consumers")
    def consumers() -> list[dict[str, Any]]:
        return status.consumers()

    _add_trouble(app, status, live, sparkplug)
    return app


def _add_trouble(app: FastAPI, status: Status, live: Live, sparkplug: Callable[[], Any]) -> None:
    """What somebody should see to."""

    @app.get("/api/v1/notices")
    def notices() -> list[dict[str, Any]]:
        return live.notices()

    @app.get("/api/v1/clashes")
    async def clashes() -> list[dict[str, Any]]:  # async: the broker is asked in its own loop
        return [msgspec.structs.asdict(each) for each in (*status.clashes(), *live.clashes())]

    @app.get("/api/v1/sparkplug")
    def sparkplug_nodes() -> Any:
        return sparkplug()
