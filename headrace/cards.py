"""A model's card: what a ``.tflite`` file expects, and when its score is too high.

A model is a folder with ``model.tflite`` and ``model.json`` (the card). cloud_sync writes cards,
gateways read them. The graph takes features as they are measured (``[n, features]`` float32, units
of the card) and gives one score a row; everything else, normalisation included, is inside the graph,
so that a gateway needs no code of a model's own.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from headrace.errors import ModelError
from headrace.limits.models import MODEL_MAX_FILE_BYTES

CARD_NAME: Final = "model.json"
GRAPH_NAME: Final = "model.tflite"

Text = Annotated[str, Meta(min_length=1, max_length=512)]


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """One column of the input: the series that it comes from, and its SenML unit."""

    name: Text
    unit: str = ""


class Card(msgspec.Struct, frozen=True):
    """What ``model.json`` says.

    ``align_s``: readings of one device within the same ``align_s`` seconds make one row.
    ``threshold``: a score above it is not normal. ``sha256``: of ``model.tflite``.
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    version: Text
    features: Annotated[tuple[Feature, ...], Meta(min_length=1, max_length=1024)]
    align_s: Annotated[float, Meta(ge=0.001, le=86_400)]
    threshold: Annotated[float, Meta(gt=0)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    input: str
    output: str
    trained_on: str
    seed: int

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)


def read(folder: Path) -> tuple[Card, bytes]:
    """A model's card and its graph, checked against each other.

    Raises:
        ModelError: a file is missing, the card is wrong, or the graph is not the card's.
    """
    card = _decode(folder / CARD_NAME)
    path = folder / GRAPH_NAME
    graph = _read(path)
    if len(graph) > MODEL_MAX_FILE_BYTES:
        raise ModelError(f"{path}: expected at most {MODEL_MAX_FILE_BYTES} bytes, got {len(graph)}")
    found = hashlib.sha256(graph).hexdigest()
    if found != card.sha256:
        raise ModelError(
            f"{path}: expected sha256 {card.sha256}, got {found}",
            hint="the file is damaged or from another version; copy the whole folder again",
        )
    return card, graph


def read_card(folder: Path) -> Card:
    """The card alone, for checks that need no graph.

    Raises:
        ModelError: it is missing or wrong.
    """
    return _decode(folder / CARD_NAME)


def write(folder: Path, card: Card, graph: bytes) -> None:
    """Write both files; the card last, so that a folder without a card is no model yet."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CARD_NAME).unlink(missing_ok=True)
    (folder / GRAPH_NAME).write_bytes(graph)
    text = msgspec.json.format(msgspec.json.encode(card), indent=2)
    (folder / CARD_NAME).write_bytes(text + b"\n")


def digest(graph: bytes) -> str:
    """The sha256 that a card carries."""
    return hashlib.sha256(graph).hexdigest()


def _decode(path: Path) -> Card:
    try:
        card = msgspec.json.decode(_read(path), type=Card)
    except msgspec.MsgspecError as error:
        raise ModelError(f"{path}: not a model card: {error}") from error
    if len(set(card.feature_names)) < len(card.features):
        raise ModelError(f"{path}: a feature is there twice: {', '.join(card.feature_names)}")
    return card


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read: {error.strerror}",
            hint="a model is a folder with model.tflite and model.json",
        ) from error
