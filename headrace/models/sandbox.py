"""Runs a model in a process of its own, so that a bad one costs a deadline and nothing else.

A model that raises, ends its process, eats memory or never returns does it over there: ``score``
answers within its deadline with scores or with the reason why there are none, and the process that
reads sensors or a journal needs neither numpy nor a runtime. One call is one frame each way:

    request   rows (u32), features (u32), then rows x features float64, row by row
    answer    status (u8: 0 scores, 1 a reason), count (u32), not finite (u32), seconds (f64),
              then count float64 or count bytes of UTF-8

Both ends are pipes. Ours never block: reading and writing stop at the deadline, then the process is
killed. The process ends by itself when its input does, and when its parent is gone.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import struct
import subprocess
import sys
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headrace.errors import ModelError
from headrace.limits.consumers import INFERENCE_MAX_ROWS
from headrace.limits.edge_models import MODELS_CALL_TIMEOUT_S, MODELS_START_TIMEOUT_S

REQUEST: Final = struct.Struct("<II")
ANSWER: Final = struct.Struct("<BIId")
SCORES: Final = 0
REASON: Final = 1

_CHUNK: Final = 1 << 16

_REASON_CHARS: Final = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """Scores of one call (float64, finite), how many were not finite, and how long the call took.

    ``seconds`` are those of the whole call, pipes included: what the caller waited.
    """

    scores: array[float]
    not_finite: int
    seconds: float


class Sandbox:
    """One model in one process; not to be shared between threads.

    Args:
        folder: of the model's files.
        name: for messages.
        worker: the command, without the folder; tests give their own.

    Raises:
        ModelError: it does not start, or its files are not a model.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        call_timeout_s: float = MODELS_CALL_TIMEOUT_S,
        start_timeout_s: float = MODELS_START_TIMEOUT_S,
        worker: Sequence[str] = (sys.executable, "-m", "headrace.models.worker"),
    ) -> None:
        self._name = name
        self._call_timeout_s = call_timeout_s
        self._process = _start([*worker, str(folder)], name)
        assert self._process.stdin is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        self._exchange(b"", start_timeout_s)

    def score(self, rows: bytes | memoryview, features: int) -> Answer:
        """Scores of rows of float64 features.

        Raises:
            ModelError: the model raised, ended its process or did not answer in time; the sandbox is
                closed then.
        """
        if not features:
            raise ModelError(f"{self._name}: rows without features")
        width = INFERENCE_MAX_ROWS * features * 8
        parts = [self._call(rows[at : at + width], features) for at in range(0, len(rows), width)]
        scores = array("d")
        for part in parts:
            scores.extend(part.scores)
        return Answer(
            scores, sum(part.not_finite for part in parts), sum(part.seconds for part in parts)
        )

    def _call(self, rows: bytes | memoryview, features: int) -> Answer:
        count = len(rows) // (8 * features)
        answer = self._exchange(REQUEST.pack(count, features) + rows, self._call_timeout_s)
        if len(answer.scores) != count:
            raise self._failed(f"gave {len(answer.scores)} scores for {count} rows")
        return answer

    def _exchange(self, request: bytes, timeout_s: float) -> Answer:
        began = time.monotonic()
        self._deadline = began + timeout_s
        try:
            if request:
                self._write(request)
            status, count, not_finite, _ = ANSWER.unpack(self._read(ANSWER.size))
            body = self._read(count * 8 if status == SCORES else count)
        except TimeoutError as error:
            raise self._failed(f"did not answer within {timeout_s:g} s") from error
        except (EOFError, OSError, struct.error) as error:
            raise self._failed(f"ended its process ({self._status()})") from error
        if status != SCORES:
            raise self._failed(_short(body.decode(errors="replace")))
        scores = array("d")
        scores.frombytes(body)
        return Answer(scores, not_finite, time.monotonic() - began)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._wait(self._to, selectors.EVENT_WRITE)
            rest = rest[os.write(self._to, rest[:_CHUNK]) :]

    def _read(self, size: int) -> bytes:
        found = bytearray()
        while len(found) < size:
            self._wait(self._from, selectors.EVENT_READ)
            part = os.read(self._from, min(size - len(found), 1 << 20))
            if not part:
                raise EOFError
            found += part
        return bytes(found)

    def _wait(self, fd: int, event: int) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(fd, event)
            if not selector.select(max(0.0, self._deadline - time.monotonic())):
                raise TimeoutError

    def _status(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = self._process.wait(1.0)
            return f"signal {-status}" if status < 0 else f"status {status}"
        return "its pipes are closed"

    def _failed(self, what: str) -> ModelError:
        self.close()
        return ModelError(f"{self._name}: {what}")

    @property
    def pid(self) -> int:
        """Of the model's process."""
        return self._process.pid

    def close(self) -> None:
        """End the process; nothing in it is worth waiting for."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def _start(argv: Sequence[str], name: str) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
    except OSError as error:
        raise ModelError(
            f"{name}: its process cannot be started: {error.strerror}",
            hint="a version takes about 50 MB; promote fewer models to this place",
        ) from error


def _short(reason: str) -> str:
    """A runtime's message on one line: reasons are journalled and shown in tables."""
    text = " ".join(reason.split())
    return text if len(text) <= _REASON_CHARS else text[:_REASON_CHARS] + "…"
