"""The verified part of the repository, served to agents: read-only, over HTTPS beyond this machine.

What is served is what this gateway has verified and an agent verifies again with its own trusted
root: the mirror is not trusted with anything, it saves each device the way to the cloud. The same
files are below /models/ of the gateway's HTTP side, which never leaves this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from gateway.listener import Listener
from gateway.listener_tls import renewed_context
from gateway.models.config import Mirror


def files_app(folder: Path) -> StaticFiles:
    """The folder's files, and nothing beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    return StaticFiles(directory=folder, follow_symlink=False)


def mirror_listener(folder: Path, config: Mirror, more: Sequence[Route] = ()) -> Listener:
    """A listener of its own, so that devices reach the models and not the console."""
    app = Starlette(routes=more)
    app.mount("/models", files_app(folder))
    files = config.certfile, config.keyfile
    return Listener(
        app,
        host=config.host,
        port=config.port or 0,
        key="model_repository.mirror.port",
        context=renewed_context(files[0], files[1]) if files[0] and files[1] else None,
    )
