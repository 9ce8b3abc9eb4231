"""Logging of the three programs: one line a fact on stderr, and conditions that speak twice only.

A line has a time, a level, the logger, a sentence, and what it is about as keys and values, which a
call gives as ``extra``::

    logger.warning("refused a batch", extra={"device": "pump-1", "reason": "bad_value"})

    2026-11-23T08:00:00.123Z WARNING gateway.pipeline: refused a batch device=pump-1 reason=bad_value
    {"time":"2026-11-23T08:00:00.123Z","level":"warning","logger":"gateway.pipeline",
     "event":"refused a batch","program":"gateway","site":"plant-1","device":"pump-1",…}

Text is for people and journald, JSON (``--log-format json``, ``[log] format``) for collectors; what
``bind`` says of the whole process stands in JSON only, where lines of many machines meet. All of it
is the standard library's logging, so the lines of every library come out the same way. It does what
structlog would, which takes 6.6 MB and 0.1 s that a device does not have.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

Format = Literal["text", "json"]

#: What a record has of its own; everything else was given as ``extra``.
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}

#: Libraries that tell more than anybody asked for.
_CHATTY: Final = (
    "amqtt", "transitions", "urllib3", "botocore", "httpx", "pyiceberg", "opentelemetry", "tuf",
    "websockets",
)  # fmt: skip

_bound: dict[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """``[log]``: the format of lines, where the command does not say."""

    format: Format = "text"


def set_up(verbose: bool = False, kind: Format | None = None) -> None:
    """Log to stderr; a format that is named here stands against the configuration's."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter(kind or "text", fixed=kind is not None))
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each.formatter, Formatter)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(logging.DEBUG if verbose else logging.WARNING)
    # It warns whenever a poll takes longer than its interval, which a replay under backpressure may.
    logging.getLogger("apscheduler").setLevel(logging.DEBUG if verbose else logging.ERROR)


def configure(config: LogConfig) -> None:
    """Take the configuration's format where the command named none."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, Formatter) and not handler.formatter.fixed:
            handler.formatter.kind = config.format


def bind(**context: str) -> None:
    """What every line of this process is about: program, site, device."""
    _bound.update(context)


class Formatter(logging.Formatter):
    """A record as one line."""

    def __init__(self, kind: Format, *, fixed: bool = False) -> None:
        super().__init__()
        self.kind = kind
        self.fixed = fixed

    def format(self, record: logging.LogRecord) -> str:
        about = {key: value for key, value in vars(record).items() if key not in _OWN}
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        at = at.replace("+00:00", "Z")
        if self.kind == "json":
            return self._json(record, at, about)
        # Many lines (a list of faults) stay many lines for people.
        said = "".join(f" {key}={_shown(value)}" for key, value in about.items())
        line = f"{at} {record.levelname:<7} {record.name}: {record.getMessage()}{said}"
        trace = self._trace(record)
        return f"{line}\n{trace}" if trace else line

    def _json(self, record: logging.LogRecord, at: str, about: dict[str, Any]) -> str:
        fields: dict[str, Any] = {
            "time": at, "level": record.levelname.lower(), "logger": record.name,
            "event": record.getMessage(), **_bound, **about,
        }  # fmt: skip
        if trace := self._trace(record):
            fields["exception"] = trace
        return msgspec.json.encode(fields, enc_hook=str).decode()

    def _trace(self, record: logging.LogRecord) -> str:
        return self.formatException(record.exc_info) if record.exc_info else ""


def _shown(value: object) -> str:
    """A value so that a line can be taken apart again: quoted where it has spaces or quotes."""
    text = str(value)
    plain = text and not any(each in text for each in ' ="\n')
    return text if plain else msgspec.json.encode(text).decode()


class Condition:
    """Something that is either fine or not, and is said once when it changes.

    A broker that is away for a night must not fill the log: the first failure is a warning, and so is
    a new reason ("connection lost", then "not authorized"); the recovery is an info line with the
    number of failures in between.
    """

    #: Reasons said in one bad spell; some carry addresses or numbers and are new each time.
    _MAX_REASONS = 3

    def __init__(self, logger: logging.Logger, what: str) -> None:
        self._logger = logger
        self._what = what
        self.failures = 0
        self._said: set[str] = set()

    @property
    def is_bad(self) -> bool:
        return self.failures > 0

    def bad(self, why: object, level: int = logging.WARNING) -> None:
        """It does not work; logged the first time, and when the reason is a new one."""
        self.failures += 1
        if str(why) not in self._said and len(self._said) < self._MAX_REASONS:
            self._said.add(str(why))
            self._logger.log(
                level, "%s: %s; trying again until it works", self._what, why,
                extra={"what": self._what, "failures": self.failures},
            )  # fmt: skip
        else:
            self._logger.debug("%s: still %s", self._what, why)

    def good(self) -> None:
        """It works; logged only when it did not before."""
        if self.failures:
            self._logger.info(
                "%s: works again after %d failures", self._what, self.failures,
                extra={"what": self._what, "failures": self.failures},
            )  # fmt: skip
        self.failures = 0
        self._said.clear()


class FirstTimes:
    """Warns of each of many offenders once; what they do afterwards is counted elsewhere.

    A device that is not let in tries again every minute for as long as it lives.
    """

    #: Offenders remembered; when it is full all are forgotten, and may be said once more.
    _MAX = 1_000

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._said: set[str] = set()

    def warn(
        self, text: str, *, about: str | None = None, extra: Mapping[str, object] | None = None
    ) -> None:
        """Log a text: as a warning the first time, for debugging from then on.

        Args:
            about: who and why, where the text differs each time.
        """
        about = text if about is None else about
        known = about in self._said
        if not known:
            if len(self._said) >= self._MAX:
                self._said.clear()
            self._said.add(about)
        self._logger.log(logging.DEBUG if known else logging.WARNING, "%s", text, extra=extra)
