"""What the agent does when its disk, its buffer file or an input fails while it runs."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from headrace.buffer_stats import read_buffer_stats
from headrace.limits.sizes import MIB
from headrace.ranges import RangeSet
from tests.servers import free_port, wait_until
from tests.servers.acking_gateway import AckingGateway, acking_gateway
from tests.servers.agent import agent, log_of, write_agent_config
from tests.servers.mosquitto import mosquitto


def noise(path: Path, rows: int) -> Path:
    """A CSV of numbers that do not compress."""
    chance = random.Random(1)
    lines = (f"{row},{chance.random()},{chance.random()}" for row in range(rows))
    path.write_text("time,a,b\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def replayed(gateway: AckingGateway) -> int:
    """Readings of the recording that have arrived, repeated ones not counted twice."""
    seen, count = RangeSet(), 0
    for batch in list(gateway.batches):
        first, rows = batch.first_seq, batch.rows
        for start, end in seen.missing(first, first + rows.num_rows - 1):
            names = rows.column("name").slice(start - first, end - start + 1).cast(pa.utf8())
            count += pc.sum(pc.is_in(names, pa.array(["a", "b"]))).as_py()
        seen.add(first, first + rows.num_rows - 1)
    return count


def test_a_full_buffer_keeps_the_oldest_and_says_once_what_it_refuses(tmp_path: Path) -> None:
    """Live readings are refused by number; a file that is replayed waits; all that is left arrives."""
    recording = noise(tmp_path / "noise.csv", 200_000)
    port = free_port()
    inputs = (
        f'[[inputs]]\nplugin = "replay"\npath = "{recording}"\ntime_format = "epoch_s"\nspeed = "max"\n'
        '[[inputs]]\nplugin = "simulated"\nrate_hz = 4000.0\ninterval_s = 0.05\n'
    )
    config = write_agent_config(
        tmp_path, port=port, inputs=inputs, buffer="max_bytes = 2_000_000\nloss_window_s = 0.1"
    )
    buffer = tmp_path / "buffer.db"
    with agent(config) as process:
        wait_until(
            lambda: (
                buffer.exists() and read_buffer_stats(buffer).dropped.get("buffer_full", 0) > 50_000
            ),
            40,
            "refused readings",
        )
        kept = read_buffer_stats(buffer)
        assert "does not take new readings" in log_of(config)
        with mosquitto(tmp_path, port), acking_gateway(port) as gateway:
            wait_until(lambda: replayed(gateway) >= 400_000, 60, "the whole recording")
            assert replayed(gateway) == 400_000
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            (seen,) = gateway.seen.values()
            assert seen.pairs()[0][0] == 1
            assert seen.pairs()[0][1] >= kept.buffered // 2
    stats = read_buffer_stats(buffer)
    assert stats.sampled == stats.acknowledged + stats.buffered + sum(stats.dropped.values())
    assert log_of(config).count("does not take new readings: buffer") == 1


def test_an_input_that_fails_is_said_once_and_the_others_go_on(tmp_path: Path) -> None:
    """A command that does not work fails every poll of its input."""
    inputs = (
        '[[inputs]]\nplugin = "exec"\ncommand = ["false"]\nformat = "lines"\ninterval_s = 0.1\ntimeout_s = 0.1\n'
        '[[inputs]]\nplugin = "simulated"\nrate_hz = 20.0\n'
    )
    with mosquitto(tmp_path) as broker, acking_gateway(broker.port) as gateway:
        config = write_agent_config(tmp_path, port=broker.port, inputs=inputs)
        with agent(config):
            wait_until(lambda: gateway.rows() > 200, 20, "the pump's readings")
    assert log_of(config).count("input exec-1: InputError: false ended with status 1") == 1


def test_a_buffer_that_was_damaged_while_it_was_down_costs_only_itself(tmp_path: Path) -> None:
    """The agent starts a new stream, says where the old file went, and delivers."""
    inputs = '[[inputs]]\nplugin = "simulated"\nrate_hz = 20.0\n'
    buffer = tmp_path / "buffer.db"
    buffer.write_bytes(b"\x00garbage" * 4_096)
    with mosquitto(tmp_path) as broker, acking_gateway(broker.port) as gateway:
        config = write_agent_config(tmp_path, port=broker.port, inputs=inputs)
        with agent(config):
            wait_until(lambda: gateway.rows() > 0, 20, "readings of the new stream")
    assert len(list(tmp_path.glob("buffer.db.corrupt-*"))) == 1
    assert "moved to" in log_of(config)


def test_a_buffer_that_is_damaged_while_the_agent_runs_costs_only_itself(tmp_path: Path) -> None:
    """It ends with status 1 and the damaged file moved aside; the next start is a new stream."""
    inputs = (
        f'[[inputs]]\nplugin = "replay"\npath = "{noise(tmp_path / "noise.csv", 500_000)}"\n'
        'time_format = "epoch_s"\nspeed = "max"\n'
    )
    port, buffer = free_port(), tmp_path / "buffer.db"
    config = write_agent_config(tmp_path, port=port, inputs=inputs, buffer="loss_window_s = 0.1")
    with agent(config) as process:
        # More than the pages that SQLite keeps in memory.
        wait_until(
            lambda: buffer.exists() and buffer.stat().st_size > 6 * MIB, 60, "a large buffer"
        )
        with buffer.open("r+b") as file:
            file.seek(8 * 4096)
            file.write(random.Random(1).randbytes(5 * MIB))
        with mosquitto(tmp_path, port), acking_gateway(port) as gateway:
            assert process.wait(60) == 1
            assert "the buffer is damaged; moved to" in log_of(config)
            with agent(config):
                seen = gateway.rows()
                wait_until(lambda: gateway.rows() > seen, 30, "readings of the new stream")
    assert len(list(tmp_path.glob("buffer.db.corrupt-*"))) >= 1
    assert "Traceback" not in log_of(config)


def test_a_second_agent_on_the_same_buffer_is_refused(tmp_path: Path) -> None:
    """Exit status 2; the first goes on."""
    inputs = '[[inputs]]\nplugin = "simulated"\n'
    config = write_agent_config(tmp_path, port=free_port(), inputs=inputs)
    with agent(config) as first:
        wait_until(lambda: "device pump-1" in log_of(config), 15, "the first agent")
        with agent(config) as second:
            assert second.wait(15) == 2
        assert first.poll() is None
