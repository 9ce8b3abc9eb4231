"""What an import plugin is: a source of chunks that can begin again where it was stopped.

The contract that makes an import exactly-once:

- A source is given ``marks``: what it said itself with the chunks that are on disk. Nothing else may
  decide where it begins.
- A chunk's readings and its marks are committed together, or neither is. What was read and not committed
  is asked for again, and may look different then: nothing of the first look is anywhere.
- A source never yields readings that the marks before it cover.

Whatever fails leaves a source as an error of ours: ``InputError`` (heals; the job can be run again) or
another ``HeadraceError``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyarrow as pa

from headrace.clock import Clock, SystemClock
from headrace.codecs.columns import NAME_TYPE, TIME_TYPE

#: Readings of a chunk. A row has a value or a text; those with neither are no readings and are left out.
ROWS: Final = pa.schema(
    [
        pa.field("device", NAME_TYPE),
        pa.field("name", NAME_TYPE),
        pa.field("time", TIME_TYPE),
        pa.field("value", pa.float64()),
        pa.field("text", pa.utf8()),
        pa.field("unit", NAME_TYPE),
    ]
)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Readings, and where to go on behind them.

    ``marks``: keys to set, or to drop (None). ``refused``: rows that became no readings, by reason.
    ``done`` and ``total`` are for the progress bar, in units of the source's own; 0 where it cannot tell.
    """

    rows: pa.Table
    marks: Mapping[str, bytes | None]
    refused: Mapping[str, int] = field(default_factory=dict)
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class ImportContext:
    """What a source may use beside its settings.

    ``folder`` is the job's own, for what must outlive a kill.
    """

    folder: Path
    clock: Clock = field(default_factory=SystemClock)
    should_stop: Callable[[], bool] = lambda: False


class ImportSource(ABC):
    """One import job's way to its readings."""

    @abstractmethod
    def chunks(self, marks: Mapping[str, bytes]) -> Iterator[Chunk]:
        """What there is now behind the marks, in pieces of at most ``IMPORT_CHUNK_ROWS`` rows or so."""
