"""Keeps payloads and replays them in child processes that kill themselves at a chosen step.

``python tests/faults/raw_launcher.py FOLDER STEP [STEP …]``, as ``lake_launcher``.
"""

from __future__ import annotations

import os
import signal
import sys
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
from tests.faults.lake_launcher import MortalStore, Steps, mortal_journal
from tests.lakes import settings

ASKED = Asked(0, 2**52)


class MortalTable(ReplayTable):
    def __init__(self, lake: Lake, steps: Steps) -> None:
        super().__init__(lake, "again", ASKED)
        self._steps = steps

    def add(self, uris: Sequence[str], marks: Mapping[str, int]) -> None:
        self._steps.around(lambda: ReplayTable.add(self, uris, marks))


def run(folder: Path, fatal: int) -> int:
    config = replace(settings(folder), raw=Raw(days=36_000))
    steps = Steps(fatal)
    store = MortalStore(config.lake.folder, steps)
    keeper.RAW_FILE_PAYLOADS = 2  # type: ignore[misc]
    Keeper(config, store, Metrics("cloud_sync"), open_journal=mortal_journal(steps)).keep()
    Replay(store, MortalTable(config.lake, steps), ASKED).run()
    return steps.count


def main() -> None:
    root = Path(sys.argv[1])
    for index, fatal in enumerate(map(int, sys.argv[2:])):
        child = os.fork()
        if child == 0:
            count = run(root / str(index), fatal)
            (root / str(index) / "steps").write_text(str(count))
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print("killed" if status == -signal.SIGKILL else f"exit {status}", flush=True)


if __name__ == "__main__":
    main()
