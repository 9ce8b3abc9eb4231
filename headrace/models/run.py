"""One version at work: its process, and the evidence of what it does."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from headrace.errors import ModelError
from headrace.limits.edge_models import MODELS_CALL_TIMEOUT_S
from headrace.models import files
from headrace.models.evidence import Evidence
from headrace.models.manifest import MANIFEST_NAME, Manifest, decode_manifest
from headrace.models.sandbox import Sandbox


@dataclass(slots=True)
class Run:
    """A version that is loaded and agrees with its golden vectors.

    ``threshold``: the manifest's, or the one that this place sets.
    """

    manifest: Manifest
    sandbox: Sandbox
    threshold: float
    evidence: Evidence = field(default_factory=Evidence)

    @property
    def version(self) -> int:
        return self.manifest.version

    def score(self, rows: bytes | memoryview) -> array[float]:
        """One finite score a row.

        Raises:
            ModelError: the model raised, died or did not answer; it cannot be used any more.
        """
        if not rows:
            return array("d")
        answer = self.sandbox.score(rows, len(self.manifest.features))
        self.evidence.add(
            answer.scores,
            threshold=self.threshold,
            alerts=_above(answer.scores, self.threshold),
            not_finite=answer.not_finite,
            ms=answer.seconds * 1e3,
        )
        return answer.scores

    def forget_evidence(self) -> None:
        """Begin a new comparison."""
        self.evidence = Evidence()

    def close(self) -> None:
        self.sandbox.close()


def open_run(
    folder: Path, *, threshold: float | None = None, call_timeout_s: float = MODELS_CALL_TIMEOUT_S
) -> Run:
    """Load the version in a folder and check it against its golden vectors.

    Raises:
        ModelError: it is not whole, cannot be loaded or gives other scores than it should.
    """
    path = folder / MANIFEST_NAME
    data = files.read(path)
    if data is None:
        raise ModelError(f"{path}: no such file", hint="the next look at the repository fetches it")
    manifest = decode_manifest(data, str(path))
    sandbox = Sandbox(
        folder,
        name=f"{manifest.name} version {manifest.version}",
        call_timeout_s=call_timeout_s,
    )
    return Run(manifest, sandbox, threshold if threshold is not None else manifest.threshold)


def _above(scores: Sequence[float], threshold: float) -> int:
    return sum(map(threshold.__lt__, scores))
