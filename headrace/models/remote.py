"""The repository's client in a process of its own, for programs that have no room for TUF.

An agent of 45 MB looks at its repository every few minutes; python-tuf and its cryptography would
cost it a quarter more all day. So each look is a short process (``fetch``): a question as JSON on its
standard input, an answer on its standard output, errors by name.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from headrace.errors import HeadraceError, ModelError, ModelUntrusted, StorageError, TransportError
from headrace.limits.edge_models import MODELS_LOOK_TIMEOUT_S
from headrace.models import repository
from headrace.models.repository import Assignments

#: Errors that cross the pipe; anything else is a fault of the process.
KINDS: Final[dict[str, type[HeadraceError]]] = {
    kind.__name__: kind for kind in (ModelError, ModelUntrusted, StorageError, TransportError)
}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Where the repository is and what is wanted of it: refresh, assignments, fetch or prune."""

    verb: str
    folder: str
    source: str
    root: str
    ca: str = ""
    cert: str = ""
    key: str = ""
    name: str = ""
    version: int = 0
    keep: tuple[tuple[str, int], ...] = ()


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """``assignments`` or ``path``; or an error's kind, message and hint."""

    assignments: Assignments | None = None
    path: str = ""
    kind: str = ""
    message: str = ""
    hint: str = ""


class RemoteClient:
    """The port of ``headrace.models.place.Repository`` over such processes.

    Args:
        about: everything of the question but the verb.
    """

    def __init__(self, about: Question) -> None:
        self._about = about

    def refresh(self) -> Assignments:
        return self._ask("refresh").assignments or repository.Assignments()

    def assignments(self) -> Assignments | None:
        return self._ask("assignments").assignments

    def fetch(self, name: str, version: int) -> Path:
        return Path(self._ask("fetch", name=name, version=version).path)

    def prune(self, keep: Iterable[tuple[str, int]]) -> None:
        self._ask("prune", keep=tuple(keep))

    def _ask(self, verb: str, **more: Any) -> Reply:
        question = msgspec.structs.replace(self._about, verb=verb, **more)
        try:
            done = subprocess.run(
                [sys.executable, "-m", "headrace.models.fetch"],
                input=msgspec.json.encode(question), capture_output=True, check=False,
                timeout=MODELS_LOOK_TIMEOUT_S,
            )  # fmt: skip
            reply = msgspec.json.decode(done.stdout, type=Reply)
        except subprocess.TimeoutExpired as error:
            raise TransportError(
                f"model repository {self._about.source}: no answer within {MODELS_LOOK_TIMEOUT_S:g} s"
            ) from error
        except msgspec.MsgspecError as error:
            last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise ModelError(
                f"looking at the model repository failed with status {done.returncode}: {last}",
                hint="pip install 'headrace[agent-inference]'",
            ) from error
        if reply.kind:
            raise KINDS.get(reply.kind, ModelError)(reply.message, hint=reply.hint)
        return reply
