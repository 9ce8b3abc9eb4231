"""What ``gateway models`` asks a running gateway for: small files that it looks for once a second.

A folder and not an address: it needs no port and no password, whoever may write into the gateway's
data folder may ask, and what is asked while the gateway is down is done when it is up again. A
request is done when its file is gone.
"""

from __future__ import annotations

import logging
import secrets
from pathlib import Path
from typing import Final, Literal

import msgspec

from headrace.models import files

logger = logging.getLogger(__name__)

#: Requests looked at in one round; more wait for the next.
_PER_ROUND: Final = 100


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One thing asked for. ``check``: look at the repository now. ``retry``: forget a refusal."""

    verb: Literal["check", "rollback", "retry"]
    model: str = ""
    version: int | None = None
    reason: str = ""


def ask(folder: Path, request: Request) -> Path:
    """Leave a request; its path is gone when it was taken.

    Raises:
        StorageError: the folder cannot be written.
    """
    path = folder / f"{secrets.token_hex(8)}.json"
    files.write(path, msgspec.json.encode(request))
    return path


def take(folder: Path) -> list[Request]:
    """What has been asked for; each is gone from the folder when this returns."""
    found = []
    for path in sorted(folder.glob("*.json"))[:_PER_ROUND]:
        try:
            found.append(msgspec.json.decode(files.read(path) or b"", type=Request))
        except msgspec.MsgspecError as error:
            logger.warning("%s: not a request, removed: %s", path, error)
        path.unlink(missing_ok=True)
    return found
