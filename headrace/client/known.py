"""Whether a device and its names are there at all, where an answer has nothing of them.

A typing error is an empty answer otherwise, and a column that is missing in a table of several. Asked is only where
something is missing, and of ``latest`` first, which is quick; ``series`` also has what was never dated well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from headrace.client.values import texts
from headrace.errors import UsageError
from headrace.query import phrases

#: Asks for the rows of a phrase.
Ask = Callable[[str, dict[str, Any]], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is asked for; no device is all, no names are all."""

    device: str | None
    names: tuple[str, ...]
    site: str | None

    @classmethod
    def of(cls, device: Any, names: Any, site: Any) -> Chosen:
        """Raises:
        UsageError: something is no text.
        """
        one = {name: texts(name, [value])[0] if value is not None else None
               for name, value in (("device", device), ("site", site))}  # fmt: skip
        return cls(one["device"], tuple(texts("names", names)), one["site"])


def check(ask: Ask, chosen: Chosen, seen: Collection[str]) -> None:
    """Nothing where all is there.

    Args:
        seen: names in the answer.

    Raises:
        UsageError: no such device, or it has no such name, with those that are alike.
    """
    missing = [name for name in chosen.names if name not in seen]
    if not (missing or (chosen.device is not None and not seen)):
        return
    if _problem(ask(*phrases.known("latest", site=chosen.site)), chosen.device, missing) is None:
        return
    problem = _problem(ask(*phrases.known("series", site=chosen.site)), chosen.device, missing)
    if problem is not None:
        raise problem


def _problem(
    rows: list[dict[str, Any]], device: str | None, missing: Sequence[str]
) -> UsageError | None:
    devices = sorted({row["device"] for row in rows})
    if device is not None and device not in devices:
        return _unknown(f"no device {device!r}", device, devices, "lake.devices() lists all")
    names = sorted({row["name"] for row in rows if device in (None, row["device"])})
    for name in missing:
        if name not in names:
            whose = f"device {device!r} has" if device is not None else "there is"
            every = f"lake.series({device!r})" if device is not None else "lake.series()"
            return _unknown(f"{whose} no series {name!r}", name, names, f"{every} lists all")
    return None


def _unknown(what: str, asked: str, there: Sequence[str], rest: str) -> UsageError:
    alike = get_close_matches(asked, there, 3)
    hint = f"did you mean {' or '.join(map(repr, alike))}? {rest}" if alike else rest
    return UsageError(what, hint=hint)
