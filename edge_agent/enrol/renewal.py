"""Keeps the running agent's certificate fresh: a thread that looks once an hour.

The attempt itself is a process of its own, ``edge-agent enroll --renew --if-due``: it needs an HTTP
client and a package that makes keys, 15 MB that an agent would carry for months to use for a second.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge_agent.enrol.files import DeviceFiles, validity_of
from edge_agent.enrol.plan import Outcome, Plan
from headrace.clock import Clock
from headrace.errors import StorageError, TransportError
from headrace.limits.enrolment import CERTIFICATE_WARN_DAYS, RENEW_ATTEMPT_S
from headrace.logs import Condition
from headrace.metrics import Metrics
from headrace.pki.validity import Validity

_log = logging.getLogger(__name__)

_MAX_REASON_CHARS: Final = 300
Attempt = Callable[[], None]


class Renewal:
    """The certificate of one device.

    Args:
        attempt: renews if it is due; raises TransportError with the reason when it could not. None
            where nobody is named to renew from: then the end is watched and warned of.
        synced: whether this machine's clock can be believed.
        renewed: called after the files have changed.
    """

    def __init__(
        self,
        certificate: Path,
        *,
        attempt: Attempt | None,
        clock: Clock,
        synced: Callable[[], bool],
        metrics: Metrics,
        renewed: Callable[[], None],
    ) -> None:
        self._files = DeviceFiles(certificate.parent)
        self._certificate = certificate
        self._attempt, self._clock, self._synced = attempt, clock, synced
        self._metrics, self._renewed = metrics, renewed
        self._plan = Plan()
        self._trouble = Condition(_log, f"renewing {certificate}")
        self._ending = Condition(_log, f"certificate {certificate}")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="renewal", daemon=True)
        self.ends_at_us = 0
        self.failure = ""
        self._look()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; an attempt that is under way ends by itself, and is finished at the next start."""
        self._stop.set()

    def step(self) -> float:
        """Look, and try if it is time; returns the seconds until the next look."""
        validity = self._look()
        mono, now_us = self._clock.monotonic(), self._clock.now_us()
        if self._attempt is not None and self._plan.should_try(
            validity, now_us, synced=self._synced(), mono=mono
        ):
            outcome = self._try(self._attempt, validity)
            self._plan.tried(outcome, mono)
            self._metrics.count("certificate_renewals", outcome=outcome)
        self._warn(self._look(), now_us)
        return self._plan.next_look_s(mono)

    def _run(self) -> None:
        pause_s = 0.0
        while not self._stop.wait(pause_s):
            pause_s = self.step()

    def _try(self, attempt: Attempt, before: Validity | None) -> Outcome:
        try:
            attempt()
        except TransportError as error:
            self.failure = error.message[:_MAX_REASON_CHARS]
            self._trouble.bad(error)
            return "failed"
        self.failure = ""
        self._trouble.good()
        validity = self._look()
        if validity is None or validity == before:
            return "not_due"
        _log.info("the certificate is renewed; it is good for %.0f days", self._days(validity))
        self._renewed()
        return "renewed"

    def _look(self) -> Validity | None:
        """Read the certificate, and finish a change that was cut off."""
        try:
            if self._attempt is not None:
                self._files.settle()
            validity = validity_of(self._certificate)
        except StorageError as error:
            self.failure = error.message[:_MAX_REASON_CHARS]
            self._trouble.bad(error)
            return None
        self.ends_at_us = validity.not_after
        self._metrics.set("certificate_days", self._days(validity))
        return validity

    def _warn(self, validity: Validity | None, now_us: int) -> None:
        """Say that the end is near; by a clock that cannot be believed, nothing is said."""
        if validity is None or not self._synced():
            return
        if validity.days_left(now_us) < CERTIFICATE_WARN_DAYS:
            self._ending.bad(f"ends in {validity.days_left(now_us):.0f} days, and is not renewed")
        else:
            self._ending.good()

    def _days(self, validity: Validity) -> float:
        return validity.days_left(self._clock.now_us())


def attempt_from(gateway: str, folder: Path) -> Attempt:
    """The attempt as a process."""
    argv = [sys.executable, "-m", "edge_agent", "enroll", gateway, "--renew", "--if-due"]

    def attempt() -> None:
        try:
            done = subprocess.run(
                [*argv, "--out", str(folder)], capture_output=True, text=True, check=False,
                timeout=RENEW_ATTEMPT_S, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TransportError(f"the attempt did not run: {error}") from error
        if done.returncode:
            raise TransportError(_reason(done.stderr))

    return attempt


def _reason(said: str) -> str:
    """The error that a command ends with, on one line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return " ".join(lines[-3:]).removeprefix("error: ") or "it ended without a reason"
