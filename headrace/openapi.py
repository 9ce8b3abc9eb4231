"""What the paths of an HTTP interface are: an OpenAPI document for programs, and a page of it for people.

Documents are written by hand and not derived from code, because bodies are bytes of a declared kind and no models;
schemathesis compares them with what is answered (tests/integration/ingest/test_http_schema.py, test_serve_schema.py). The
page is plain HTML without scripts: it refers to no other host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from headrace import __version__

#: Parts of a document, as JSON.
Part = dict[str, Any]

_STYLE: Final = (
    "body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em}"
    "pre,code{background:#f3f3f3;padding:.1em .3em}pre{padding:.7em;overflow:auto}"
    "td{padding:.1em 1em .1em 0;vertical-align:top}"
)


def document(
    *, title: str, description: str, paths: Mapping[str, Part], schemas: Mapping[str, Part]
) -> Part:
    """A whole document; all of its paths want a token unless they say otherwise."""
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": __version__, "description": description},
        "security": [{"token": []}],
        "paths": dict(paths),
        "components": {
            "schemas": dict(schemas),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def error_schema(*names: str) -> Part:
    """The schema ``Error``: texts."""
    return {
        "type": "object",
        "required": list(names),
        "properties": {name: {"type": "string"} for name in names},
    }


def refusals(why: Mapping[str, str]) -> Part:
    """Answers in the shape of the schema ``Error``, by status."""
    schema = {"$ref": "#/components/schemas/Error"}
    return {
        status: {"description": text, "content": {"application/json": {"schema": schema}}}
        for status, text in why.items()
    }


def routes(described: Part, shown: str) -> list[Route]:
    """Both forms, for anybody: neither wants a token."""

    async def to_programs(_request: Request) -> Response:
        return Response(msgspec.json.encode(described), media_type="application/json")

    async def to_people(_request: Request) -> Response:
        return HTMLResponse(shown)

    return [
        Route("/openapi.json", to_programs, methods=["GET"]),
        Route("/", to_people, methods=["GET"]),
    ]


def page(described: Part, example: Callable[[str, Part], str]) -> str:
    """The document for people.

    Args:
        described: the document.
        example: a command that asks a path, from the path and the kinds of body that it takes; or "".
    """
    title, text = (escape(described["info"][name]) for name in ("title", "description"))
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>",
        f"<style>{_STYLE}</style><h1>{title}</h1><p>{text} For programs: "
        "<a href=openapi.json>openapi.json</a>.",
    ]
    for path, methods in described["paths"].items():
        parts += [_section(method, path, what, example) for method, what in methods.items()]
    return "\n".join(parts)


def _section(method: str, path: str, what: Part, example: Callable[[str, Part], str]) -> str:
    rows = [
        (parameter["name"], f"{parameter['in']}: {parameter.get('description', '')}")
        for parameter in what.get("parameters", ())
    ]
    rows += [(status, answer["description"]) for status, answer in what["responses"].items()]
    table = "".join(f"<tr><td><code>{escape(name)}</code><td>{escape(text)}" for name, text in rows)
    bodies = what.get("requestBody", {}).get("content", {})
    command = example(path, bodies)
    return (
        f"<h2>{method.upper()} <code>{escape(path)}</code></h2>"
        f"<p>{escape(what['summary'])}. {escape(what.get('description', ''))}"
        f"{_kinds('Body', bodies)}{_kinds('Answer, by Accept', _answer(what))}"
        f"{f'<pre>{escape(command)}</pre>' if command else ''}<table>{table}</table>"
    )


def _answer(what: Part) -> Part:
    found: Part = what["responses"].get("200", {}).get("content", {})
    return found if len(found) > 1 else {}


def _kinds(of: str, kinds: Part) -> str:
    names = ", ".join(f"<code>{escape(kind)}</code>" for kind in kinds)
    return f"<p>{of}: {names}" if names else ""
