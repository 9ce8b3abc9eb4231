"""A password or token that stands alone in a file, so that a configuration can be shown to anybody."""

from __future__ import annotations

from pathlib import Path

from headrace.errors import SinkUnavailable


def read_secret(path: Path | None) -> str:
    """The text of the file; empty where there is none.

    Raises:
        SinkUnavailable: it cannot be read at present: whoever renews it may be at it.
    """
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SinkUnavailable(
            f"the secret in {path} cannot be read: {error}",
            hint="the gateway's user must be able to read it",
        ) from error
