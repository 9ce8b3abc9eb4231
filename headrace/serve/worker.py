"""A process that answers one question at a time: ``python -m headrace.serve.worker SETTINGS``.

DuckDB bounds the memory that it knows of, and can be interrupted where it looks; a function like
``repeat('x', 2000000000)`` does neither. So a statement of a stranger runs in a process of its own, whose
memory the kernel bounds (``RLIMIT_DATA``: an allocation beyond it fails, and that question with it), and
which the server kills when it does not end in time. Nothing of another question is lost with it.

The main thread answers; another reads what comes, so that a cancel is heard in between. When the server
ends, its end of the pipe closes and the worker ends with it, whatever it is doing.
"""

from __future__ import annotations

import io
import os
import queue
import resource
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa

from headrace.errors import HeadraceError, LakeError, LakeUnavailable, QueryError, QueryStopped
from headrace.limits.query import SERVE_FRAME_BYTES, WORKER_INTERRUPT_S, WORKER_OWN_MEMORY_MB
from headrace.limits.sizes import MIB
from headrace.query.ask import Questions
from headrace.query.engine import Bounds
from headrace.query.output import FORMATS
from headrace.serve import config, frames
from headrace.serve.config import ServeFile
from headrace.serve.frames import Cancel, Head, Problem, Question, Source


class Worker:
    """Answers what comes on one stream on another."""

    def __init__(self, settings: ServeFile, out: BinaryIO) -> None:
        serve = settings.serve
        bounds = Bounds(
            memory_bytes=serve.max_memory_mb * MIB,
            spill_bytes=serve.spill_mb * MIB,
            threads=serve.threads,
        )
        self._questions = Questions(settings.place, bounds, for_strangers=True)
        self._out = out
        self._waiting: queue.SimpleQueue[Question] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._now = 0  # the question that is answered
        self._cancelled = 0
        self._bound_memory(serve.max_memory_mb)

    def _bound_memory(self, max_memory_mb: int) -> None:
        """What is there after a first question, and what one may have."""
        with self._questions.ask("SELECT 1") as answer:
            answer.reader.read_all()
        status = Path("/proc/self/status").read_text(encoding="ascii")
        (used,) = (
            int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData")
        )
        limit = used * 1_024 + (max_memory_mb + WORKER_OWN_MEMORY_MB) * MIB
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    def listen(self, lines: BinaryIO) -> None:
        """Take what comes, on a thread of its own; the end of it ends the process."""
        decoder = msgspec.json.Decoder(Question | Cancel)
        for line in lines:
            said = decoder.decode(line)
            if isinstance(said, Question):
                self._waiting.put(said)
            else:
                self._cancel(said.id)
        os._exit(0)

    def _cancel(self, number: int) -> None:
        with self._lock:
            self._cancelled = number
        self._interrupt(number)

    def _interrupt(self, number: int) -> None:
        """That question, and never the one behind it.

        Said again until it has ended: what comes between two statements of a question is not heard.
        """
        with self._lock:
            if self._now != number:
                return
            self._questions.interrupt()
        self._after(WORKER_INTERRUPT_S, number)

    def _after(self, seconds: float, number: int) -> threading.Timer:
        timer = threading.Timer(seconds, self._interrupt, [number])
        timer.daemon = True
        timer.start()
        return timer

    def run(self) -> None:
        """Answer until the process ends."""
        frames.put(self._out, frames.READY)
        while True:
            self._answer(self._waiting.get())

    def _answer(self, question: Question) -> None:
        with self._lock:
            self._now = question.id
            is_gone = self._cancelled == question.id
        late = self._after(question.max_seconds, question.id)
        try:
            if is_gone:
                raise QueryStopped("nobody waits for it any more")
            self._write(question)
        except MemoryError:
            self._problem("limit", "the statement needs more memory than it may have")
        except HeadraceError as error:
            kind = _kind(error)
            self._problem(kind, *_said(error, kind, question))
        else:
            frames.put(self._out, frames.END)
        finally:
            late.cancel()
            with self._lock:
                self._now = 0

    def _write(self, question: Question) -> None:
        with self._questions.ask(question.sql, question.params) as answer:
            read = answer.read
            head = Head(len(read.files), read.skipped, read.tail, read.notes)
            frames.put(self._out, frames.HEAD, msgspec.json.encode(head))
            reader = pa.RecordBatchReader.from_batches(
                answer.reader.schema, _bounded(answer.reader, question.max_rows)
            )
            with io.BufferedWriter(_Data(self._out), SERVE_FRAME_BYTES) as out:
                FORMATS[question.format](reader, out)

    def _problem(self, kind: str, message: str, detail: str = "") -> None:
        frames.put(self._out, frames.ERROR, msgspec.json.encode(Problem(kind, message, detail)))


class _Data(io.RawIOBase):
    """What is written comes out as frames."""

    def __init__(self, out: BinaryIO) -> None:
        self._frames = out

    def writable(self) -> bool:
        return True

    def write(self, content: Any, /) -> int:
        frames.put(self._frames, frames.DATA, bytes(content))
        return len(content)


def _bounded(reader: pa.RecordBatchReader, max_rows: int) -> Iterator[pa.RecordBatch]:
    """The batches; never a part of a result that looks like the whole."""
    rows = 0
    for batch in reader:
        rows += batch.num_rows
        if rows > max_rows:
            raise TooManyRows(
                f"the result has more than {max_rows:,} rows",
                hint="ask for less: a LIMIT, a shorter time, an aggregate",
            )
        yield batch


class TooManyRows(QueryError):
    """The result is larger than a server gives."""


def _kind(error: HeadraceError) -> str:
    match error:
        case TooManyRows() | QueryStopped():
            return "limit"
        case QueryError() if "statement needs more" in error.message:
            return "limit"
        case QueryError():
            return "wrong"
        case LakeUnavailable():
            return "away"
        case LakeError():
            return "failed"
    return "failed"


def _said(error: HeadraceError, kind: str, question: Question) -> tuple[str, str]:
    """What is told to who asked, and what to the log: paths and addresses are for the latter."""
    if isinstance(error, QueryStopped):
        return (
            f"stopped after {question.max_seconds:g} s, which is all that a statement has "
            "(ask for less: fewer devices, a shorter time, an aggregate)"
        ), ""
    if kind in ("away", "failed"):
        return "the lake cannot be read just now (come again; the server's log says why)", str(
            error
        )
    return str(error), ""


def _load(source: Source) -> ServeFile:
    return config.load(Path(source.config)) if source.config else config.for_data(Path(source.data))


def main() -> None:
    """Answer questions of the server that started this process."""
    # Whatever a library prints must not get between the frames.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    source = msgspec.json.decode(sys.argv[1], type=Source)
    worker = Worker(_load(source), out)
    threading.Thread(
        target=worker.listen, args=[sys.stdin.buffer], name="listening", daemon=True
    ).start()
    worker.run()


if __name__ == "__main__":
    main()
