"""The ``exec`` input: runs a command at every poll and takes what it prints.

The poll waits for the command, at most ``timeout_s``. A command that fails is a failure of the input,
said with the last line of its stderr; what it printed before is not taken.
"""

from __future__ import annotations

import logging
import threading

from edge_agent.inputs.exec.child import run
from edge_agent.inputs.exec.output import readings
from edge_agent.inputs.exec.settings import ExecSettings
from edge_agent.inputs.port import Input
from edge_agent.inputs.values import Complaints
from edge_agent.readings import Poll

_log = logging.getLogger(__name__)


class ExecInput(Input):
    """Readings of one command; without times of their own they are of the end of the run."""

    def __init__(self, settings: ExecSettings) -> None:
        self.interval_s = settings.interval_s
        self._settings = settings
        self._complaints = Complaints(_log)
        self._stopping = threading.Event()

    def poll(self) -> Poll:
        settings = self._settings
        output = run(
            settings.command, timeout_s=settings.timeout_s, max_bytes=settings.max_bytes,
            stopping=self._stopping,
        )  # fmt: skip
        runs = list(
            readings(output, settings, now_us=self.clock.now_us(), complaints=self._complaints)
        )
        complaints = self._complaints
        return Poll(runs, dropped=complaints.take(), widened=complaints.take_widened())

    def interrupt(self) -> None:
        """A command may run for minutes; the service manager does not wait that long."""
        self._stopping.set()
