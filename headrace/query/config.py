"""Which journal and which lake a query reads: a data folder, a lake's address, or cloud_sync.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.config import FaultList, read_table
from headrace.errors import ConfigError, Fault, UsageError
from headrace.lake import config as lake_config
from headrace.lake.config import DEFAULT_DATA, Journal, Lake


@dataclass(frozen=True, slots=True)
class Place:
    """A lake and, on the machine of its gateway, a journal."""

    lake: Lake
    journal: Path | None


def find_place(*, data: Path | None, lake: str | None, config: Path | None) -> Place:
    """The place that the options name; the default is the demo's data folder.

    Raises:
        UsageError: more than one is named, or the data folder is not there.
        ConfigError: the file has faults.
    """
    if sum(option is not None for option in (data, lake, config)) > 1:
        raise UsageError("--data, --lake and --config exclude each other", hint="name one of them")
    if config is not None:
        return _from_file(config)
    if lake is not None:
        return Place(_lake_alone(lake), None)
    folder = data or DEFAULT_DATA
    if not folder.is_dir():
        raise UsageError(f"no data folder {folder}", hint="name one with --data, or run the demo")
    journal, found = lake_config.for_data(folder)
    return Place(_checked(found, str(folder)), journal.path)


def _lake_alone(uri: str) -> Lake:
    lake = Lake(uri=uri)
    if lake.scheme in lake_config.SCHEMES:
        raise UsageError(
            f"{uri}: a lake that is not a folder needs keys and a catalogue",
            hint="name cloud_sync.toml by --config",
        )
    return _checked(lake, "--lake")


def _checked(lake: Lake, source: str) -> Lake:
    found = FaultList()
    lake_config.check(lake, found)
    if found.faults:
        raise ConfigError(source, found.faults)
    return lake


def _from_file(path: Path) -> Place:
    """``[journal]`` and ``[lake]`` of cloud_sync.toml; its other tables are not ours to check."""
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(str(path), [Fault("", f"cannot be read: {error}")]) from error
    found = FaultList()
    journal = read_table(Journal, data.get("journal", {}), "journal", found)
    lake = read_table(Lake, data.get("lake", {}), "lake", found)
    if lake is not None:
        lake_config.check(lake, found)
    if found.faults or journal is None or lake is None:
        raise ConfigError(str(path), found.faults)
    return Place(lake, journal.path)
