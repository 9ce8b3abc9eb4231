"""Writes the dashboards and the provisioning that stand in the repository, or compares them.

python -m dashboards.build           write
python -m dashboards.build --check   exit status 1 and the names of those that differ
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.build.alerts import alerts
from dashboards.build.device import device
from dashboards.build.fleet import fleet
from dashboards.build.pipeline import pipeline
from headrace.grafana.export import provisioned, write
from headrace.grafana.provisioning import Influx, Secret

ROOT: Final = Path(__file__).parents[1]

#: The provisioning in the repository is for containers: everything comes from the environment.
INFLUX: Final = Influx(
    url="${HEADRACE_INFLUX_URL}",
    database="${HEADRACE_INFLUX_DATABASE}",
    user="${HEADRACE_INFLUX_USER}",
    secret=Secret(variable="HEADRACE_INFLUX_PASSWORD"),
)
PATH: Final = "/var/lib/grafana/dashboards/headrace"


def made() -> Iterator[tuple[Path, str]]:
    """Every generated file."""
    for name, build in (("fleet", fleet), ("device", device), ("pipeline", pipeline), ("alerts", alerts)):  # fmt: skip
        dashboard = build().build()
        for number, panel in enumerate(dashboard.panels or [], start=1):
            panel.id_val = number
        text = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(dashboard)
        yield ROOT / "grafana" / f"{name}.json", text + "\n"
    for path, text in provisioned(INFLUX, PATH):
        yield ROOT / "provisioning" / path, text


def differing() -> list[Path]:
    """Files that are not what the code makes."""
    return [
        path
        for path, text in made()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """The command."""
    if arguments == ["--check"]:
        stale = differing()
        for path in stale:
            print(f"{path.relative_to(ROOT.parent)} is not what the code makes: python -m dashboards.build")  # fmt: skip
        return 1 if stale else 0
    for path, text in made():
        write(path, text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
