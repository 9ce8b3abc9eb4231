"""Writes a provisioning folder; touches no file that is not ours.

::

    <out>/datasources/headrace.yaml
    <out>/dashboards/headrace.yaml
    <out>/dashboards/headrace/<dashboard>.json
    <out>/alerting/headrace.yaml
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from headrace.errors import StorageError, UsageError
from headrace.grafana import provisioning, yaml
from headrace.grafana.provisioning import Influx

_COMMENT: Final = "Written by `headrace grafana export`; write it again rather than edit it."


def shipped() -> list[Traversable]:
    """The dashboards: beside this file when installed, in dashboards/ in a clone.

    Raises:
        UsageError: neither is there.
    """
    for folder in (
        files("headrace.grafana").joinpath("data"),
        Path(__file__).parents[2] / "dashboards" / "grafana",
    ):
        if folder.is_dir():
            return sorted(
                (file for file in folder.iterdir() if file.name.endswith(".json")),
                key=lambda file: file.name,
            )
    raise UsageError(
        "the dashboards are missing in this installation",
        hint="install the package again, or run in a clone of the repository",
    )


def provisioned(influx: Influx, path: str = provisioning.DASHBOARDS_PATH) -> Iterator[tuple[str, str]]:  # fmt: skip
    """(path below the provisioning folder, text) of the files around the dashboards."""
    yield "datasources/headrace.yaml", yaml.dump(provisioning.datasource(influx), _COMMENT)
    yield "dashboards/headrace.yaml", yaml.dump(provisioning.dashboards(path), _COMMENT)
    yield "alerting/headrace.yaml", yaml.dump(provisioning.alerting(), _COMMENT)


def export(out: Path, influx: Influx, path: str = provisioning.DASHBOARDS_PATH) -> list[Path]:
    """Write all files; what was written.

    Raises:
        StorageError: a file cannot be written.
    """
    texts = dict(provisioned(influx, path))
    for dashboard in shipped():
        texts[f"dashboards/headrace/{dashboard.name}"] = dashboard.read_text(encoding="utf-8")
    return [write(out / name, text) for name, text in texts.items()]


def write(path: Path, text: str) -> Path:
    """One file, with the folders that it stands in.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror}", hint="choose another folder with --out"
        ) from error
    return path
