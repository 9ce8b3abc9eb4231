"""Import jobs for tests: a configuration from text, run in this process, and what the lake has then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cloud_sync import config
from cloud_sync.config import CloudSync, Landing
from cloud_sync.imports import jobs
from cloud_sync.imports.jobs import ImportJob
from cloud_sync.imports.port import Chunk
from cloud_sync.imports.runner import ImportRun, Outcome
from headrace.clock import Clock
from headrace.metrics import Metrics
from tests.lakes import ask

HEAD = """
[lake]
uri = "{folder}/lake"
[journal]
path = "{folder}/gateway/journal.db"
[spool]
folder = "{folder}/imports"
"""


def configured(folder: Path, tables: str, *, max_rows: int = 2_000_000) -> tuple[CloudSync, list[ImportJob]]:  # fmt: skip
    """A configuration with these [[imports]] tables; it stands in ``folder`` as cloud_sync.toml."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "cloud_sync.toml"
    path.write_text(HEAD.format(folder=folder) + tables, encoding="utf-8")
    whole = config.load(path)
    return replace(whole, landing=Landing(max_rows=max_rows)), jobs.read(whole.imports, str(path))


def run(
    folder: Path, tables: str, *, job: str = "", progress: Callable[[Chunk], None] = lambda _: None,
    clock: Clock | None = None,
) -> Outcome:  # fmt: skip
    """Run the first job, or the named one, and register it."""
    settings, found = configured(folder, tables)
    chosen = jobs.choose(found, job) if job else found[0]
    one = ImportRun(settings, chosen, Metrics("cloud_sync"), clock=clock)
    outcome = one.run(progress)
    one.register()
    return outcome


def readings(folder: Path, sql: str = "") -> list[dict[str, Any]]:
    """What the lake has, without any journal."""
    settings = config.load(folder / "cloud_sync.toml")
    chosen = sql or "SELECT device, name, time, value, text, unit FROM readings ORDER BY ALL"
    found: list[dict[str, Any]] = ask(settings.lake, None, chosen).to_pylist()
    return found
