"""The HTTP ingest answers as its OpenAPI document says, whatever is sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.http_ingest import http_site

ROOT = Path(__file__).parents[3]

#: Data that a schema cannot describe (lines, CBOR) is refused although it fits; anything else holds.
CHECKS = [
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_schema_conformance", "response_headers_conformance", "unsupported_method",
    "allow_header_conformance", "missing_required_header", "ignored_auth", "negative_data_rejection",
]  # fmt: skip


def test_every_answer_is_one_of_the_document(tmp_path):
    """Schemathesis makes requests from the document, sound ones and broken ones: no 5xx, no surprise."""
    with http_site(tmp_path) as site:
        token = site.token("*")
        done = subprocess.run(
            [
                sys.executable, "-m", "schemathesis.cli", "run", f"{site.url}/openapi.json",
                "--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS),
                "--phases", "examples,coverage,fuzzing", "--max-examples", "15", "--seed", "1",
                "--request-timeout", "20", "--no-color", "--continue-on-failure",
            ],
            cwd=tmp_path, capture_output=True, text=True, timeout=150,
            env={**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.http_schema_hooks"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
        assert site.gateway.program.running


def test_the_document_names_every_path_and_answer_that_there_is(tmp_path):
    """A path that is added is described."""
    from gateway.api.influx import Influx
    from gateway.api.openapi import document
    from gateway.api.readings import FORMATS, Readings

    routes = [
        *Influx(desk=None, device_tag="").routes(),  # type: ignore[arg-type]
        *Readings(None).routes(),  # type: ignore[arg-type]
    ]
    there = {
        (route.path, method.lower())
        for route in routes
        for method in (route.methods or set()) - {"HEAD"}
    }
    paths = document()["paths"]
    assert {(path, method) for path, methods in paths.items() for method in methods} == there
    assert set(paths["/v1/readings/{device}"]["post"]["requestBody"]["content"]) == set(FORMATS)
    json.dumps(document())
