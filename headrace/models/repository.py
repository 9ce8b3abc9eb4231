"""The repository's layout, and which version of a model is wanted where.

::

    metadata/<n>.root.json  <n>.targets.json  <n>.snapshot.json  timestamp.json
    targets/models/<name>/<version>/<sha256>.{manifest.json, model.tflite | model.onnx, golden.json}
    targets/<sha256>.assignments.json

That is TUF with consistent snapshots: every file but ``timestamp.json`` has a name of its own for
ever, so a reader sees the state before a publication or the one behind it, never half of one.

``assignments.json`` is the list of promotions in the order they were made. The last one that fits a
place (a site or a device with labels) and whose version is not revoked says what runs there. So a
promotion to all ends a canary, a new canary overrides it there, and revoking a version puts every
place back on what it had before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from headrace.errors import ModelError, UsageError
from headrace.limits.models import MODEL_MAX_PROMOTIONS
from headrace.models.manifest import Name, Text, Version

METADATA: Final = "metadata"
TARGETS: Final = "targets"
ASSIGNMENTS_NAME: Final = "assignments.json"

#: A promotion to ``canary`` is one to places with this label.
ALL: Final = "all"
CANARY: Final = "canary"
RING_LABEL: Final = "ring"

#: Fields of the signed timestamp that python-tuf does not know: when it was signed.
SIGNED_AT: Final = "headrace.signed_at"

Selector = Annotated[str, Meta(pattern=r"^(all|canary|[A-Za-z][A-Za-z0-9_.-]{0,63}=.{1,128})$")]


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """``version`` of ``model`` is to run at ``to``: ``all``, ``canary`` or ``label=value``."""

    model: Name
    version: Version
    to: Selector
    at: Text = ""


class Revocation(msgspec.Struct, frozen=True, kw_only=True):
    """``version`` of ``model`` is to run nowhere."""

    model: Name
    version: Version
    reason: Text = ""
    at: Text = ""


class Assignments(msgspec.Struct, frozen=True, kw_only=True):
    """What ``assignments.json`` says; ``serial`` counts its changes."""

    format: int = 1
    serial: int = 0
    promotions: Annotated[tuple[Promotion, ...], Meta(max_length=MODEL_MAX_PROMOTIONS)] = ()
    revoked: tuple[Revocation, ...] = ()

    def is_revoked(self, model: str, version: int) -> bool:
        return any(each.model == model and each.version == version for each in self.revoked)

    def wanted(self, labels: Mapping[str, str]) -> dict[str, int]:
        """Model name → version for a place with these labels (``site`` and ``device`` included)."""
        found: dict[str, int] = {}
        for each in self.promotions:
            if fits(each.to, labels) and not self.is_revoked(each.model, each.version):
                found[each.model] = each.version
        return found


def fits(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether a promotion's ``to`` covers a place with these labels."""
    if selector == ALL:
        return True
    if selector == CANARY:
        return labels.get(RING_LABEL) == CANARY
    label, _, value = selector.partition("=")
    return labels.get(label) == value


def check_selector(selector: str) -> str:
    """A promotion's ``to`` as given by a user.

    Raises:
        UsageError: it is none.
    """
    try:
        return msgspec.convert(selector, Selector)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"--to: expected all, canary or label=value (site=north, device=pump-7), got {selector!r}"
        ) from error


def check_name(name: str) -> str:
    """A model's name as given by a user.

    Raises:
        UsageError: it is none.
    """
    try:
        return msgspec.convert(name, Name)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"expected a model's name (letters, digits, '.', '_', '-', at most 64), got {name!r}"
        ) from error


def model_path(name: str, version: int, file: str) -> str:
    """A file of a version as a TUF target path."""
    return f"models/{name}/{version}/{file}"


def decode_assignments(data: bytes, source: str) -> Assignments:
    """Raises ModelError when the bytes are not assignments."""
    try:
        assignments = msgspec.json.decode(data, type=Assignments)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(f"{source}: not an assignments file: {error}") from error
    if assignments.format != 1:
        raise ModelError(
            f"{source}: expected format 1, got {assignments.format}", hint="upgrade headrace here"
        )
    return assignments


def encode(assignments: Assignments) -> bytes:
    """JSON, readable, with a line end."""
    return msgspec.json.format(msgspec.json.encode(assignments), indent=1) + b"\n"
