"""The gateway's HTTP side: metrics, health, a small API, and the console where it is switched on.

/metrics                 Prometheus exposition
/healthz                 200 while the process works
/readyz                  200 while it takes batches, 503 with reasons otherwise
/api/v1/devices          devices with state, last seen, buffered
/api/v1/alerts           newest transition of each alert
/api/v1/gaps/{device}    what a device's streams lack: {"stream": [[first, last], …]}
/api/v1/consumers        cursor and lag of everyone behind the journal
/models/                 the verified part of the model repository, where one is configured
/                        the console
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from gateway.config import HttpConfig
from gateway.live import Live
from gateway.status import Status
from headrace.errors import TransportError
from headrace.metrics import Metrics


def make_app(status: Status, live: Live, metrics: Metrics) -> FastAPI:
    """The application without the console."""
    app = FastAPI(title="Headrace gateway", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/metrics")
    def metrics_text() -> Response:
        status.refresh_metrics(live.online)
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

    return app


class HttpServer:
    """uvicorn inside the gateway's event loop."""

    def __init__(self, app: FastAPI, config: HttpConfig) -> None:
        self._config = config
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                host=config.host,
                port=config.port,
                log_level="warning",
                access_log=False,
                lifespan="on",
                timeout_graceful_shutdown=2,
                limit_concurrency=200,
            )
        )
        # Signals are the gateway's: it has more to stop than this server.
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        self._server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            TransportError: the port is taken.
        """
        self._task = asyncio.create_task(self._serve(), name="http")
        while not self._server.started:
            if self._task.done():
                raise TransportError(
                    f"cannot listen on {self._config.host}:{self._config.port}",
                    hint="is another gateway running? set http.port",
                )
            await asyncio.sleep(0.01)

    async def _serve(self) -> None:
        # uvicorn ends a process that cannot bind; here that is one part of a larger program.
        with contextlib.suppress(SystemExit):
            await self._server.serve()

    async def stop(self) -> None:
        self._server.should_exit = True
        if self._task is not None:
            await self._task
