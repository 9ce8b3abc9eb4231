"""Rounds of commands and kills on one lake, and the comparison at the end."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from cloud_sync import cli
from cloud_sync import config as configuration
from headrace.lake.catalogue import load_readings, open_catalogue
from tests.kills.input import COLUMNS, Input
from tests.kills.zygote import Zygote
from tests.lakes import ask

#: What may be killed: a name, the words of the command, the configuration that it gets.
COMMANDS = [
    ("land and register", ("once",), "both"),
    ("land", ("once",), "land"),
    ("register", ("once",), "register"),
    *([("maintain", ("maintain",), "both")] if "maintain" in cli.main.commands else []),
]

#: Small, so that each run has several landings, commits and snapshots to expire.
_BOUNDS = {
    "both": "[landing]\nmax_rows = 300\n[register]\nkeep_snapshots = 3\n",
    "land": "[landing]\nmax_rows = 300\n[register]\nenabled = false\n",
    "register": "[landing]\nenabled = false\n[register]\nkeep_snapshots = 3\n",
}

#: Part of the rounds after which the lake is looked at through a query.
_LOOKS = 0.1

#: Seconds that a command takes, before one has been seen to end.
_FIRST_GUESS_S = 1.0


@dataclass
class Result:
    """What happened: kills and ends by command, looks in between, and the comparison of lake and input."""

    kills: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    looks: int = 0
    readings: int = 0
    lost: int = 0
    doubled: int = 0
    scanned: int = 0


class Torture:
    """One lake under fire; ``config`` is its cloud_sync.toml without bounds."""

    def __init__(self, folder: Path, config: str, *, seed: int) -> None:
        self._folder = folder
        self._rng = random.Random(seed)
        self._takes_s = {name: _FIRST_GUESS_S for name, _, _ in COMMANDS}
        self.result = Result()
        for name, bounds in _BOUNDS.items():
            (folder / f"{name}.toml").write_text(config + bounds)
        self.config = configuration.load(folder / "both.toml")
        self.input = Input(self.config.journal.path, self._rng)
        self._lanes = [Zygote(folder / f"lane-{number}.log") for number in range(2)]

    def run(self, kills: int, progress: Callable[[int], object] = lambda _: None) -> Result:
        """Kill that often, then let everything end, and compare."""
        while (done := sum(self.result.kills.values())) < kills:
            self.input.grow()
            if self._rng.random() < 0.3:
                self.input.forget()
            self._round()
            if self._rng.random() < _LOOKS:
                self._look()
            progress(sum(self.result.kills.values()) - done)
        self._settle()
        self._compare()
        return self.result

    def close(self) -> None:
        for lane in self._lanes:
            lane.close()
        self.input.close()

    def _round(self) -> None:
        """One command, or two of them at the same time."""
        lanes = self._lanes[: self._rng.choice([1, 1, 2])]
        started = [(lane, *self._start(lane)) for lane in lanes]
        for lane, pid, name, began, end in started:
            status = lane.wait(max(0.0, end - time.monotonic()))
            if status is None:
                os.kill(pid, signal.SIGKILL)
                status = lane.wait(30)
            killed = status == -signal.SIGKILL
            self._learn(name, began, killed=killed)
            (self.result.kills if killed else self.result.ends)[name] += 1
            # 1: another process was first, or is landing; anything else is a fault.
            assert killed or status in (0, 1), f"{name}: {status}: {lane.log.read_text()[-3000:]}"
        for lane in lanes:
            assert "Traceback" not in lane.log.read_text(), lane.log.read_text()[-3000:]

    def _learn(self, name: str, began: float, *, killed: bool) -> None:
        """Draw moments from all that a command takes with something to do, and from little more."""
        took, takes = time.monotonic() - began, self._takes_s[name]
        if not killed:
            self._takes_s[name] = (takes + 1.1 * took) / 2
        elif took > 0.9 * takes:
            self._takes_s[name] = takes * 1.2

    def _start(self, lane: Zygote) -> tuple[int, str, float, float]:
        name, words, config = self._rng.choice(COMMANDS)
        began = time.monotonic()
        pid = lane.start(*words, "--config", str(self._folder / f"{config}.toml"))
        return pid, name, began, began + self._rng.uniform(0.0, self._takes_s[name])

    def _look(self) -> None:
        """What a query sees between two kills: each reading once, wherever it is on its way."""
        sql = "SELECT count(*) AS n, count(DISTINCT (device, stream, seq)) AS once FROM readings"
        (seen,) = ask(self.config.lake, self.config.journal.path, sql).to_pylist()
        there = self.input.table().num_rows
        assert (seen["n"], seen["once"]) == (there, there)
        self.result.looks += 1

    def _settle(self) -> None:
        """Everything once without a kill; a lock of a killed process may have to run out."""
        for name, words, config in COMMANDS:
            began = time.monotonic()
            self._lanes[0].start(*words, "--config", str(self._folder / f"{config}.toml"))
            assert self._lanes[0].wait(120) == 0, self._lanes[0].log.read_text()[-3000:]
            self._takes_s[name] = time.monotonic() - began

    def measure(self) -> None:
        """About how long each command takes."""
        self.input.grow()
        self._settle()

    def _compare(self) -> None:
        """Lake and input as multisets, and a scan by a client that knows nothing of Headrace."""
        lake = self.config.lake
        landed = ask(lake, None, f"SELECT {', '.join(COLUMNS)} FROM readings")
        table = load_readings(open_catalogue(lake))
        assert table is not None
        expected = self.input.table()
        self.result.readings = expected.num_rows
        self.result.lost, self.result.doubled = differences(landed, expected)
        self.result.scanned = table.scan().to_arrow().num_rows


def differences(landed: pa.Table, expected: pa.Table) -> tuple[int, int]:
    """Readings of the input that are not in the lake, and the other way round, as multisets."""
    with duckdb.connect() as db:
        db.register("landed", landed)
        db.register("expected", expected)
        columns = ", ".join(COLUMNS).replace("time", "epoch_us(time)")
        lake, put = f"SELECT {columns} FROM landed", f"SELECT {columns} FROM expected"
        counts = [
            db.execute(f"SELECT count(*) FROM ({a} EXCEPT ALL {b})").fetchone()
            for a, b in ((put, lake), (lake, put))
        ]
    return counts[0][0], counts[1][0]  # type: ignore[index]
