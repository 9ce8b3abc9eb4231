"""A site whose series speak once a minute, and what judges them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from cloud_sync.config import Maintain, Quality
from cloud_sync.landing.parquet import DAY_US
from cloud_sync.quality.keeper import DayDone, QualityKeeper
from headrace.clock import ManualClock
from headrace.metrics import Metrics
from headrace.query.ask import Questions
from headrace.query.config import Place
from tests import lakes
from tests.journals import Journal, batch

MINUTE_US = 60_000_000
DAY = date(2026, 11, 22)
START_US = round(datetime(2026, 11, 22, tzinfo=UTC).timestamp()) * 1_000_000
MINUTES = 1_440


class Site:
    """A site whose series speak once a minute."""

    def __init__(self, folder: Path, **quality: Any) -> None:
        self.config = replace(
            lakes.settings(folder),
            quality=Quality(**quality),
            maintain=Maintain(level=3, grace_s=0.0),
        )
        self.clock = ManualClock(START_US + DAY_US + 2 * 3_600_000_000)
        self.journal = Journal(self.config.journal.path)
        self.path = lakes.pipeline(self.config)
        self.metrics = Metrics("cloud_sync")
        self.keeper = self.judge()

    def judge(self, **quality: Any) -> QualityKeeper:
        config = replace(self.config, quality=replace(self.config.quality, **quality))
        return QualityKeeper(config, self.clock, self.metrics)

    def say(
        self, device: str, minutes: Sequence[int] | np.ndarray, *, name: str = "flow", day: int = 0,
        values: Sequence[float] | np.ndarray | None = None, **more: Any,
    ) -> None:  # fmt: skip
        """Readings at these minutes of a day; noise where no values are given."""
        times = START_US + day * DAY_US + np.asarray(minutes) * MINUTE_US
        if values is None:
            values = np.random.default_rng(len(times)).normal(20.0, 1.0, len(times))
        rows = batch([name] * len(times), times.tolist(), np.asarray(values).tolist())
        self.journal.append(device, rows, **more)

    def bring(self) -> None:
        self.path.land()
        self.path.register()

    def round(self) -> list[DayDone]:
        self.bring()
        return self.keeper.round()

    def rows(self, where: str = "true") -> list[dict[str, Any]]:
        questions = Questions(Place(self.config.lake, None))
        try:
            sql = f"SELECT * FROM quality WHERE {where} ORDER BY date, device, name"
            with questions.ask(sql) as answer:
                return answer.reader.read_all().to_pylist()
        finally:
            questions.close()

    def row(self, device: str, day: int = 0) -> dict[str, Any]:
        (found,) = self.rows(f"device = '{device}' AND date = DATE '{DAY + timedelta(days=day)}'")
        return found


def at(minute: int, day: int = 0) -> datetime:
    return datetime(2026, 11, 22, tzinfo=UTC) + timedelta(days=day, minutes=minute)
