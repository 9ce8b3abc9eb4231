"""Keeps payloads and replays them in processes that kill themselves (``stepping``); steps as in ``lake_launcher``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cloud_sync.config import Raw
from cloud_sync.raw import keeper
from cloud_sync.raw.keeper import Keeper
from cloud_sync.raw.replay import Replay
from cloud_sync.raw.table import Asked, ReplayTable
from headrace.lake.config import Lake
from headrace.metrics import Metrics
from tests.faults.lake_launcher import MortalStore, mortal_journal
from tests.faults.stepping import Steps, main
from tests.lakes import settings

ASKED = Asked(0, 2**52)


class MortalTable(ReplayTable):
    def __init__(self, lake: Lake, steps: Steps) -> None:
        super().__init__(lake, "again", ASKED)
        self._steps = steps

    def add(self, uris: Sequence[str], marks: Mapping[str, int]) -> None:
        self._steps.around(lambda: ReplayTable.add(self, uris, marks))


def run(folder: Path, steps: Steps) -> None:
    """Keep what the journal has, and replay it."""
    config = replace(settings(folder), raw=Raw(days=36_000))
    store = MortalStore(config.lake.folder, steps)
    keeper.RAW_FILE_PAYLOADS = 2  # type: ignore[misc]
    Keeper(config, store, Metrics("cloud_sync"), open_journal=mortal_journal(steps)).keep()
    Replay(store, MortalTable(config.lake, steps), ASKED).run()


if __name__ == "__main__":
    main(run)
