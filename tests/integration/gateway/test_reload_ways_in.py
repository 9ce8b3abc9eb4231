"""Sources, Sparkplug, models and vitals of a running gateway change without a restart."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.integration.gateway.test_reload import reload, rewrite
from tests.integration.ingest.test_source_kafka import lines, make_topic, produce, source, values
from tests.programs import Gateway, Programs, make_gateway
from tests.servers import wait_until
from tests.servers.kafka import tansu
from tests.servers.sparkplug import Node

MODEL = '[[models]]\nname = "pump"\n'


def test_a_kafka_source_changes_in_mid_flow_and_nothing_is_lost_or_doubled(
    programs: Programs, tmp_path: Path
) -> None:
    """Another topic beside the first: the old member gives back what the journal has, the new one goes on."""
    pytest.importorskip("confluent_kafka", reason="confluent-kafka is missing")
    with tansu(tmp_path / "kafka") as kafka:
        for name in ("one", "two"):
            make_topic(kafka, name)
        first = source(kafka, "one")
        gateway = make_gateway(programs, extra=[first])
        gateway.start()
        stop = threading.Event()
        sent = [0]

        def load() -> None:
            while not stop.wait(0.05):
                produce(kafka, "one", lines(sent[0], 50))
                sent[0] += 50

        loading = threading.Thread(target=load)
        loading.start()
        try:
            wait_until(lambda: len(values(gateway)) > 500, 40, "it reads")
            text = gateway.program.config.read_text(encoding="utf-8")
            rewrite(gateway, text.replace('topics = ["one"]', 'topics = ["one", "two"]'))
            done = reload(gateway)
            assert (done.returncode, done.stdout) == (0, "changed source/kafka\n"), done.stderr
            before = len(values(gateway))
            wait_until(lambda: len(values(gateway)) > before + 500, 40, "it goes on")
        finally:
            stop.set()
            loading.join()
        produce(kafka, "two", lines(sent[0], 10))
        expected = [float(at) for at in range((sent[0] + 10) * 3)]
        wait_until(lambda: len(values(gateway)) >= len(expected), 60, "all of both topics")
        assert sorted(values(gateway)) == expected
        rewrite(gateway, text.replace(first, ""))
        assert reload(gateway).stdout == "stopped source/kafka\n"
        assert gateway.program.stop() == 0


@pytest.fixture
def gateway(programs: Programs) -> Gateway:
    made = make_gateway(programs)
    made.start()
    made.wait_ready()
    return made


def changed(gateway: Gateway, text: str) -> list[str]:
    """What a reload with this below the configuration says."""
    base, _, _ = gateway.program.config.read_text(encoding="utf-8").partition("# reloaded\n")
    rewrite(gateway, f"{base}# reloaded\n{text}")
    done = reload(gateway)
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(done.stdout.splitlines())


def test_sparkplug_comes_and_goes(gateway: Gateway) -> None:
    """Nodes are asked for their births by the host that has just come; groups change the same way."""

    def connected() -> float:
        return gateway.metric("headrace_gateway_sparkplug_connected")

    node = Node("plant", "line-1", gateway.mqtt_port)
    assert changed(gateway, "[sparkplug]\nenabled = true\n") == ["started sparkplug"]
    wait_until(lambda: connected() == 1, 20, "the host is online")
    node.data(21.5)
    wait_until(lambda: node.rebirths == 1, 20, "it was asked for its birth")
    text = '[sparkplug]\nenabled = true\ngroups = ["other"]\n'
    assert changed(gateway, text) == ["changed sparkplug"]
    assert changed(gateway, "") == ["stopped sparkplug"]
    wait_until(lambda: connected() == 0, 20, "it has said farewell")
    node.close()


def test_models_and_vitals_come_and_go(gateway: Gateway) -> None:
    """A threshold of a model is one of its rules as well."""
    pytest.importorskip("ai_edge_litert", reason="LiteRT is missing")
    rule = '[[rules]]\nname = "odd"\nkind = "score"\nmodel = "pump"\n'
    assert changed(gateway, MODEL + rule) == ["changed rules", "started inference"]
    more = MODEL + "threshold = 9.5\n" + rule
    assert changed(gateway, more) == ["changed inference", "changed rules"]
    assert changed(gateway, "[vitals]\ninterval_s = 2.0\n") == [
        "changed rules", "changed vitals", "stopped inference",
    ]  # fmt: skip
    assert "inference" not in {each["consumer"] for each in gateway.get("api/v1/consumers")}
    assert changed(gateway, "[vitals]\nenabled = false\n") == ["stopped rules", "stopped vitals"]
    assert changed(gateway, "") == ["started rules", "started vitals"]
    wait_until(lambda: _has_read(gateway, "vitals"), 20, "vitals go on")


def _has_read(gateway: Gateway, name: str) -> bool:
    (found,) = [each for each in gateway.get("api/v1/consumers") if each["consumer"] == name]
    return found["failure"] is None
