"""Everything is killed, again and again, and the lake still holds each reading exactly once.

Two agents replay recordings through mosquitto, a gateway and cloud-sync into a local lake; agents,
broker, gateway and cloud-sync are separate processes, and each is ended by SIGKILL at random moments
and started again. Then the lake is compared with the recordings and with the agents' own counts.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from headrace.buffer_stats import read_buffer_stats
from headrace.journal import JournalReader
from headrace.lake.config import Lake
from headrace.query.engine import Engine
from headrace.query.sources import collect
from tests.programs import Program, Programs, make_gateway
from tests.servers import free_port, wait_until
from tests.servers.mosquitto import EXECUTABLE, MosquittoProgram

KILLS = 32
SERIES = 8
#: device, rows of its recording, how fast it is replayed, loss window
AGENTS = (("paced", 12_000, 200.0, 1.0), ("burst", 60_000, '"max"', 0.2), ("each", 600, 10.0, 0.0))


def agent_config(device: str, folder: Path, port: int, speed: object, loss_window_s: float) -> str:
    return f"""
device = "{device}"
[buffer]
path = "{folder / device}.db"
loss_window_s = {loss_window_s}
[uplink]
port = {port}
ack_timeout_s = 3
[[inputs]]
plugin = "replay"
path = "{folder / device}.csv"
speed = {speed}
interval_s = 0.1
"""


def cloud_config(folder: Path, journal: Path) -> str:
    return f"""
[journal]
path = "{journal}"
[lake]
uri = "{folder / "lake"}"
[landing]
interval_s = 1
[register]
interval_s = 1
"""


#: Without what the gateway says of a device every 30 s.
SENT = "name NOT LIKE 'gateway/%'"


def write_recording(path: Path, rows: int, seed: int) -> None:
    subprocess.run(
        [sys.executable, "-m", "edge_agent", "simulate", "--rows", str(rows), "--hz", "1",
         "--seed", str(seed), str(path)],
        check=True,
    )  # fmt: skip


def kill_at_random(victims: list[Program], kills: int, rng: random.Random) -> None:
    """Each victim about equally often; up again at once or a moment later."""
    pause = threading.Event()
    for number in range(kills):
        victim = victims[number % len(victims)]
        pause.wait(rng.uniform(0.0, 1.2))
        assert victim.running, f"{victim.config.stem} ended by itself:\n{victim.output()[-3000:]}"
        victim.kill()
        pause.wait(rng.choice([0.0, 0.0, rng.uniform(0.0, 1.0)]))
        victim.start()


def drained(folder: Path) -> bool:
    """Whether every agent has sampled its whole recording and got everything acknowledged."""
    for device, rows, _, _ in AGENTS:
        path = folder / f"{device}.db"
        if not path.is_file():
            return False  # on a busy machine each of its kills came before that
        stats = read_buffer_stats(path)
        if stats.sampled < rows * SERIES or stats.buffered:
            return False
    return True


@pytest.mark.skipif(EXECUTABLE is None, reason="mosquitto is not installed")
def test_no_kill_loses_or_doubles_a_reading(programs: Programs, tmp_path: Path, request):
    """At least 30 SIGKILLs; 0 lost, 0 duplicated, by (device, stream, seq) and by content."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    broker = MosquittoProgram(tmp_path, free_port())
    gateway = make_gateway(programs, kind="external", mqtt_port=broker.port)
    cloud = programs.make("cloud_sync", cloud_config(tmp_path, gateway.journal))
    agents = []
    for number, (device, rows, speed, loss_window_s) in enumerate(AGENTS):
        write_recording(tmp_path / f"{device}.csv", rows, seed=number)
        text = agent_config(device, tmp_path, broker.port, speed, loss_window_s)
        agents.append(programs.make("edge_agent", text, device))
    request.addfinalizer(broker.close)
    broker.start()
    gateway.start()
    cloud.start()
    for agent in agents:
        agent.start()

    victims = [broker, gateway.program, cloud, *agents]
    kill_at_random(victims, KILLS, random.Random(seed))
    assert sum(victim.kills for victim in victims) >= 30

    wait_until(lambda: drained(tmp_path), 150, "agents have sampled and drained everything")
    assert [agent.stop() for agent in agents] == [0] * len(agents)
    assert gateway.program.stop() == 0
    assert cloud.stop() == 0
    compare(tmp_path, gateway.journal)


def compare(folder: Path, journal: Path) -> None:
    """The lake against agents' counts and recordings."""
    lake = Lake(uri=str(folder / "lake"))
    with JournalReader(journal) as reader:
        assert reader.cursor("lake") == reader.head(), "cloud-sync has not landed everything"
    with Engine(collect(lake, None), lake) as engine:
        for device, rows, _, _ in AGENTS:
            stats = read_buffer_stats(folder / f"{device}.db")
            assert (stats.sampled, stats.dropped) == (rows * SERIES, {})
            counts = engine.query(
                "SELECT stream, count(*), count(DISTINCT seq), min(seq), max(seq) FROM readings "
                f"WHERE device = '{device}' AND {SENT} GROUP BY stream"
            ).read_all()
            expected = [(stats.stream, *[rows * SERIES] * 2, 1, rows * SERIES)]
            assert [tuple(row.values()) for row in counts.to_pylist()] == expected
            landed = engine.query(
                "SELECT name, epoch_us(time) AS time, value FROM readings "
                f"WHERE device = '{device}' AND {SENT}"
            ).read_all()
            assert differences(landed, folder / f"{device}.csv") == (0, 0)


def differences(landed: object, recording: Path) -> tuple[int, int]:
    """Readings of the recording that are not in the lake, and the other way round, as multisets."""
    db = duckdb.connect()
    db.register("landed", landed)
    db.execute(
        "CREATE TABLE recorded AS SELECT name, epoch_us(time::TIMESTAMPTZ) AS time, value FROM "
        f"(UNPIVOT (SELECT * FROM read_csv('{recording}')) ON COLUMNS(* EXCLUDE time) "
        "INTO NAME name VALUE value)"
    )
    lost = db.execute("SELECT count(*) FROM (FROM recorded EXCEPT ALL FROM landed)").fetchone()
    doubled = db.execute("SELECT count(*) FROM (FROM landed EXCEPT ALL FROM recorded)").fetchone()
    assert lost is not None
    assert doubled is not None
    return int(lost[0]), int(doubled[0])
