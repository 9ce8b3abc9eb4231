"""What is asked: a statement and the format of its answer, from bodies, query strings and headers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from headrace.errors import RequestError
from headrace.limits.query import QUERY_MAX_CHARS
from headrace.query import phrases

#: Formats by their media types; the first is what ``*/*`` gets.
MEDIA_TYPES: Final = {
    "application/json": "json",
    "application/vnd.apache.arrow.stream": "arrow",
    "text/csv": "csv",
}
CONTENT_TYPES: Final = {format_name: media for media, format_name in MEDIA_TYPES.items()}

_DEFAULT_LIMIT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement, its parameters, and how the answer is written."""

    sql: str
    params: dict[str, Any] | list[Any] | None
    format: str


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    sql: str
    params: dict[str, Any] | list[Any] | None = None


def of_body(body: bytes, content_type: str, accept: str) -> Asked:
    """A statement as JSON or as plain text.

    Raises:
        RequestError: 400 not that, 406 no such format, 413 too long, 415 neither.
    """
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == "application/json":
            asked = msgspec.json.decode(body, type=_Body)
        elif kind in ("text/plain", "application/sql"):
            asked = _Body(body.decode("utf-8"))
        else:
            raise RequestError(
                415, f"Content-Type {kind[:60]!r}: expected application/json or text/plain"
            )
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(
            400, f"the body is not what it says: {error}",
            hint='{"sql": "SELECT …", "params": {"name": "value"}}',
        ) from error  # fmt: skip
    if len(asked.sql) > QUERY_MAX_CHARS:
        raise RequestError(413, f"a statement may have {QUERY_MAX_CHARS:,} characters")
    return Asked(asked.sql, asked.params, format_of(accept))


def of_readings(query: Mapping[str, list[str]], accept: str) -> Asked:
    """Readings of a device and its names between two times, from a query string.

    Raises:
        RequestError: 400 for what is no such thing, 406 for no such format.
    """
    only_known(query, {"device", "name", "start", "end", "limit", "site", "format"})
    one = {name: values[0] for name, values in query.items()}
    sql, params = phrases.readings(
        device=one.get("device"), site=one.get("site"), names=query.get("name", []),
        start=one.get("start"), end=one.get("end"), limit=_limit(one.get("limit")),
    )  # fmt: skip
    return Asked(sql, params, format_of(accept, one.get("format")))


def only_known(query: Mapping[str, list[str]], known: set[str]) -> None:
    """Raises:
    RequestError: 400, a parameter that there is not, or one that is given twice; names may be many.
    """
    for name in sorted(set(query) - known):
        raise RequestError(
            400, f"unknown parameter {name[:40]!r}", hint=f"known: {', '.join(sorted(known))}"
        )
    for name in known - {"name"}:
        if len(query.get(name, [])) > 1:
            raise RequestError(400, f"parameter {name!r} is given twice")


def _limit(text: str | None) -> int:
    if text is None:
        return _DEFAULT_LIMIT
    if not (text.isascii() and text.isdecimal()) or len(text) > 12:
        raise RequestError(400, f"limit: expected a number, got {text[:20]!r}")
    return int(text)


def format_of(accept: str, named: str | None = None) -> str:
    """The format that an Accept header, or a name before it, asks for.

    Raises:
        RequestError: 400, no such name. 406, none that there is.
    """
    if named is not None:
        if named not in CONTENT_TYPES:
            raise RequestError(
                400, f"format: expected one of {', '.join(CONTENT_TYPES)}, got {named[:20]!r}"
            )
        return named
    wanted = sorted(map(_weighed, accept.split(",")), key=lambda each: -each[0]) if accept else []
    for weight, media in wanted:
        if weight and media in MEDIA_TYPES:
            return MEDIA_TYPES[media]
        if weight and media in ("*/*", "application/*"):
            return "json"
        if weight and media == "text/*":
            return "csv"
    if accept.strip():
        raise RequestError(406, f"Accept: expected one of {', '.join(MEDIA_TYPES)}")
    return "json"


def _weighed(part: str) -> tuple[float, str]:
    media, *options = (each.strip().lower() for each in part.split(";"))
    for option in options:
        name, _, value = option.partition("=")
        if name == "q":
            try:
                return float(value), media
            except ValueError:
                return 0.0, media
    return 1.0, media
