"""From the journal into the table, on a folder and on S3: readings a second, CPU, memory.

A journal is filled with what a gateway journals of four agents with a backlog: batches of 10,000 readings of a pump,
encoded by the agent's own code. Then a process of its own (``landing_process``) lands all of it and registers it,
each once. On S3 the server is SeaweedFS with its REST catalogue, on the same two cores.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cloud_sync import config as configuration
from edge_agent.encode import Header, encode, units_of
from edge_agent.readings import Poll
from headrace.lake.catalogue import load_readings, open_catalogue
from tests.bench.fill import SERIES, polls
from tests.bench.lake.landing_process import Landed
from tests.bench.meter import Usage, difference, usage
from tests.journals import STREAM, Journal
from tests.servers.weed import run_weed

DEVICES, ROWS = 4, 10_000

#: Steps of a pump until its values come again: more than a landing has of one device.
DISTINCT_STEPS = 60_000


@dataclass(frozen=True)
class LandingResult:
    landed: Landed
    bytes_per_reading: float
    server: Usage | None  # of the object store and its catalogue


def run_landing(folder: Path, *, readings: int, on_s3: bool) -> LandingResult:
    """Fill a journal, then bring it into a new lake."""
    journal = folder / "journal.db"
    count = fill(journal, readings)
    with ExitStack() as stack:
        weed = stack.enter_context(run_weed(folder / "weed")) if on_s3 else None
        text = weed.config(journal, "bench") if weed else _on_folder(journal, folder / "lake")
        config = folder / "cloud_sync.toml"
        config.write_text(text)
        before = usage(weed.pid) if weed else None
        landed = _run(config)
        server = difference(usage(weed.pid), before) if weed and before else None
        assert landed.readings == count, (
            f"{count} readings in the journal, {landed.readings} in the lake"
        )
        return LandingResult(landed, _bytes(config) / count, server)


def fill(path: Path, readings: int) -> int:
    """A journal with so many readings, in whole batches of each device."""
    journal = Journal(path, site="bench")
    journal.db.execute("BEGIN")  # one commit: not what is measured here
    each = readings // DEVICES // ROWS * ROWS
    sources = [
        polls(each, ROWS // SERIES, seed, distinct=DISTINCT_STEPS) for seed in range(DEVICES)
    ]
    for turn in zip(*sources, strict=True):
        for device, poll in enumerate(turn):
            _append(journal, f"bench-{device}", poll)
    journal.db.execute("COMMIT")
    journal.close()
    return each * DEVICES


def _append(journal: Journal, device: str, poll: Poll) -> None:
    header = Header(STREAM, journal.next_seq(device), "b00t", "synced", units_of(poll.runs), False)
    late = max(run.times[-1] for run in poll.runs) + 30_000
    rows = sum(run.rows for run in poll.runs)
    journal.append_payload(device, encode(poll.runs, header), rows, received_at=late)


def _run(config: Path) -> Landed:
    command = [sys.executable, "-m", "tests.bench.lake.landing_process", str(config)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return msgspec.json.decode(done.stdout, type=Landed)


def _bytes(config: Path) -> int:
    table = load_readings(open_catalogue(configuration.load(config).lake))
    assert table is not None
    return sum(task.file.file_size_in_bytes for task in table.scan().plan_files())


def _on_folder(journal: Path, lake: Path) -> str:
    return f'[journal]\npath = "{journal}"\n[lake]\nuri = "{lake}"\n'
