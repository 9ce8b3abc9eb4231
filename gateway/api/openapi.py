"""What the paths are: an OpenAPI document for programs, and a page of it for people.

The document is written here and not derived from code, because bodies are bytes of a declared kind and no
models; schemathesis compares it with what is answered (tests/integration/test_http_schema.py). The page
is plain HTML without scripts: it refers to no other host.
"""

from __future__ import annotations

from functools import cache
from html import escape
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gateway.api.answers import json_answer
from headrace import __version__
from headrace.batch import DEVICE_PATTERN
from headrace.codecs.line import FORMAT_OF_PRECISION
from headrace.limits.http import HTTP_MAX_KEY_CHARS, KEY_REMEMBERED_S

_LINES: Final = "tank,site=north level=1.53,pump=t 1790000000000000000\n"
_PACK: Final = [{"bn": "tank/", "n": "level", "u": "m", "v": 1.53}]

_REFUSALS: Final = {
    "400": "Refused for good. Readings that reached their device are kept in quarantine",
    "401": "No token, or one that is unknown, expired or revoked",
    "403": "The token is not for this device",
    "408": "The body came too slowly",
    "413": "Too large, packed or unpacked",
    "415": "No such Content-Type or Content-Encoding",
    "422": "Another payload came under this Idempotency-Key; kept in quarantine",
    "429": "Too much at once; come again after Retry-After seconds",
    "503": "Not on disk at present; come again after Retry-After seconds",
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
            "title": "Headrace: readings by HTTP",
            "version": __version__,
            "description": "204 is answered when the readings are on the gateway's disk.",
        },
        "security": [{"token": []}],
        "paths": {
            "/v1/readings/{device}": {"post": _readings()},
            "/api/v2/write": {"post": _write("InfluxDB 2", ["ns", "us", "ms", "s"], ["org", "bucket"])},
            "/write": {"post": _write("InfluxDB 1", list(FORMAT_OF_PRECISION), ["db", "rp"])},
            "/api/v3/write_lp": {
                "post": _write(
                    "InfluxDB 3",
                    ["auto", "nanosecond", "microsecond", "millisecond", "second"],
                    ["db"],
                )
            },
            "/query": {"get": _query(), "post": _query()},
            "/ping": {"get": _probe("Whether somebody is there", {"204": {"description": "Yes"}})},
            "/health": {"get": _probe("Whether readings are taken", _health())},
        },
        "components": {
            "schemas": {"Error": _error(), "Health": _health_schema()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }  # fmt: skip


def _readings() -> dict[str, Any]:
    device = {
        "name": "device", "in": "path", "required": True, "example": "pump-7",
        "schema": {"type": "string", "pattern": DEVICE_PATTERN},
    }  # fmt: skip
    pack = {
        "schema": {"type": "array", "items": {"type": "object"}, "minItems": 1},
        "example": _PACK,
    }
    binary: dict[str, Any] = {"schema": {}}
    return {
        "summary": "Readings of one device",
        "operationId": "readings",
        "parameters": [device, _key(), *_encodings()],
        "requestBody": {
            "required": True,
            "content": {
                "application/senml+json": pack,
                "application/json": pack,
                "application/senml+cbor": binary,
                "application/vnd.apache.arrow.stream": binary,
                "text/plain": _lines(),
            },
        },
        "responses": _answers(),
    }


def _write(of: str, precisions: list[str], ignored: list[str]) -> dict[str, Any]:
    precision = {
        "name": "precision", "in": "query", "description": "Unit of the times.",
        "schema": {"type": "string", "enum": precisions},
    }  # fmt: skip
    others = [
        {"name": name, "in": "query", "description": "Ignored.", "schema": {"type": "string"}}
        for name in ignored
    ]
    device = {
        "name": "Headrace-Device", "in": "header",
        "description": "Whose readings these are, where the token is for many.",
        "schema": {"type": "string", "pattern": DEVICE_PATTERN},
    }  # fmt: skip
    return {
        "summary": f"Line protocol, as clients of {of} write it",
        "operationId": of.replace(" ", "").lower(),
        "parameters": [precision, *others, device, _key(), *_encodings()],
        "requestBody": {"required": True, "content": {"text/plain": _lines()}},
        "responses": _answers(),
    }


def _query() -> dict[str, Any]:
    return {
        "summary": "CREATE DATABASE, which Telegraf says before it writes; nothing else is answered",
        "parameters": [
            {
                "name": "q", "in": "query", "example": 'CREATE DATABASE "plant"',
                "schema": {"type": "string", "pattern": "^CREATE DATABASE [a-z]+$"},
            }
        ],
        "responses": {
            "200": {
                "description": "There is nothing to do",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            **{status: _refusal(text) for status, text in _REFUSALS.items()},
        },
    }  # fmt: skip


def _probe(summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {"summary": summary, "security": [], "responses": responses}


def _health() -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}
    return {
        "200": {"description": "They are", "content": content},
        "503": {"description": "Not at present", "content": content},
    }


def _answers() -> dict[str, Any]:
    refusals = {status: _refusal(text) for status, text in _REFUSALS.items()}
    return {"204": {"description": "On the gateway's disk"}, **refusals}


def _refusal(text: str) -> dict[str, Any]:
    return {
        "description": text,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }


def _lines() -> dict[str, Any]:
    return {"schema": {"type": "string", "format": "line-protocol", "minLength": 1}, "example": _LINES}  # fmt: skip


def _key() -> dict[str, Any]:
    return {
        "name": "Idempotency-Key", "in": "header",
        "description": "A repeated request with the same key is committed once; keys are remembered "
        f"for {KEY_REMEMBERED_S // 3600} hours.",
        "schema": {"type": "string", "pattern": f"^[!-~]{{1,{HTTP_MAX_KEY_CHARS}}}$"},
    }  # fmt: skip


def _encodings() -> list[dict[str, Any]]:
    schema = {"type": "string", "enum": ["identity", "gzip", "zstd"]}
    return [{"name": "Content-Encoding", "in": "header", "schema": schema}]


def _error() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["code", "message", "error"],
        "properties": {"code": text, "message": text, "error": text},
    }


def _health_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["name", "message", "status"],
        "properties": {
            "name": {"type": "string"},
            "message": {"type": "string"},
            "status": {"enum": ["pass", "fail"]},
            "version": {"type": "string"},
        },
    }


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
    ]
    for path, methods in document()["paths"].items():
        parts += [_section(method.upper(), path, what) for method, what in methods.items()]
    return "\n".join(parts)


def _section(method: str, path: str, what: dict[str, Any]) -> str:
    rows = [
        (parameter["name"], f"{parameter['in']}: {parameter.get('description', '')}")
        for parameter in what.get("parameters", ())
    ]
    rows += [(status, answer["description"]) for status, answer in what["responses"].items()]
    table = "".join(f"<tr><td><code>{escape(name)}</code><td>{escape(text)}" for name, text in rows)
    kinds = what.get("requestBody", {}).get("content", {})
    body = (
        f"<p>Body: {', '.join(f'<code>{escape(kind)}</code>' for kind in kinds)}" if kinds else ""
    )
    return (
        f"<h2>{method} <code>{escape(path)}</code></h2><p>{escape(what['summary'])}{body}"
        f"{_example(path, kinds)}<table>{table}</table>"
    )


def _example(path: str, kinds: dict[str, Any]) -> str:
    if not kinds:
        return ""
    kind = next(iter(kinds))
    body = '[{"n": "level", "u": "m", "v": 1.53}]' if "json" in kind else _LINES.strip()
    command = (
        f"curl -i 'http://127.0.0.1:8087{path.replace('{device}', 'pump-7')}' \\\n"
        f"    -H \"Authorization: Token $TOKEN\" -H 'Content-Type: {kind}' \\\n"
        f"    --data-binary '{body}'"
    )
    return f"<pre>{escape(command)}</pre>"
