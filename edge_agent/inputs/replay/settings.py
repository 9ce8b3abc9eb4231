"""Settings of the ``replay`` input."""

from __future__ import annotations

import csv
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from msgspec import Meta


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySettings:
    """``[[inputs]] plugin = "replay"``.

    ``speed`` is "real", "max", or a factor. ``time_format`` is "iso", "epoch_s", "epoch_ms",
    "epoch_us", or a strptime pattern; ``timezone`` says what times without an offset mean.
    ``columns`` renames columns to series, ``units`` is by column, ``text`` names the columns that
    are texts; columns in ``exclude`` are not read.
    """

    path: Path
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","
    encoding: str = "utf-8-sig"
    time_column: str = "time"
    time_format: str = "iso"
    timezone: str = "UTC"
    columns: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    text: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    prefix: Annotated[str, Meta(max_length=200)] = ""
    speed: float | str = "real"
    interval_s: Annotated[float, Meta(gt=0, le=3_600)] = 0.5
    restamp: bool = False
    loop: bool = False
    chunk_rows: Annotated[int, Meta(ge=1, le=10_000)] = 2_000

    def problems(self) -> list[tuple[str, str]]:
        """What single fields cannot say."""
        found = self._header_problems()
        if isinstance(self.speed, str):
            if self.speed not in ("real", "max"):
                found.append(("speed", f'expected "real", "max" or a number, got {self.speed!r}'))
        elif not self.speed > 0:
            found.append(("speed", f"expected a number above 0, got {self.speed}"))
        if self.loop and not self.restamp:
            found.append(
                ("loop", "needs restamp = true: the same times twice are the same readings")
            )
        if self.loop and self.speed == "max":
            found.append(("loop", 'would never pause with speed = "max"'))
        try:
            zoneinfo.ZoneInfo(self.timezone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            found.append(("timezone", f"unknown time zone {self.timezone!r}"))
        return found

    def _header_problems(self) -> list[tuple[str, str]]:
        try:
            with self.path.open(encoding=self.encoding, errors="replace", newline="") as file:
                header = next(csv.reader(file, delimiter=self.delimiter), [])
        except OSError as error:
            return [("path", f"cannot be read: {error}")]
        except LookupError:
            return [("encoding", f"unknown encoding {self.encoding!r}")]
        # Not exclude: one list may serve recordings of which only some have a column.
        named: dict[str, Iterable[str]] = {
            "time_column": (self.time_column,), "columns": self.columns, "units": self.units,
            "text": self.text,
        }  # fmt: skip
        return [
            (key, f"no column {title!r} in {self.path}; found {', '.join(header)}")
            for key, titles in named.items()
            for title in titles
            if title not in header
        ]
