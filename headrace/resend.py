"""The talk between a registrar that finds a landing damaged and the site that may still have it.

::

    resend/site=<site>/journal=<id>/<first>-<last>.<n>.json      the registrar asks for the n-th time
    resend/site=<site>/journal=<id>/<first>-<last>.<n>.answer    the site has done what it could
    quarantine/site=<site>/journal=<id>/<first>-<last>.json      what is given up, and why

Objects are created once and never changed or deleted, so each side may be killed anywhere and asks or
answers again. A site needs to read and list below its own ``resend/`` for it, and nothing more than to
write below ``landing/`` where that is not given: then somebody has to decide by hand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import msgspec

from headrace.errors import LakeError
from headrace.landing import ManifestName

PREFIX: Final = "resend"
QUARANTINE_PREFIX: Final = "quarantine"

_NAME = re.compile(
    r"(?:^|/)site=([^/]+)/journal=([0-9a-f]{16})/([0-9]{20})-([0-9]{20})\.([0-9]{3})\.(json|answer)$"
)


class Request(msgspec.Struct, frozen=True):
    """What is wrong with a landing; ``files`` are the sha256 of its damaged objects by their paths.

    ``registered``: the table refers to the files, so they must become again what they were, byte for
    byte. Else the site may land the range under new names.
    """

    why: str
    files: dict[str, str] = {}
    registered: bool = False


class Answer(msgspec.Struct, frozen=True):
    """Whether the landing was made again; ``why`` says why not."""

    sent: bool
    why: str = ""


class Quarantined(msgspec.Struct, frozen=True):
    """A landing that is given up: what of it is not in the table, and why. Its objects stay."""

    why: str
    manifest: str
    missing: tuple[str, ...] = ()
    rows: int | None = None


Said = TypeVar("Said", Request, Answer, Quarantined)


@dataclass(frozen=True, slots=True, order=True)
class RequestName:
    """What the name of a request or of an answer says."""

    site: str
    journal: str
    first: int
    last: int
    number: int
    is_answer: bool = False

    @property
    def path(self) -> str:
        ending = "answer" if self.is_answer else "json"
        span = f"{self.first:020d}-{self.last:020d}"
        return f"{folder(self.site, self.journal)}/{span}.{self.number:03d}.{ending}"


def folder(site: str, journal: str) -> str:
    """Where a journal's requests are; the site may read and list it."""
    return f"{PREFIX}/site={site}/journal={journal}"


def parse_name(path: str) -> RequestName | None:
    """The parts of such a path, or None for any other object."""
    match = _NAME.search(path)
    if match is None:
        return None
    first, last, number = (int(match[at]) for at in (3, 4, 5))
    return RequestName(match[1], match[2], first, last, number, match[6] == "answer")


def answer_to(asked: RequestName) -> RequestName:
    """The name of the answer."""
    return replace(asked, is_answer=True)


def quarantine_folder(site: str, journal: str) -> str:
    """Where it is said which landings of a journal were given up."""
    return f"{QUARANTINE_PREFIX}/site={site}/journal={journal}"


def quarantine_path(name: ManifestName) -> str:
    """Where it is said that a landing was given up."""
    return f"{quarantine_folder(name.site, name.journal)}/{name.first:020d}-{name.last:020d}.json"


def encode(said: Request | Answer | Quarantined) -> bytes:
    """As JSON."""
    return msgspec.json.encode(said)


def decode(payload: bytes, path: str, kind: type[Said]) -> Said:
    """What was said in the object of that path.

    Raises:
        LakeError: nothing of the kind.
    """
    try:
        return msgspec.json.decode(payload, type=kind)
    except msgspec.MsgspecError as error:
        raise LakeError(f"{kind.__name__.lower()} {path}: not readable: {error}") from error
