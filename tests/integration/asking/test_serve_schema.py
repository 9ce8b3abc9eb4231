"""``headrace serve`` answers as its OpenAPI document says, whatever is asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from headrace.serve.app import Paths
from headrace.serve.openapi import document
from tests.serving import TOKEN, serving

ROOT = Path(__file__).parents[3]

#: What is too long is told so (413), which schemathesis does not count among its refusals by itself.
SETTINGS = """
[checks]
negative_data_rejection.expected-statuses = [400, 401, 404, 405, 406, 413, 415]
"""

#: A statement that fits the schema may still be no SQL, and is refused then; anything else holds.
CHECKS = [
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_schema_conformance", "response_headers_conformance", "unsupported_method",
    "allow_header_conformance", "missing_required_header", "ignored_auth", "negative_data_rejection",
]  # fmt: skip


def test_every_answer_is_one_of_the_document(tmp_path: Path) -> None:
    """Schemathesis makes questions from the document, sound ones and broken ones: no 5xx, no surprise."""
    (tmp_path / "schemathesis.toml").write_text(SETTINGS, encoding="utf-8")
    with serving(tmp_path) as server:
        done = subprocess.run(
            [
                sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json",
                "--header", f"Authorization: Bearer {TOKEN}", "--checks", ",".join(CHECKS),
                "--phases", "examples,coverage,fuzzing", "--max-examples", "15", "--seed", "1",
                "--request-timeout", "20", "--no-color", "--continue-on-failure",
            ],
            cwd=tmp_path, capture_output=True, text=True, timeout=500,
            env={**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.serve_schema_hooks"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
        assert server.process.poll() is None


def test_the_document_names_every_path_that_answers_questions() -> None:
    """A path that is added is described."""
    app = Paths(None, None, None, None).app()  # type: ignore[arg-type]
    routes = {
        (route.path, method.lower())  # type: ignore[attr-defined]
        for route in app.routes
        if route.path.startswith("/api/")  # type: ignore[attr-defined]
        for method in route.methods - {"HEAD"}  # type: ignore[attr-defined]
    }
    paths = document()["paths"]
    assert {(path, method) for path, methods in paths.items() for method in methods} == routes
