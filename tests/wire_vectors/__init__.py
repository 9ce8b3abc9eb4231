"""Golden bytes of the wire contract: ``manifest.json`` says what each file in ``bytes/`` means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
_MANIFEST = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
NOW_US: int = _MANIFEST["now_us"]


def vectors(kind: str) -> list[Any]:
    """All vectors of a kind: batch, ack, nack or state."""
    return [vector for vector in _MANIFEST["vectors"] if vector["kind"] == kind]


def payload(vector: Any) -> bytes:
    """The golden bytes of one vector."""
    return (FOLDER / vector["file"]).read_bytes()


def all_vectors() -> list[Any]:
    """The whole manifest, in order of the numbers."""
    return list(_MANIFEST["vectors"])
