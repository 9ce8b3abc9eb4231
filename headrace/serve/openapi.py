"""What the paths of the endpoint are, as an OpenAPI document and a page (``headrace.openapi``)."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from starlette.routing import Route

from headrace import openapi
from headrace.limits.query import QUERY_MAX_CHARS
from headrace.serve.request import MEDIA_TYPES

_REFUSALS: Final = {
    "400": "Not a statement that reads, wrong SQL, or wrong parameters",
    "401": "No token, or one that is not known",
    "403": "A page of another site asks, by its visitor's browser",
    "406": "No such format",
    "408": "The body did not come in time",
    "413": "The question is too long",
    "415": "Neither application/json nor text/plain",
    "422": "The statement needs more time, memory or rows than one may have",
    "503": "All workers are busy, or the lake is away; come again",
}
_TEXT: Final = {"type": "string"}
_PATHS: Final = {
    "/api/v1/sql": (
        "post", "One SQL statement that reads",
        "Views: readings, latest, series, alerts, models, and the lake's derived tables.",
    ),
    "/api/v1/readings": (
        "get", "Readings in order of device, name and time",
        "start is inclusive, end is not; 10,000 readings where no limit is given.",
    ),
    "/api/v1/latest": ("get", "The newest reading of each series", ""),
    "/api/v1/devices": ("get", "Devices, how many series each has, and when it spoke last", ""),
    "/api/v1/tables": ("get", "The views, their columns and types", ""),
}  # fmt: skip
_QUERY: Final = {
    "/api/v1/readings": ("device", "name", "start", "end", "limit", "site", "format"),
    "/api/v1/latest": ("device", "name", "site", "format"),
    "/api/v1/devices": ("format",),
    "/api/v1/tables": ("format",),
}
_SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "name": {"type": "array", "items": _TEXT},
    "limit": {"type": "integer", "minimum": 0, "maximum": 999_999_999_999},
    "start": {"type": "string", "format": "date-time"},
    "end": {"type": "string", "format": "date-time"},
    "format": {"type": "string", "enum": list(MEDIA_TYPES.values())},
}


def routes() -> list[Route]:
    """Both forms."""
    return openapi.routes(document(), openapi.page(document(), _example))


@cache
def document() -> dict[str, Any]:
    """The whole document."""
    return openapi.document(
        title="Headrace: questions by HTTP",
        description="Each reading exactly once, wherever it has got to. Times are UTC. An answer that was "
        "cut off has no end: its connection breaks.",
        paths={path: {method: _operation(path)} for path, (method, *_) in _PATHS.items()},
        schemas={"Error": openapi.error_schema("code", "message")},
    )


def _operation(path: str) -> dict[str, Any]:
    _, summary, more = _PATHS[path]
    found: dict[str, Any] = {
        "summary": summary,
        "operationId": path.rpartition("/")[2],
        "parameters": [_parameter(name) for name in _QUERY.get(path, ())],
        "responses": {
            "200": {"description": "The result", "content": {each: {} for each in MEDIA_TYPES}},
            **openapi.refusals(_REFUSALS),
        },
    }
    if more:
        found["description"] = more
    if path == "/api/v1/sql":
        found["requestBody"] = {"required": True, "content": _statement()}
    return found


def _statement() -> dict[str, Any]:
    sql = {"type": "string", "format": "sql", "minLength": 1, "maxLength": QUERY_MAX_CHARS}
    example = "SELECT device, max(time) FROM readings WHERE name = $name GROUP BY device"
    return {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["sql"],
                "additionalProperties": False,
                "properties": {
                    "sql": sql,
                    "params": {"anyOf": [{"type": "object"}, {"type": "array"}, {"type": "null"}]},
                },
            },
            "example": {"sql": example, "params": {"name": "flow"}},
        },
        "text/plain": {"schema": sql, "example": "SELECT * FROM latest"},
    }


def _parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": _SCHEMAS.get(name, _TEXT)}


def _example(path: str, _bodies: dict[str, Any]) -> str:
    if path != "/api/v1/sql":
        return ""
    return (
        "curl -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: text/plain' \\\n"
        "    -d 'SELECT * FROM latest' http://127.0.0.1:8088/api/v1/sql"
    )
