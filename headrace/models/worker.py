"""The other end of ``sandbox``: ``python -m headrace.models.worker FOLDER`` runs the model in FOLDER.

Loads the graph, checks it against the golden vectors, says so with an empty answer, then answers
calls until its input ends. Whatever is wrong is answered as a reason. This process is made to be
killed: it holds nothing, and it bounds its own memory before it loads what a stranger made.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from headrace.errors import ModelError
from headrace.limits.edge_models import MODELS_MAX_MEMORY_BYTES
from headrace.models import formats
from headrace.models.golden import check_golden
from headrace.models.manifest import (
    GOLDEN_NAME,
    MANIFEST_NAME,
    check_file,
    decode_golden,
    decode_manifest,
)
from headrace.models.parent import die_with_parent
from headrace.models.runtime import GraphScorer, open_scorer
from headrace.models.sandbox import ANSWER, REASON, REQUEST, SCORES

_FAR: Final = float(np.finfo(np.float32).max)


def load(folder: Path) -> GraphScorer:
    """The model of a folder, whole and in agreement with its manifest and golden vectors.

    Raises:
        ModelError: it is not.
    """
    manifest = decode_manifest(_read(folder / MANIFEST_NAME), str(folder / MANIFEST_NAME))
    graph, golden = _read(folder / manifest.graph.name), _read(folder / GOLDEN_NAME)
    check_file(manifest.graph, graph, str(folder))
    check_file(manifest.golden, golden, str(folder))
    formats.check_graph(graph, str(folder / manifest.graph.name), expected=manifest.runtime)
    scorer = open_scorer(manifest, graph)
    vectors = decode_golden(golden, manifest, str(folder / GOLDEN_NAME))
    check_golden(vectors, scorer.raw(np.array(vectors.inputs, np.float64)).tolist())
    return scorer


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error


def serve(scorer: GraphScorer, calls: BinaryIO, answers: BinaryIO) -> None:
    """Answer calls until there are no more."""
    while len(head := calls.read(REQUEST.size)) == REQUEST.size:
        count, features = REQUEST.unpack(head)
        began = time.monotonic()
        rows = np.frombuffer(calls.read(count * features * 8), np.float64).reshape(count, features)
        try:
            raw = scorer.raw(rows)
        except ModelError as error:
            _reason(answers, error)
            continue
        scores = np.nan_to_num(raw, nan=_FAR, posinf=_FAR, neginf=-_FAR)
        wrong = int((~np.isfinite(raw)).sum())
        answers.write(
            ANSWER.pack(SCORES, count, wrong, time.monotonic() - began) + scores.tobytes()
        )
        answers.flush()


def _reason(answers: BinaryIO, error: ModelError) -> None:
    text = error.message.encode()[:10_000]
    answers.write(ANSWER.pack(REASON, len(text), 0, 0.0) + text)
    answers.flush()


def main() -> None:
    """Run."""
    die_with_parent()
    resource.setrlimit(resource.RLIMIT_DATA, (MODELS_MAX_MEMORY_BYTES, MODELS_MAX_MEMORY_BYTES))
    os.nice(5)
    # Answers go through a copy of the pipe: a runtime that prints must not speak into a frame.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        scorer = load(Path(sys.argv[1]))
    except ModelError as error:
        _reason(answers, error)
        return
    answers.write(ANSWER.pack(SCORES, 0, 0, 0.0))
    answers.flush()
    serve(scorer, sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
