"""The agent as a process against a real mosquitto: what arrives, and what a kill costs."""

from __future__ import annotations

import random
import signal
import subprocess
import urllib.request
from pathlib import Path

import psutil
import pyarrow as pa

from headrace.buffer_stats import read_buffer_stats
from headrace.ranges import RangeSet
from tests.servers import free_port, wait_until
from tests.servers.acking_gateway import AckingGateway, acking_gateway
from tests.servers.agent import AGENT, agent, log_of, write_agent_config
from tests.servers.mosquitto import mosquitto

HOST = '[[inputs]]\nplugin = "host"\n'
PUMP = '[[inputs]]\nplugin = "simulated"\nrate_hz = 20.0\ninterval_s = 0.05\n'


def unique_rows(gateway: AckingGateway) -> pa.Table:
    """What a gateway would journal: every batch without the readings that it had before."""
    seen, parts = RangeSet(), []
    for batch in gateway.batches:
        first, rows = batch.first_seq, batch.rows
        for start, end in seen.missing(first, first + rows.num_rows - 1):
            parts.append(rows.slice(start - first, end - start + 1))
        seen.add(first, first + rows.num_rows - 1)
    table = pa.Table.from_batches(parts)
    return table.set_column(0, "name", table["name"].cast(pa.utf8()))


def test_host_metrics_reach_the_gateway_and_a_stop_is_clean(tmp_path: Path) -> None:
    """Within a second; SIGTERM drains, says offline, exits 0; memory stays under 50 MB."""
    with mosquitto(tmp_path) as broker, acking_gateway(broker.port) as gateway:
        config = write_agent_config(tmp_path, port=broker.port, inputs=HOST)
        with agent(config) as process:
            wait_until(lambda: len(gateway.received) >= 3, 15, "three batches")
            assert psutil.Process(process.pid).memory_info().rss < 50 * 2**20
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        wait_until(lambda: gateway.states[-1].online is False, 20, "the offline state")
        stats = read_buffer_stats(tmp_path / "buffer.db")
        assert stats.sampled == stats.acknowledged == gateway.rows()
        assert gateway.states[-1].sampled == stats.sampled, "the will came over the farewell"
        assert gateway.states[0].online
        assert gateway.states[0].stream == stats.stream
        assert gateway.duplicates == 0


def test_metrics_are_served_on_this_machine_only(tmp_path: Path) -> None:
    """Prometheus text with the agent's counters."""
    with mosquitto(tmp_path) as broker, acking_gateway(broker.port) as gateway:
        port = free_port()
        inputs = f"{HOST}[metrics]\nport = {port}\n"
        config = write_agent_config(tmp_path, port=broker.port, inputs=inputs)
        with agent(config):
            wait_until(lambda: len(gateway.received) >= 2, 15, "two batches")
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                text = answer.read().decode()
    assert 'headrace_agent_sampled_readings_total{input="host-1"}' in text
    assert "headrace_agent_connected 1.0" in text


def test_the_last_will_says_offline_when_the_agent_is_killed(tmp_path: Path) -> None:
    """The state on the broker is true without the device's help."""
    with mosquitto(tmp_path) as broker, acking_gateway(broker.port) as gateway:
        config = write_agent_config(tmp_path, port=broker.port, inputs=HOST)
        with agent(config) as process:
            wait_until(lambda: gateway.states and gateway.states[-1].online, 15, "online")
            process.kill()
            process.wait()
        wait_until(lambda: not gateway.states[-1].online, 10, "the will")


def test_a_replay_that_is_killed_again_and_again_arrives_exactly_once(tmp_path: Path) -> None:
    """Every cell of the CSV once, by name and time, after SIGKILLs at random moments."""
    recording = tmp_path / "pump.csv"
    subprocess.run(
        [*AGENT, "simulate", "--rows", "20000", "--hz", "10", str(recording)], check=True
    )
    inputs = (
        f'[[inputs]]\nplugin = "replay"\npath = "{recording}"\nspeed = "max"\nchunk_rows = 25\n'
    )
    chance = random.Random(11)
    kills = 0
    with mosquitto(tmp_path) as broker, acking_gateway(broker.port) as gateway:
        config = write_agent_config(
            tmp_path, port=broker.port, inputs=inputs, buffer="loss_window_s = 0.05"
        )
        for _ in range(40):
            with agent(config, "--exit-when-done") as process:
                try:
                    process.wait(chance.uniform(0.3, 0.6) if kills < 8 else 60)
                    break
                except subprocess.TimeoutExpired:
                    process.kill()
                    kills += 1
        assert process.returncode == 0
        rows = unique_rows(gateway)
        assert rows.group_by(["name", "time"]).aggregate([]).num_rows == rows.num_rows == 160_000
        (ranges,) = gateway.seen.values()
        assert ranges.pairs() == [(1, 160_000)]
        assert kills >= 3


def test_what_was_sampled_without_a_broker_arrives_when_it_comes(tmp_path: Path) -> None:
    """Its absence is said once, its return once, and the backlog goes as few large messages."""
    port = free_port()
    config = write_agent_config(tmp_path, port=port, inputs=PUMP, buffer="loss_window_s = 0")
    with agent(config) as process:
        buffer = tmp_path / "buffer.db"
        wait_until(
            lambda: buffer.exists() and read_buffer_stats(buffer).batches >= 30, 20, "a backlog"
        )
        backlog = read_buffer_stats(buffer)
        with mosquitto(tmp_path, port) as broker, acking_gateway(broker.port) as gateway:
            wait_until(lambda: gateway.rows() >= backlog.sampled, 20, "the backlog")
            assert gateway.received[0][1:] == (1, gateway.received[0][2])
            assert gateway.received[0][2] >= backlog.buffered
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
            assert read_buffer_stats(buffer).sampled == gateway.rows()
    log = log_of(config)
    assert log.count("WARNING headrace") + log.count("trying again until it works") == 1
    assert log.count("works again") == 1


def test_a_broker_that_restarts_costs_nothing(tmp_path: Path) -> None:
    """What was in flight is sent again on the new connection."""
    port = free_port()
    # Time to hand over the rest, also on a busy machine.
    config = write_agent_config(
        tmp_path, port=port, inputs=PUMP, buffer="loss_window_s = 0.05",
        uplink="stop_timeout_s = 60",
    )  # fmt: skip
    with agent(config) as process:
        total = 0
        for _ in range(3):
            with mosquitto(tmp_path, port), acking_gateway(port) as gateway:
                wait_until(lambda: gateway.rows() > 50, 20, "readings after a restart")
                total += gateway.rows()
        with mosquitto(tmp_path, port), acking_gateway(port) as gateway:
            wait_until(lambda: gateway.rows() > 0, 20, "readings at last")
            process.send_signal(signal.SIGTERM)
            assert process.wait(70) == 0
            total += gateway.rows()
    stats = read_buffer_stats(tmp_path / "buffer.db")
    assert stats.sampled == stats.acknowledged
    assert total >= stats.sampled


def test_a_refused_batch_is_counted_and_not_sent_again(tmp_path: Path) -> None:
    """The gateway keeps it in quarantine."""
    with mosquitto(tmp_path) as broker, acking_gateway(broker.port) as gateway:
        gateway.nack_reason = "bad_value"
        config = write_agent_config(tmp_path, port=broker.port, inputs=HOST)
        with agent(config):
            wait_until(lambda: len(gateway.received) >= 2, 15, "two batches")
            buffer = tmp_path / "buffer.db"
            wait_until(lambda: read_buffer_stats(buffer).dropped.get("refused"), 10, "a refusal")
    firsts = [first for _, first, _ in gateway.received]
    assert len(firsts) == len(set(firsts))
    assert "the gateway refuses a batch (bad_value)" in log_of(config)


def test_the_recorded_pump_rig_arrives_whole(tmp_path: Path, recordings: Path) -> None:
    """9,405 rows of eight sensors, as fast as possible."""
    recording = recordings / "skab" / "anomaly-free" / "anomaly-free.csv"
    inputs = (
        f'[[inputs]]\nplugin = "replay"\npath = "{recording}"\n'
        'delimiter = ";"\ntime_column = "datetime"\nexclude = ["anomaly", "changepoint"]\n'
        'units = { Current = "A", Temperature = "Cel" }\nspeed = "max"\n'
    )
    with mosquitto(tmp_path) as broker, acking_gateway(broker.port) as gateway:
        config = write_agent_config(tmp_path, port=broker.port, inputs=inputs)
        with agent(config, "--exit-when-done") as process:
            assert process.wait(30) == 0
        rows = unique_rows(gateway)
    assert rows.num_rows == 9_405 * 8
    assert len(rows["name"].unique()) == 8
