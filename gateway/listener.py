"""uvicorn as one part of a larger program: started, stopped and failing like the other parts."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any, Final

import uvicorn

from headrace.errors import TransportError

#: Requests at once: pages, scrapes and downloads of a site, not of the internet.
_MAX_CONCURRENCY: Final = 200
_GRACE_S: Final = 2
_KEEP_ALIVE_S: Final = 5


class Listener:
    """One ASGI application on one address, inside the running event loop.

    Args:
        key: the setting that moves it elsewhere, for the message when the address is taken.
        lifespan: whether the application wants to hear of start and stop.
        context: HTTPS with this, whose certificate is kept up to date; None for HTTP.
        protocol: a connection, where uvicorn's own is not bounded enough.
    """

    def __init__(
        self,
        app: Any,
        *,
        host: str,
        port: int,
        key: str,
        lifespan: bool = False,
        context: ssl.SSLContext | None = None,
        protocol: type[asyncio.Protocol] | None = None,
        max_concurrency: int = _MAX_CONCURRENCY,
        keep_alive_s: int = _KEEP_ALIVE_S,
    ) -> None:
        self._address, self._key = f"{host}:{port}", key
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                # Its lines go where all lines go.
                log_config=None,
                log_level="warning",
                access_log=False,
                lifespan="on" if lifespan else "off",
                timeout_graceful_shutdown=_GRACE_S,
                limit_concurrency=max_concurrency,
                timeout_keep_alive=keep_alive_s,
                http=protocol or "auto",
                ws="none" if protocol else "auto",
                ssl_context_factory=(lambda _config, _default: context) if context else None,
            )
        )
        # Signals are the gateway's: it has more to stop than this server.
        self._server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            TransportError: the address is taken.
        """
        self._task = asyncio.create_task(self._serve(), name=self._key)
        while not self._server.started:
            if self._task.done():
                raise TransportError(
                    f"cannot listen on {self._address}",
                    hint=f"does something else listen there? set {self._key}",
                )
            await asyncio.sleep(0.01)

    async def _serve(self) -> None:
        # uvicorn ends a process that cannot bind; here that is one part of a larger program.
        with contextlib.suppress(SystemExit):
            await self._server.serve()

    async def stop(self) -> None:
        """End connections and stop listening."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
