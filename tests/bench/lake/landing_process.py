"""One pass of landing and registering, measured from inside: ``python -m tests.bench.lake.landing_process CONFIG``.

What a service does once in its life, importing and opening the store, is over when the clock starts.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import msgspec

from cloud_sync import config as configuration
from cloud_sync.pipeline import Pipeline, open_parts
from headrace import memory
from headrace.metrics import Metrics
from tests.bench.meter import difference, usage


class Landed(msgspec.Struct, frozen=True):
    """What it took; ``cpu_s`` and ``peak_mb`` are those of the process."""

    readings: int
    landing_s: float
    seconds: float
    cpu_s: float
    peak_mb: float

    @property
    def readings_per_s(self) -> float:
        return self.readings / self.seconds


def main() -> None:
    memory.keep_freed()
    settings = configuration.load(Path(sys.argv[1]))
    pipeline = Pipeline(settings, open_parts(settings), Metrics("cloud_sync"))
    before, started = usage(os.getpid()), time.perf_counter()
    pipeline.land()
    landing_s = time.perf_counter() - started
    readings = pipeline.register()
    seconds = time.perf_counter() - started
    used = difference(usage(os.getpid()), before)
    print(
        msgspec.json.encode(Landed(readings, landing_s, seconds, used.cpu_s, used.peak_mb)).decode()
    )


if __name__ == "__main__":
    main()
