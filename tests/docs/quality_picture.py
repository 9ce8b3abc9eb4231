"""Makes docs/quality.png anew: ``python -m tests.docs.quality_picture`` (Chromium; a minute).

Ten days of four pumps and a door, of which one pump loses two nights, one a quarter of its readings, and one a sensor;
judged on the morning after, by the clock of the test.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from cloud_sync.config import for_data
from cloud_sync.quality.keeper import QualityKeeper
from headrace.clock import ManualClock
from headrace.lake.catalogue import open_catalogue
from headrace.metrics import Metrics
from headrace.quality import refused, table
from headrace.quality.page import page
from tests.journals import Journal, batch
from tests.lakes import pipeline
from tests.servers.chromium import chromium

OUT: Final = Path(__file__).parents[2] / "docs" / "quality.png"
FIRST: Final = datetime(2026, 11, 13, tzinfo=UTC)
NOW: Final = datetime(2026, 11, 23, 6, tzinfo=UTC)
DAYS: Final = 10
MINUTES: Final = 1_440
NAMES: Final = ("bearing_temperature", "flow", "pressure", "vibration")
SIZE: Final = {"width": 1_140, "height": 1_130}


def minutes_of(pump: int, name: str, day: int, random: np.random.Generator) -> np.ndarray:
    """The minutes of a day at which a series speaks."""
    minutes = np.arange(MINUTES)
    if pump == 2 and name == "pressure":
        return minutes[: max(0, (5 - day) * MINUTES + 700)]
    if pump == 3 and day in (3, 7):
        return minutes[(minutes < 300) | (minutes > 700)]
    if pump == 4:
        return minutes[random.random(MINUTES) > 0.03 + 0.02 * day]
    return minutes


def spoken() -> Iterator[tuple[str, str, datetime, np.ndarray]]:
    """Device, name, day and minutes."""
    random = np.random.default_rng(7)
    for day in range(DAYS):
        at = FIRST + timedelta(days=day)
        for pump in range(1, 5):
            for name in NAMES:
                yield f"pump-{pump}", name, at, minutes_of(pump, name, day, random)
        yield "gate-1", "door", at, np.unique(random.integers(0, MINUTES, 37))


def make(folder: Path) -> str:
    """The page of a site with that history."""
    config = for_data(folder)
    journal, random = Journal(config.journal.path, site="plant-1"), np.random.default_rng(8)
    for device, name, day, minutes in spoken():
        if not len(minutes):
            continue
        times = round(day.timestamp()) * 1_000_000 + minutes * 60_000_000
        values = random.normal(20.0, 0.5, len(times)).round(2)
        if (device, name, day.day) == ("pump-1", "vibration", 18):
            values[[300, 900]] = 400.0
        journal.append(device, batch([name] * len(times), times.tolist(), values.tolist()))
    journal.append("pump-4", batch(["flow"] * 5, range(5), [1.0] * 5), received_at=round(NOW.timestamp() - 86_400) * 1_000_000)  # fmt: skip
    path = pipeline(config)
    path.land()
    path.register()
    clock = ManualClock(round(NOW.timestamp()) * 1_000_000)
    QualityKeeper(config, clock, Metrics("cloud_sync")).round()
    last = (NOW - timedelta(days=1)).date()
    shown, rows = table.load(open_catalogue(config.lake), FIRST.date(), last)
    return page(shown, rows, refused.load(config.lake, shown), now=NOW)


def main() -> None:
    """Draw it."""
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        shown = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
        shown.set_content(make(Path(name)))
        picture = Image.open(BytesIO(shown.screenshot()))
        # As many colours as the page has: a fifth of the bytes.
        picture.convert("RGB").quantize(64).save(OUT, optimize=True)


if __name__ == "__main__":
    main()
