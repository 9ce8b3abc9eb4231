"""What the paths are: an OpenAPI document for programs, and a page of it for people, without scripts."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from headrace import __version__
from headrace.limits.query import QUERY_MAX_CHARS
from headrace.serve.answers import json_answer
from headrace.serve.request import MEDIA_TYPES

_REFUSALS: Final = {
    "400": "Not a statement that reads, wrong SQL, or wrong parameters",
    "401": "No token, or one that is not known",
    "406": "No such format",
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
    return [
        Route("/openapi.json", _document, methods=["GET"]),
        Route("/", _page, methods=["GET"]),
    ]


@cache
def document() -> dict[str, Any]:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Headrace: questions by HTTP",
            "version": __version__,
            "description": "Each reading exactly once, wherever it has got to. Times are UTC. An "
            "answer that was cut off has no end: its connection breaks.",
        },
        "security": [{"token": []}],
        "paths": {path: {method: _operation(path)} for path, (method, *_) in _PATHS.items()},
        "components": {
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["code", "message"],
                    "properties": {"code": _TEXT, "message": _TEXT},
                }
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(path: str) -> dict[str, Any]:
    _, summary, more = _PATHS[path]
    found: dict[str, Any] = {
        "summary": summary,
        "operationId": path.rpartition("/")[2],
        "parameters": [_parameter(name) for name in _QUERY.get(path, ())],
        "responses": {
            "200": {"description": "The result", "content": {each: {} for each in MEDIA_TYPES}},
            **{status: _refusal(text) for status, text in _REFUSALS.items()},
        },
    }
    if more:
        found["description"] = more
    if path == "/api/v1/sql":
        found["requestBody"] = {"required": True, "content": _statement()}
    return found


def _statement() -> dict[str, Any]:
    sql = {"type": "string", "minLength": 1, "maxLength": QUERY_MAX_CHARS}
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


def _refusal(text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


async def _document(_request: Request) -> Response:
    return json_answer(document())


async def _page(_request: Request) -> Response:
    return HTMLResponse(page())


@cache
def page() -> str:
    """The document for people."""
    info = document()["info"]
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(info['title'])}</title>",
        "<style>body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em}"
        "pre,code{background:#f3f3f3;padding:.1em .3em}pre{padding:.7em;overflow:auto}"
        "td{padding:.1em 1em .1em 0;vertical-align:top}</style>",
        f"<h1>{escape(info['title'])}</h1><p>{escape(info['description'])} For programs: "
        "<a href=openapi.json>openapi.json</a>.",
        "<pre>curl -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: text/plain' \\\n"
        "    -d 'SELECT * FROM latest' http://127.0.0.1:8088/api/v1/sql</pre>",
        f"<p>Formats, by Accept: {', '.join(f'<code>{escape(each)}</code>' for each in MEDIA_TYPES)}",
    ]
    for path, methods in document()["paths"].items():
        parts += [_section(method.upper(), path, what) for method, what in methods.items()]
    return "\n".join(parts)


def _section(method: str, path: str, what: dict[str, Any]) -> str:
    names = ", ".join(f"<code>{escape(each['name'])}</code>" for each in what["parameters"])
    rows = "".join(
        f"<tr><td><code>{escape(status)}</code><td>{escape(answer['description'])}"
        for status, answer in what["responses"].items()
    )
    return (
        f"<h2>{method} <code>{escape(path)}</code></h2><p>{escape(what['summary'])}. "
        f"{escape(what.get('description', ''))}"
        f"{f'<p>Parameters: {names}' if names else ''}<table>{rows}</table>"
    )
