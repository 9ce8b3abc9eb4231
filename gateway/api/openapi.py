"""What the paths of the HTTP ingest are, as an OpenAPI document and a page (``headrace.openapi``)."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from starlette.routing import Route

from headrace import openapi
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
    return openapi.routes(document(), openapi.page(document(), _example))


@cache
def document() -> dict[str, Any]:
    """The whole document."""
    return openapi.document(
        title="Headrace: readings by HTTP",
        description="204 is answered when the readings are on the gateway's disk.",
        paths={
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
        schemas={
            "Error": openapi.error_schema("code", "message", "error"),
            "Health": _health_schema(),
        },
    )  # fmt: skip


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
            **openapi.refusals(_REFUSALS),
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
    return {"204": {"description": "On the gateway's disk"}, **openapi.refusals(_REFUSALS)}


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


def _example(path: str, kinds: dict[str, Any]) -> str:
    if not kinds:
        return ""
    kind = next(iter(kinds))
    body = '[{"n": "level", "u": "m", "v": 1.53}]' if "json" in kind else _LINES.strip()
    return (
        f"curl -i 'http://127.0.0.1:8087{path.replace('{device}', 'pump-7')}' \\\n"
        f"    -H \"Authorization: Token $TOKEN\" -H 'Content-Type: {kind}' \\\n"
        f"    --data-binary '{body}'"
    )
