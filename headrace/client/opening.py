"""Which place is meant: an address, a configuration, a lake, or a data folder."""

from __future__ import annotations

from pathlib import Path

from headrace.client.connection import Connection
from headrace.errors import UsageError


def connect(
    place: str | Path | None = None, *, config: str | Path | None = None,
    lake: str | Path | None = None, token: str | None = None, ca_file: str | Path | None = None,
) -> Connection:  # fmt: skip
    """See ``headrace.connect``."""
    if isinstance(place, str) and place.startswith(("http://", "https://")):
        if config is not None or lake is not None:
            raise UsageError("an address excludes config and lake")
        from headrace.client.http import HttpConnection

        return HttpConnection(
            place, token=token, ca_file=Path(ca_file) if ca_file is not None else None
        )
    if token is not None or ca_file is not None:
        raise UsageError("token and ca_file are for an address", hint='connect("https://…")')
    return _local(place, config, lake)


def _local(
    place: str | Path | None, config: str | Path | None, lake: str | Path | None
) -> Connection:
    try:
        from headrace.client.local import LocalConnection
        from headrace.query.config import find_place
    except ModuleNotFoundError as error:
        raise UsageError(
            f"asking a lake from here needs the package {error.name}",
            hint="pip install 'headrace[cloud,query]', or connect to an endpoint of headrace serve",
        ) from error
    if place is not None and Path(place).suffix == ".toml":
        place, config = None, place
    return LocalConnection(
        find_place(
            data=Path(place) if place is not None else None,
            lake=str(lake) if lake is not None else None,
            config=Path(config) if config is not None else None,
        )
    )
