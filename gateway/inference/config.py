"""Settings of the ``[[models]]`` tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta

from headrace.config import FaultList

#: Models that come with Headrace, one folder each.
SHIPPED_MODELS: Final = Path(__file__).parent / "models"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """One model and the devices that it judges.

    Attributes:
        name: of a shipped model; empty when ``path`` is given.
        path: a folder with ``model.tflite`` and ``model.json``.
        device: glob of device ids.
        prefix: put before each feature to find its series: feature ``flow`` with prefix
            ``pump1.`` is the series ``pump1.flow``.
        threshold: replaces the one of the model's card.
    """

    name: str = ""
    path: Path | None = None
    device: Annotated[str, Meta(min_length=1)] = "*"
    prefix: str = ""
    threshold: Annotated[float, Meta(gt=0)] | None = None

    @property
    def folder(self) -> Path:
        """Where the model's files are."""
        return self.path if self.path is not None else SHIPPED_MODELS / self.name


def shipped_names() -> list[str]:
    """Names of the models that come with Headrace."""
    return sorted(card.parent.name for card in SHIPPED_MODELS.glob("*/model.json"))


def check_models(models: Sequence[ModelConfig], found: FaultList) -> None:
    """Add what single fields cannot say: name or path, and files that are there."""
    for index, model in enumerate(models):
        key = f"models[{index}]"
        if (model.path is None) == (not model.name):
            found.add(
                key, 'name a shipped model (name = "pump") or a folder (path = "…"), one of both'
            )
        elif model.path is None and model.name not in shipped_names():
            known = ", ".join(shipped_names())
            found.add(f"{key}.name", f"no shipped model {model.name!r}; known: {known}")
        elif not (model.folder / "model.json").is_file():
            found.add(f"{key}.path", f"expected model.json in {model.folder}, found none")
