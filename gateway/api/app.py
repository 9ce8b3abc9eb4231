"""The HTTP ingest as an application, and as a listener of the gateway."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api import openapi
from gateway.api.answers import refusal
from gateway.api.config import HttpIngestConfig
from gateway.api.desk import Desk
from gateway.api.influx import Influx
from gateway.api.readings import Readings
from gateway.listener import Listener
from headrace.errors import RequestError
from headrace.http_guard import guarded
from headrace.limits.http import HTTP_KEEP_ALIVE_S, HTTP_MAX_CONNECTIONS
from headrace.metrics import Metrics


def make_app(influx: Influx, readings: Readings, metrics: Metrics) -> Starlette:
    """All paths; every answer is counted."""
    routes = [*influx.routes(), *readings.routes(), *openapi.routes()]
    counted = [
        Route(route.path, _counted(route.endpoint, metrics), methods=list(route.methods or ()))
        for route in routes
    ]

    async def no_route(_request: Request, error: Exception) -> Response:
        """404 and 405 in the same shape as all others."""
        assert isinstance(error, HTTPException)  # noqa: S101  # that is what it is registered for
        answer = refusal(RequestError(error.status_code, error.detail))
        for name, value in (error.headers or {}).items():
            answer.headers[name] = value
        _count(metrics, error.status_code)
        return answer

    return Starlette(routes=counted, exception_handlers={HTTPException: no_route})


def http_listener(
    config: HttpIngestConfig, desk: Desk, metrics: Metrics, context: ssl.SSLContext | None
) -> Listener:
    """The listener, not started.

    Args:
        context: of the site's CA, or of the files that are configured; None for HTTP.
    """
    influx = Influx(desk=desk, device_tag=config.device_tag)
    return Listener(
        make_app(influx, Readings(desk), metrics),
        host=config.host,
        port=config.port,
        key="ingest.http.port",
        context=context,
        protocol=guarded(lambda status: _count(metrics, status)),
        max_concurrency=HTTP_MAX_CONNECTIONS,
        keep_alive_s=HTTP_KEEP_ALIVE_S,
    )


def _counted(
    endpoint: Callable[[Request], Awaitable[Response]], metrics: Metrics
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            found = await endpoint(request)
        except RequestError as error:
            found = refusal(error)
        _count(metrics, found.status_code)
        return found

    return answer


def _count(metrics: Metrics, status: int) -> None:
    metrics.count("http_requests", status=str(status))
