"""Apprise behind a deadline.

``notify()`` of a mail server that accepts a connection and then says nothing blocks for as long as
the library likes. So each call runs in a daemon thread of its own and is given up after
``NOTIFY_TIMEOUT_S``; a target whose thread still hangs is not called again until that ends.
URLs hold passwords, webhook URLs are passwords: a target is called by its name in every message, and
the debug output of Apprise and urllib3, which prints URLs and paths, is cut off also with --verbose.
Apprise's warnings become the reason of a failed attempt instead of a log line at each.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Protocol

from gateway.notify.config import NotifyConfig
from gateway.notify.outbox import Note
from headrace.errors import ConfigError, Fault
from headrace.limits.consumers import NOTIFY_TIMEOUT_S

_TYPES: Final[Mapping[str, str]] = {
    "info": "info",
    "warning": "warning",
    "critical": "failure",
    "resolved": "success",
}


_TALKS_OF_URLS: Final = ("apprise", "urllib3.connectionpool")


@dataclass(frozen=True, slots=True)
class Attempt:
    """Whether a note was taken, and if not, what was said."""

    taken: bool
    reason: str = ""


class Sender(Protocol):
    """What the notify consumer needs."""

    def send(self, notes: Sequence[Note]) -> Mapping[str, Attempt]:
        """Try each note (of different targets) once; note key → how it went."""
        ...


class AppriseSender:
    """Sends through Apprise.

    Raises:
        ConfigError: a URL file cannot be read or holds something that is no Apprise URL.
    """

    def __init__(
        self, targets: Mapping[str, NotifyConfig], *, timeout_s: float = NOTIFY_TIMEOUT_S
    ) -> None:
        for name in _TALKS_OF_URLS:
            logging.getLogger(name).addFilter(_keep_for_the_attempt)
        self._services = {name: _service(name, target) for name, target in targets.items()}
        self._timeout_s = timeout_s
        self._calls: dict[str, _Call] = {}

    def send(self, notes: Sequence[Note]) -> Mapping[str, Attempt]:
        calls = {}
        for note in notes:
            hanging = self._calls.get(note.target)
            if hanging is None or not hanging.is_alive():
                call = self._calls[note.target] = _Call(self._services[note.target], note)
                call.start()
                calls[note.key] = call
        deadline = time.monotonic() + self._timeout_s
        for call in calls.values():
            call.join(max(0.0, deadline - time.monotonic()))
        return {
            note.key: calls[note.key].attempt if note.key in calls else _HANGS for note in notes
        }


#: The call that this code runs in; Apprise hands the context on to its own worker threads.
_calling: ContextVar[_Call | None] = ContextVar("_calling", default=None)

_HANGS: Final = Attempt(False, "no answer in time")


class _Call(threading.Thread):
    """One attempt at one note."""

    def __init__(self, service: Any, note: Note) -> None:
        super().__init__(name=f"notify-{note.target}", daemon=True)
        self._service = service
        self._note = note
        self.attempt = _HANGS
        self.warning = "the notification was not taken"

    def run(self) -> None:
        note = self._note
        _calling.set(self)
        # notify() reports failure as a false result; a plugin that raises counts the same.
        try:
            taken = self._service.notify(
                title=note.title, body=note.body, notify_type=_TYPES[note.kind]
            )
            self.attempt = Attempt(True) if taken else Attempt(False, self.warning)
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            self.attempt = Attempt(False, type(error).__name__)


def _service(name: str, target: NotifyConfig) -> Any:
    from apprise import Apprise  # imported late: 100 notification services cost 0.2 s and 20 MB

    service = Apprise()
    for number, url in enumerate(_urls(name, target), start=1):
        if not service.add(url):
            raise ConfigError(
                f"notify target {name}", [Fault("", f"URL {number} is not an Apprise URL")]
            )
    return service


def _urls(name: str, target: NotifyConfig) -> list[str]:
    if target.url_file is None:
        return [target.url]
    try:
        text = target.url_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"notify target {name}", [Fault("url_file", f"cannot be read: {error}")]
        ) from error
    lines = (line.strip() for line in text.splitlines())
    urls = [line for line in lines if line and not line.startswith("#")]
    if not urls:
        raise ConfigError(f"notify target {name}", [Fault("url_file", "holds no URL")])
    return urls


def _keep_for_the_attempt(record: logging.LogRecord) -> bool:
    """A log filter: a warning inside a call becomes its reason, and no call is logged in detail."""
    call = _calling.get()
    if call is None:
        return record.levelno > logging.DEBUG
    if record.levelno >= logging.WARNING:
        call.warning = record.getMessage()
    return False
