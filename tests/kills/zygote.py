"""Commands of ``cloud-sync`` as processes that begin at once: forked from one that has imported everything.

``python -m tests.kills.zygote LOG``: each line of stdin is a JSON list of words; answers are the pid of the
child and, when it has ended, its exit status (or minus the signal that ended it), a line each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from select import select

# What the commands import when they are called, before they are forked.
import boto3  # noqa: F401
import pyarrow.parquet  # noqa: F401
import pyiceberg.catalog.rest
import pyiceberg.catalog.sql
import pyiceberg.io.pyarrow  # noqa: F401

import cloud_sync.maintain.maintainer
import cloud_sync.pipeline
import cloud_sync.raw.keeper  # noqa: F401
from cloud_sync import cli
from tests.servers import stop_process


class Zygote:
    """The process, and at most one child of it at a time."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.kills.zygote", str(log)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip

    def start(self, *words: str) -> int:
        """The child's pid."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        return int(self._line())

    def wait(self, timeout_s: float) -> int | None:
        """How the child has ended; None while it has not."""
        ready, _, _ = select([self._process.stdout], [], [], timeout_s)
        return int(self._line()) if ready else None

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        stop_process(self._process, grace_s=5)

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the zygote has ended: {self.log.read_text()[-2000:]}"
        return line


def _serve(log: Path) -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(json.loads(line), log)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(words: list[str], log: Path) -> None:
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    code = 70
    try:
        cli.main(words, prog_name="cloud-sync")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        # Whatever it was: a forked child must not run on as a second zygote.
        if sys.exc_info()[0] not in (None, SystemExit):
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
