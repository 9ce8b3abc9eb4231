"""The verified part of the repository, served to agents: read-only, over HTTPS beyond this machine.

What is served is what this gateway has verified and an agent verifies again with its own trusted
root: the mirror is not trusted with anything, it saves each device the way to the cloud. The same
files are below /models/ of the gateway's HTTP side, which never leaves this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.staticfiles import StaticFiles

from gateway.models.config import Mirror
from headrace.errors import TransportError


def files_app(folder: Path) -> StaticFiles:
    """The folder's files, and nothing beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    return StaticFiles(directory=folder, follow_symlink=False)


class MirrorServer:
    """A listener of its own, so that devices reach the models and not the console."""

    def __init__(self, folder: Path, config: Mirror) -> None:
        self._config = config
        app = Starlette()
        app.mount("/models", files_app(folder))
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                host=config.host,
                port=config.port or 0,
                ssl_certfile=config.certfile,
                ssl_keyfile=config.keyfile,
                log_level="warning",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=2,
                limit_concurrency=200,
            )
        )
        # Signals are the gateway's: it has more to stop than this server.
        self._server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            TransportError: the port is taken.
        """
        self._task = asyncio.create_task(self._serve(), name="model-mirror")
        while not self._server.started:
            if self._task.done():
                raise TransportError(
                    f"cannot listen on {self._config.host}:{self._config.port}",
                    hint="set model_repository.mirror.port",
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
