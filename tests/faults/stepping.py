"""Processes that kill themselves at a chosen step: what the launchers of kill tests share.

``python tests/faults/<what>_launcher.py FOLDER STEP [STEP …]``: for each STEP a child works on
``FOLDER/<index>`` and gets SIGKILL when it reaches that step. Steps are counted before and after everything
that leaves a trace; the launcher says what that is. It prints one line per child: how it ended; one that lives
writes its number of steps into its folder. The children are forked, so that the second that the imports take
is paid once.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

#: A step that nobody reaches.
NO_KILL = 10**9

_HERE = Path(__file__).parent
_REPOSITORY = _HERE.parents[1]


class Steps:
    """Counts steps and kills the process at one of them."""

    def __init__(self, fatal: int) -> None:
        self.count = 0
        self._fatal = fatal

    def around(self, act: Callable[[], Any]) -> Any:
        self._step()
        result = act()
        self._step()
        return result

    def _step(self) -> None:
        self.count += 1
        if self.count == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)


def main(work: Callable[[Path, Steps], object]) -> None:
    """The launcher: ``work`` on each folder in a child of its own."""
    root = Path(sys.argv[1])
    for index, fatal in enumerate(map(int, sys.argv[2:])):
        child = os.fork()
        if child == 0:
            steps = Steps(fatal)
            work(root / str(index), steps)
            (root / str(index) / "steps").write_text(str(steps.count))
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print("killed" if status == -signal.SIGKILL else f"exit {status}", flush=True)


def launch(what: str, root: Path, fatal: Sequence[int]) -> list[str]:
    """How the children of a launcher ended, one for each fatal step."""
    done = subprocess.run(
        [sys.executable, str(_HERE / f"{what}_launcher.py"), str(root), *map(str, fatal)],
        capture_output=True, text=True, check=True, cwd=_REPOSITORY, timeout=_timeout_s(),
        env={**os.environ, "PYTHONPATH": str(_REPOSITORY)},
    )  # fmt: skip
    return done.stdout.split("\n")[:-1]


def count(what: str, root: Path) -> int:
    """The steps that there are: of a child that is not killed, in ``root/0``."""
    assert launch(what, root, [NO_KILL]) == ["exit 0"]
    return int((root / "0" / "steps").read_text())


def chosen(steps: int, *, parts: int) -> list[int]:
    """Steps to die at: so many of them all the way, and with HEADRACE_LONG_TESTS each."""
    return list(range(1, steps + 1, 1 if is_long() else max(1, steps // parts)))


def is_long() -> bool:
    """Whether each step is asked for."""
    return "HEADRACE_LONG_TESTS" in os.environ


def copies(template: Path, root: Path, number: int) -> None:
    """So many folders to work on."""
    for index in range(number):
        shutil.copytree(template, root / str(index))


def _timeout_s() -> float:
    return 3_000.0 if is_long() else 170.0
