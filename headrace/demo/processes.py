"""Starts, watches and stops the demo's programs."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from headrace.demo.plan import Program
from headrace.errors import HeadraceError

#: How long a program may take to stop by itself: an agent drains its buffer, cloud-sync lands once more.
STOP_S: Final = 30.0

_PR_SET_PDEATHSIG: Final = 1


class ProgramEnded(HeadraceError):
    """A program of the demo ended although nobody asked it to."""


class Processes:
    """The programs that run; leaving the block ends whatever still does."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[Program, subprocess.Popen[bytes]]] = {}

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_exc: object) -> None:
        for _, process in self._running.values():
            if process.poll() is None:
                process.kill()
                process.wait()

    def start(self, program: Program) -> None:
        """Start a program; its output goes to its log."""
        with program.log.open("ab") as log:
            process = subprocess.Popen(
                program.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the demo alone: it stops its programs in an order.
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self._running[program.name] = (program, process)

    def check(self) -> None:
        """Notice a program that has ended.

        Raises:
            ProgramEnded: with the end of its log.
        """
        for name, (program, process) in self._running.items():
            status = process.poll()
            if status is not None:
                raise ProgramEnded(
                    f"{name} ended with status {status}:\n{tail(program.log)}",
                    hint=f"its whole log: {program.log}",
                )

    def have_ended(self) -> bool:
        """Whether all of them, which end by themselves, have done so, and well.

        Raises:
            ProgramEnded: one has failed.
        """
        for name, (program, process) in self._running.items():
            if process.poll():
                raise ProgramEnded(f"{name} failed:\n{tail(program.log)}")
        return all(process.poll() == 0 for _, process in self._running.values())

    def stop(self, programs: Iterable[Program]) -> None:
        """Ask programs to stop, wait for them, and kill the ones that do not."""
        chosen = [
            self._running.pop(program.name) for program in programs if program.name in self._running
        ]
        for _, process in chosen:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        for _, process in chosen:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def tail(log: Path, lines: int = 15) -> str:
    """The end of a log."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def _die_with_parent() -> None:
    """Linux ends the program when the demo dies, however it dies: no stray processes."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
