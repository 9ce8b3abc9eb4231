"""Settings of the ``exec`` input."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from headrace.limits.inputs import EXEC_MAX_OUTPUT_BYTES
from headrace.units import is_registered

Format = Literal["lines", "json", "line_protocol"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecSettings:
    """``[[inputs]] plugin = "exec"``."""

    command: Annotated[tuple[str, ...], Meta(min_length=1)]
    format: Format = "lines"
    interval_s: Annotated[float, Meta(ge=0.1, le=86_400)] = 60.0
    timeout_s: Annotated[float, Meta(gt=0, le=3_600)] = 10.0
    max_bytes: Annotated[int, Meta(ge=1, le=16 * EXEC_MAX_OUTPUT_BYTES)] = EXEC_MAX_OUTPUT_BYTES
    text: bool = False
    units: dict[str, str] = field(default_factory=dict)
    prefix: Annotated[str, Meta(max_length=200)] = ""

    def problems(self) -> list[tuple[str, str]]:
        """What single fields cannot say."""
        found = []
        if shutil.which(self.command[0]) is None:
            found.append(("command", f"{self.command[0]!r} is no program that can be run"))
        if self.timeout_s > self.interval_s:
            why = f"{self.timeout_s} s is longer than interval_s = {self.interval_s}"
            found.append(("timeout_s", why))
        return found

    def warnings(self) -> list[tuple[str, str]]:
        """What is odd and may be meant."""
        return [
            (f"units.{name}", f"{unit!r} is not a SenML unit; sent as it is")
            for name, unit in self.units.items()
            if unit and not is_registered(unit)
        ]
