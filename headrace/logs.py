"""Logging of the three programs: one line a fact on stderr, and conditions that speak twice only."""

from __future__ import annotations

import logging
import sys


def set_up(verbose: bool = False) -> None:
    """Log to stderr; systemd and container runtimes add time and unit, people read the rest."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for chatty in ("amqtt", "transitions", "urllib3", "botocore", "httpx", "pyiceberg"):
        logging.getLogger(chatty).setLevel(logging.DEBUG if verbose else logging.WARNING)
    # It warns whenever a poll takes longer than its interval, which a replay under backpressure may.
    logging.getLogger("apscheduler").setLevel(logging.DEBUG if verbose else logging.ERROR)


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

    def bad(self, why: object) -> None:
        """It does not work; logged the first time, and when the reason is a new one."""
        self.failures += 1
        if str(why) not in self._said and len(self._said) < self._MAX_REASONS:
            self._said.add(str(why))
            self._logger.warning("%s: %s; trying again until it works", self._what, why)
        else:
            self._logger.debug("%s: still %s", self._what, why)

    def good(self) -> None:
        """It works; logged only when it did not before."""
        if self.failures:
            self._logger.info("%s: works again after %d failures", self._what, self.failures)
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

    def warn(self, text: str) -> None:
        """Log a text: as a warning the first time, for debugging from then on."""
        known = text in self._said
        if not known:
            if len(self._said) >= self._MAX:
                self._said.clear()
            self._said.add(text)
        self._logger.log(logging.DEBUG if known else logging.WARNING, "%s", text)
