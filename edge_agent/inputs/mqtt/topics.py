"""Topics to series by template.

``tele/{device}/SENSOR`` is an MQTT filter whose wildcards have names: ``{device}`` stands for one
level (MQTT's ``+``), ``#`` at the end for the rest, which is called ``{rest}``. The series template
uses those names, and ``{key}`` for the path of a value inside a JSON document. A plain payload has no
key: ``{device}/{key}`` is then just the device.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_LEVEL: Final = re.compile(r"\{(\w+)\}")
_NAME: Final = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True, slots=True)
class Template:
    """One topic pattern and where its readings go."""

    topic: str
    series: str

    @property
    def filter(self) -> str:
        """What is subscribed."""
        return "/".join("+" if _LEVEL.fullmatch(level) else level for level in self._levels)

    @property
    def _levels(self) -> list[str]:
        return self.topic.split("/")

    def problems(self) -> list[tuple[str, str]]:
        """(key, problem) pairs."""
        found = []
        for place, level in enumerate(self._levels):
            last = place == len(self._levels) - 1
            if _LEVEL.fullmatch(level) or level == "+" or (level == "#" and last):
                continue
            if re.search(r"[{}+#]", level):
                why = "a level is a text, +, {name} or, at the end, #"
                found.append(("topic", f"{why}; got {level!r}"))
        names = _LEVEL.findall(self.topic) + ["rest"] * self.topic.endswith("#")
        if len(set(names)) < len(names) or "key" in names:
            found.append(("topic", "each {name} once, and none is called key"))
        for name in _NAME.findall(self.series):
            if name not in (*names, "key"):
                known = ", ".join(f"{{{one}}}" for one in (*names, "key"))
                found.append(("series", f"unknown {{{name}}}; known: {known}"))
        return found

    def match(self, topic: str) -> dict[str, str] | None:
        """The names' texts for a topic; None for a topic of another pattern."""
        levels = topic.split("/")
        names: dict[str, str] = {}
        for place, wanted in enumerate(self._levels):
            if wanted == "#":
                return names | {"rest": "/".join(levels[place:])}
            if place >= len(levels):
                return None
            named = _LEVEL.fullmatch(wanted)
            if named:
                names[named[1]] = levels[place]
            elif wanted not in ("+", levels[place]):
                return None
        return names if len(levels) == len(self._levels) else None

    def name(self, names: dict[str, str], key: str) -> str:
        """The series of a value; the slash before an empty key goes with it."""
        filled = _NAME.sub(lambda match: {**names, "key": key}[match[1]], self.series)
        return filled.strip("/") if not key else filled
