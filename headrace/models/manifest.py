"""What one version of a model is: ``manifest.json`` beside its graph.

A version is a folder of three files in the repository: the graph (``model.tflite`` or
``model.onnx``), ``golden.json`` (rows and the scores that they must give, on whatever machine) and
the manifest, which names both by sha256. All three are data: nothing that is read here can carry
code, and the runtimes are asked to run nothing but standard operators. Versions count upwards and are
given by the repository, so "older" has a meaning that a rollback attack cannot blur.

The card (``headrace.cards``) is what a scorer needs of a manifest; ``Manifest.card`` makes it.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from headrace.cards import Card, Feature
from headrace.errors import ModelError
from headrace.limits.models import MODEL_GOLDEN_MAX_ROWS

MANIFEST_NAME: Final = "manifest.json"
GOLDEN_NAME: Final = "golden.json"

#: The only formats that are run, and the name of the graph's file in each.
Runtime = Literal["litert", "onnx"]
GRAPH_NAMES: Final[dict[Runtime, str]] = {"litert": "model.tflite", "onnx": "model.onnx"}

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Version = Annotated[int, Meta(ge=1, le=2**53)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Meta(max_length=10_000)]


class File(msgspec.Struct, frozen=True):
    """A file of the version: what it must be, byte for byte."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    sha256: Sha256
    bytes: Annotated[int, Meta(ge=1)]


class Output(msgspec.Struct, frozen=True):
    """One number a row. The first output is the score that the threshold is for.

    Attributes:
        tensor: name of the graph's output; empty means its only one.
        negate: the graph's number is low where a row is not normal (scikit-learn's forests).
    """

    name: Name = "score"
    tensor: str = ""
    negate: bool = False


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model comes from, so that it can be made again. Empty where it was not the lake."""

    recipe: Text = ""
    seed: int = 0
    table: Text = ""
    snapshot: int | None = None
    sql: Text = ""
    first: Text = ""
    last: Text = ""
    rows: int = 0
    trained_on: Text = ""
    made_by: Text = ""


class Golden(msgspec.Struct, frozen=True):
    """Rows of features and the scores that they must give, relative to 1 + the score's size."""

    inputs: Annotated[
        tuple[tuple[float, ...], ...], Meta(min_length=1, max_length=MODEL_GOLDEN_MAX_ROWS)
    ]
    scores: tuple[float, ...]
    tolerance: Annotated[float, Meta(gt=0, le=1)] = 0.01


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``manifest.json`` says. Unknown keys are ignored: a later writer may say more."""

    format: Literal[1] = 1
    name: Name
    version: Version
    runtime: Runtime
    graph: File
    golden: File
    features: Annotated[tuple[Feature, ...], Meta(min_length=1, max_length=1024)]
    outputs: Annotated[tuple[Output, ...], Meta(min_length=1, max_length=16)] = (Output(),)
    align_s: Annotated[float, Meta(ge=0.001, le=86_400)]
    threshold: Annotated[float, Meta(gt=0)]
    input: Text = ""
    output: Text = ""
    created: Text = ""
    lineage: Lineage = msgspec.field(default_factory=Lineage)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    @property
    def card(self) -> Card:
        """What a scorer needs to know."""
        return Card(
            name=self.name,
            version=str(self.version),
            features=self.features,
            align_s=self.align_s,
            threshold=self.threshold,
            sha256=self.graph.sha256,
            input=self.input,
            output=self.output,
            trained_on=self.lineage.trained_on,
            seed=self.lineage.seed,
        )


def file_of(name: str, data: bytes) -> File:
    """The entry of a file with these bytes."""
    return File(name, hashlib.sha256(data).hexdigest(), len(data))


def decode_manifest(data: bytes, source: str) -> Manifest:
    """A manifest whose parts agree with one another.

    Raises:
        ModelError: not a manifest, or one that contradicts itself.
    """
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(f"{source}: not a model's manifest: {error}") from error
    expected = GRAPH_NAMES[manifest.runtime]
    if manifest.graph.name != expected or manifest.golden.name != GOLDEN_NAME:
        raise ModelError(
            f"{source}: runtime {manifest.runtime!r} goes with {expected} and {GOLDEN_NAME}, "
            f"got {manifest.graph.name} and {manifest.golden.name}"
        )
    if len(set(manifest.feature_names)) < len(manifest.features):
        raise ModelError(f"{source}: a feature is there twice: {', '.join(manifest.feature_names)}")
    return manifest


def decode_golden(data: bytes, manifest: Manifest, source: str) -> Golden:
    """Golden vectors that fit the manifest.

    Raises:
        ModelError: not golden vectors, or of another width than the features.
    """
    try:
        golden = msgspec.json.decode(data, type=Golden)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(f"{source}: not golden vectors: {error}") from error
    width = len(manifest.features)
    if any(len(row) != width for row in golden.inputs):
        raise ModelError(f"{source}: expected rows of {width} features")
    if len(golden.scores) != len(golden.inputs):
        raise ModelError(
            f"{source}: expected a score for each of {len(golden.inputs)} rows, "
            f"got {len(golden.scores)}"
        )
    return golden


def check_file(entry: File, data: bytes, source: str) -> None:
    """Bytes against the manifest's entry.

    Raises:
        ModelError: they are others.
    """
    found = file_of(entry.name, data)
    if found != entry:
        raise ModelError(
            f"{source}: the manifest lies: expected {entry.name} of {entry.bytes} bytes with sha256 "
            f"{entry.sha256}, got {found.bytes} bytes with {found.sha256}",
            hint="publish the model again",
        )


def encode(value: Manifest | Golden) -> bytes:
    """JSON, readable, with a line end."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"
