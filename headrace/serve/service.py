"""The server as a program: workers first, then the door; at the end the other way round."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from pathlib import Path
from typing import Any

import uvicorn

from headrace.errors import TransportError
from headrace.http_guard import guarded
from headrace.limits.query import SERVE_MAX_CONNECTIONS, SERVE_STALL_S, SERVE_STOP_S
from headrace.metrics import Metrics
from headrace.serve.app import Paths
from headrace.serve.config import Serve
from headrace.serve.crew import Crew
from headrace.serve.frames import Source
from headrace.serve.tokens import Tokens

log = logging.getLogger(__name__)


def run(settings: Serve, source: Source) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        ConfigError: the token file has no token.
        StorageError: a worker did not start.
        TransportError: the address is taken.
    """
    tokens = Tokens(settings.token_file) if settings.token_file is not None else None
    asyncio.run(_serve(settings, source, tokens))


async def _serve(settings: Serve, source: Source, tokens: Tokens | None) -> None:
    metrics = Metrics("serve")
    crew = Crew(source, settings.max_queries, metrics)
    await crew.start()
    try:
        server = uvicorn.Server(_config(settings, Paths(settings, crew, tokens, metrics).app()))
        # uvicorn would end with the signal that stopped it, and this program ends with status 0.
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(
                number, setattr, server, "should_exit", True
            )
        # And it ends a process that cannot bind, before anybody knows why.
        with contextlib.suppress(SystemExit):
            log.info("listening", extra={"host": settings.host, "port": settings.port})
            await server.serve()
        if not server.started:
            raise TransportError(
                f"cannot listen on {settings.host}:{settings.port}",
                hint="does something else listen there? set serve.port",
            )
    finally:
        await crew.stop()


def _config(settings: Serve, app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        ssl_certfile=_text(settings.certfile),
        ssl_keyfile=_text(settings.keyfile),
        log_level="warning",
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=round(SERVE_STOP_S),
        limit_concurrency=SERVE_MAX_CONNECTIONS,
        http=_Impatient,
        ws="none",
    )


class _Impatient(guarded(lambda _status: None)):  # type: ignore[misc]
    """A connection whose other end takes nothing is given up, with what was to be sent."""

    def connection_made(self, transport: Any) -> None:
        own = transport.get_extra_info("socket")
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1_000 * SERVE_STALL_S))
        super().connection_made(transport)


def _text(path: Path | None) -> str | None:
    return str(path) if path is not None else None
