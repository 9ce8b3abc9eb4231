"""Sinks and the Kafka source over TLS, with certificates and passwords that hold and that do not.

Each way out meets a real server with a certificate of a CA of the test's own; Kafka's broker has TLS and SASL
by a gate of the test's (``tests/servers/kafka_gate.py``). A failure must say what is wrong and what to do, and
heal without a restart when the server is mended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.sinks import influxdb as influxdb_sink
from gateway.sinks import mqtt as mqtt_sink
from gateway.sinks import webhook as webhook_sink
from gateway.sinks.port import Sink
from headrace.errors import InputError, SinkUnavailable
from tests.gateway_entries import series
from tests.servers import free_port
from tests.servers.http import Reply, Request, http_server
from tests.servers.influxdb import influxdb
from tests.servers.kafka import tansu
from tests.servers.kafka_gate import PASSWORD, USER, gate
from tests.servers.mosquitto import EXECUTABLE, mosquitto
from tests.servers.postgres import postgres
from tests.servers.tls import HERE, Authority, Pair

BATCH = [series("pump-1", "flow", [1.0, 2.0])]


@dataclass(frozen=True)
class Site:
    """Where a test works: its CA, one that signed nothing, and a folder for secrets."""

    folder: Path
    authority: Authority
    stranger: Authority

    def server(self, kind: str = "good") -> Pair:
        names = ("elsewhere.example",) if kind == "wrong name" else HERE
        return self.authority.issue("server", *names, expired=kind == "expired")

    def ca(self, kind: str = "good") -> Path:
        return (self.stranger if kind == "wrong ca" else self.authority).ca

    def secret(self, kind: str = "good") -> Path:
        path = self.folder / "secret"
        path.write_text("wrong" if kind == "wrong password" else PASSWORD)
        return path


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, Authority(tmp_path, "site"), Authority(tmp_path, "stranger"))


@contextmanager
def to_mqtt(site: Site, kind: str) -> Iterator[tuple[Sink, Callable[[], int]]]:
    if EXECUTABLE is None:
        pytest.skip("mosquitto is not installed")
    own, client = site.server(kind), site.authority.issue("gateway")
    lines = [f"cafile {site.authority.ca}", f"certfile {own.certificate}", f"keyfile {own.key}",
             "require_certificate true", "use_identity_as_username true"]  # fmt: skip
    with mosquitto(site.folder, lines=lines, anonymous=False) as broker:
        settings = mqtt_sink.MqttSettings(
            port=broker.port, tls=True, cafile=site.ca(kind), profile="json", timeout_s=2,
            certfile=None if kind == "no certificate" else client.certificate,
            keyfile=None if kind == "no certificate" else client.key,
        )  # fmt: skip
        yield mqtt_sink.build(settings, site="s"), lambda: 2  # its PUBACKs were waited for


@contextmanager
def to_webhook(site: Site, kind: str) -> Iterator[tuple[Sink, Callable[[], int]]]:
    with http_server(context=site.server(kind).server_context()) as receiver:
        settings = webhook_sink.WebhookSettings(
            url=f"{receiver.url}/hook", ca_file=site.ca(kind), timeout_s=2
        )
        yield webhook_sink.build(settings, site="s"), lambda: 2 * len(receiver.requests)


def to_influxdb(api: str) -> Callable[[Site, str], Any]:
    @contextmanager
    def up(site: Site, kind: str) -> Iterator[tuple[Sink, Callable[[], int]]]:
        with influxdb(site.folder / "influxdb", auth=True, tls=site.server(kind)) as server:
            server.query(f"CREATE USER {USER} WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES")
            asked = type(server)(server.port, (USER, PASSWORD), "https")
            asked.query("CREATE DATABASE iot")
            settings = influxdb_sink.InfluxDBSettings(
                api=api, url=server.url, database="iot", bucket="iot", ca_file=site.ca(kind),
                username=USER, password_file=site.secret(kind), timeout_s=2,
            )  # type: ignore[arg-type]  # fmt: skip
            yield influxdb_sink.build(settings, site="s"), lambda: asked.count("iot")

    return up


@contextmanager
def to_postgres(site: Site, kind: str) -> Iterator[tuple[Sink, Callable[[], int]]]:
    psycopg = pytest.importorskip("psycopg", reason="psycopg is missing")
    from gateway.sinks import postgres as postgres_sink

    folder = site.folder / "postgres"
    with postgres(folder, auth="scram-sha-256", tls=site.server(kind)) as server:
        conninfo = (
            f"host=localhost port={server.port} user=postgres dbname=headrace sslmode=verify-full "
            f"sslrootcert={site.ca(kind)}"
        )
        settings = postgres_sink.PostgresSettings(
            conninfo=conninfo, password_file=site.secret(kind), timeout_s=2
        )

        def count() -> int:
            with psycopg.connect(conninfo, password=PASSWORD) as db:
                (rows,) = db.execute("SELECT count(*) FROM readings").fetchone() or (0,)
            return int(rows)

        yield postgres_sink.build(settings, site="s"), count


@contextmanager
def kafka(site: Site, kind: str, sasl: str) -> Iterator[dict[str, Any]]:
    """Settings for a broker behind a gate; the gate's port is the one that it advertises."""
    with ExitStack() as stack:
        port, inner = free_port(), free_port()
        stack.enter_context(tansu(site.folder / "kafka", port=inner, advertised=port))
        context = site.server(kind).server_context()
        stack.enter_context(gate(inner, context=context, sasl=bool(sasl), port=port))
        yield {
            "brokers": f"127.0.0.1:{port}", "tls": True, "cafile": site.ca(kind), "sasl": sasl,
            "username": USER, "password_file": site.secret(kind),
        }  # fmt: skip


def to_kafka(sasl: str) -> Callable[[Site, str], Any]:
    @contextmanager
    def up(site: Site, kind: str) -> Iterator[tuple[Sink, Callable[[], int]]]:
        pytest.importorskip("confluent_kafka", reason="confluent-kafka is missing")
        from gateway.sinks import kafka as kafka_sink

        with kafka(site, kind, sasl) as access:
            settings = kafka_sink.KafkaSettings(**access, topic="readings", timeout_s=2)
            yield kafka_sink.build(settings, site="s"), lambda: 2  # its reports were waited for

    return up


SERVERS = {
    "mqtt": to_mqtt,
    "webhook": to_webhook,
    "influxdb v1": to_influxdb("v1"),
    "postgres": to_postgres,
    "kafka plain": to_kafka("PLAIN"),
    "kafka scram-256": to_kafka("SCRAM-SHA-256"),
    "kafka scram-512": to_kafka("SCRAM-SHA-512"),
}

#: What is wrong, and what the reader is told to do about it.
FAULTS = {
    "wrong ca": "name the CA that has issued the other end's certificate in",
    "wrong name": "use a name that is in the other end's certificate",
    "expired": "renew the certificate at the other end",
}

#: Where a library says no more than that the certificate does not hold.
TOLD_VAGUELY = (
    ("postgres", "expired"),
    ("kafka plain", "wrong name"),
    ("kafka plain", "expired"),
)
VAGUE = "if it is that one, the certificate has expired, or is for another name"

PASSWORDS = {
    "influxdb v1": "check token_file, or username and password_file",
    "postgres": "check user and password_file",
    "kafka plain": "check sasl, username and password_file",
    "kafka scram-512": "check sasl, username and password_file",
}


@pytest.mark.parametrize("server", SERVERS)
def test_readings_arrive_over_tls(site: Site, server: str) -> None:
    """With the CA in a file, the server's right name, and a certificate or password where it asks."""
    with SERVERS[server](site, "good") as (sink, count):
        assert sink.deliver(BATCH) == []
        assert count() == 2
        sink.close()


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize(
    "server", ["mqtt", "webhook", "influxdb v1", "influxdb v2", "postgres", "kafka plain"]
)
def test_a_certificate_that_does_not_hold_is_said_with_what_to_do(
    site: Site, server: str, kind: str
) -> None:
    """And nothing is sent to whoever shows it."""
    up = to_influxdb("v2") if server == "influxdb v2" else SERVERS[server]
    with up(site, kind) as (sink, _), pytest.raises(SinkUnavailable) as failed:
        sink.deliver(BATCH)
    assert (VAGUE if (server, kind) in TOLD_VAGUELY else FAULTS[kind]) in failed.value.hint
    sink.close()


@pytest.mark.parametrize("server", PASSWORDS)
def test_a_wrong_password_is_said_with_what_to_do(site: Site, server: str) -> None:
    """It is kept and tried again: whoever renews a password may be at it."""
    with SERVERS[server](site, "wrong password") as (sink, _), pytest.raises(SinkUnavailable) as failed:  # fmt: skip
        sink.deliver(BATCH)
    assert failed.value.hint == PASSWORDS[server], failed.value
    sink.close()


def test_a_broker_that_asks_for_a_certificate_is_recognised_by_its_silence(site: Site) -> None:
    """TLS 1.3 says it behind the handshake, where paho hears a lost connection."""
    with to_mqtt(site, "no certificate") as (sink, _), pytest.raises(SinkUnavailable) as failed:
        sink.deliver(BATCH)
    assert "certfile and keyfile" in failed.value.hint, failed.value


def test_a_broker_that_does_not_know_the_name_is_said_with_what_to_do(site: Site) -> None:
    """mosquitto without anybody in its list."""
    if EXECUTABLE is None:
        pytest.skip("mosquitto is not installed")
    with mosquitto(site.folder, anonymous=False) as broker:
        settings = mqtt_sink.MqttSettings(
            port=broker.port, username=USER, password_file=site.secret(), timeout_s=2
        )
        with pytest.raises(SinkUnavailable) as failed:
            mqtt_sink.build(settings, site="s").deliver(BATCH)
    assert "check username and password_file" in failed.value.hint, failed.value


@pytest.mark.parametrize("server", ["influxdb v1", "postgres", "kafka scram-512"])
def test_a_password_that_is_mended_lets_the_readings_through(site: Site, server: str) -> None:
    """Without a restart of the gateway."""
    with SERVERS[server](site, "wrong password") as (sink, _):
        with pytest.raises(SinkUnavailable):
            sink.deliver(BATCH)
        site.secret("good")
        assert sink.deliver(BATCH) == []
        sink.close()


def test_a_token_that_is_renewed_is_shown_to_the_receiver(site: Site) -> None:
    """The old one is tried until it is refused; no restart."""
    token = site.folder / "token"
    token.write_text("old")

    def answer(request: Request) -> Reply:
        return Reply(204 if request.headers["Authorization"] == "Bearer new" else 401)

    with http_server(answer) as receiver:
        url = f"{receiver.url}/hook"
        settings = webhook_sink.WebhookSettings(url=url, token_file=token, timeout_s=2)
        sink = webhook_sink.build(settings, site="s")
        with pytest.raises(SinkUnavailable, match="401"):
            sink.deliver(BATCH)
        token.write_text("new")
        assert sink.deliver(BATCH) == []
        sink.close()


def test_a_certificate_that_is_renewed_is_shown_to_the_other_broker(site: Site) -> None:
    """One that has ended is refused; the next connection shows the one that is in the files by then."""
    with to_mqtt(site, "good") as (sink, _):
        site.authority.issue("gateway", expired=True)
        with pytest.raises(SinkUnavailable):
            sink.deliver(BATCH)
        site.authority.issue("gateway")
        assert sink.deliver(BATCH) == []
        sink.close()


@pytest.mark.parametrize("kind", ["good", "wrong ca", "wrong password"])
def test_the_kafka_source_gets_in_or_says_why_not(
    site: Site, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same keys as the sink's, and the same words."""
    pytest.importorskip("confluent_kafka", reason="confluent-kafka is missing")
    from gateway.sinks import kafka as kafka_sink
    from gateway.sources.kafka.cluster import Member
    from gateway.sources.kafka.config import KafkaSourceSettings

    monkeypatch.setattr("gateway.sources.kafka.cluster.KAFKA_SOURCE_TIMEOUT_S", 2.0)
    with kafka(site, kind, "SCRAM-SHA-256") as access:
        settings = KafkaSourceSettings(**access, topics=("readings",))

        def join() -> Member:
            return Member(settings, "g", assigned=lambda _: None, revoked=lambda _: None)

        if kind == "good":
            assert (
                kafka_sink.build(
                    kafka_sink.KafkaSettings(**access, topic="readings"), site="s"
                ).deliver(BATCH)
                == []
            )
            join().close()
            return
        with pytest.raises(InputError) as failed:
            join()
        assert {**FAULTS, "wrong password": "check sasl"}[kind] in failed.value.hint, failed.value
