"""Settings of the ``[[notify]]`` tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from headrace.config import FaultList
from headrace.derived import Severity

NotifyState = Literal["firing", "resolved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyConfig:
    """One place that alerts are sent to.

    Attributes:
        name: how logs call it; by default its number.
        url: an Apprise URL. It often holds a password: prefer ``url_file``. Never logged.
        url_file: a file with Apprise URLs, one a line, ``#`` starts a comment.
        severities, states: what is sent there.
    """

    name: str = ""
    url: str = field(default="", repr=False)
    url_file: Path | None = None
    severities: tuple[Severity, ...] = ("info", "warning", "critical")
    states: tuple[NotifyState, ...] = ("firing", "resolved")


def check_notify(targets: Sequence[NotifyConfig], found: FaultList) -> None:
    """Add what single fields cannot say."""
    for index, target in enumerate(targets):
        key = f"notify[{index}]"
        if (target.url_file is None) == (not target.url):
            found.add(key, "give url_file (preferred: URLs hold passwords) or url, one of both")
        elif target.url_file is not None and not target.url_file.is_file():
            found.add(f"{key}.url_file", f"no such file: {target.url_file}")
