"""Whether broker and sinks are there and let us in, and what the running gateway says."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from gateway.broker.config import BrokerConfig
from gateway.config import GatewayConfig, build_sinks
from gateway.doctor.finding import Finding, fail, ok, warn
from headrace import health
from headrace.errors import HeadraceError
from headrace.topics import Topics

_TIMEOUT_S: Final = 5.0

#: A device that nobody has; what is said on its topics reaches nobody.
_DEVICE: Final = "headrace-doctor"


def running(config: GatewayConfig, pid: int | None) -> Iterator[Finding]:
    """Whether a gateway runs on this data folder, and takes batches."""
    if pid is None:
        yield ok("gateway", "not running")
        return
    if not config.http.enabled:
        yield ok("gateway", f"runs (pid {pid}); http is off, so it cannot be asked")
        return
    try:
        health.probe(config.http.host, config.http.port, "/readyz", tls=config.http.tls)
    except HeadraceError as error:
        yield fail("gateway", f"runs (pid {pid}): {_reasons(error)}", "see its log")
    else:
        yield ok("gateway", f"runs (pid {pid}) and takes batches")


def _reasons(error: HeadraceError) -> str:
    _, _, body = error.message.partition(" says 503: ")
    return "; ".join(json.loads(body)["reasons"]) if body else error.message


def broker(config: GatewayConfig, pid: int | None) -> Iterator[Finding]:
    """Connect, subscribe and publish as the gateway does; nothing reaches a device by it."""
    where = f"{config.broker.own_host}:{config.broker.port}"
    if config.broker.kind == "embedded" and pid is None:
        yield ok("broker", f"embedded, will listen on {where}")
        return
    trial = _Trial(config.commands_broker, config.broker.topic_root)
    try:
        trial.run()
    except (OSError, ssl.SSLError, HeadraceError) as error:
        yield fail("broker", f"{where}: {error}", "is it running, are host, port and TLS right?")
        return
    if not trial.connected.is_set():
        yield fail(
            "broker", f"{where}: {trial.refusal or 'no answer'}", "check its users and certificates"
        )
        return
    secured = "with TLS" if config.broker.uses_tls else "without TLS"
    yield ok("broker", f"{where}: connected {secured}")
    yield from _rights(trial)


def _rights(trial: _Trial) -> Iterator[Finding]:
    for right, answer in (
        ("subscribe to data", trial.subscribed),
        ("publish acks", trial.published),
    ):
        if answer is None:
            yield fail("broker", f"may not {right}: no answer", "see the broker's log")
        elif answer.is_failure:
            yield fail(
                "broker", f"may not {right}: {answer}", "see the ACL in docs/how-to/enrol.md"
            )
        else:
            yield ok("broker", f"may {right}")


class _Trial:
    """One connection: MQTT 5, because only there a refused publish is said."""

    def __init__(self, config: BrokerConfig, root: str) -> None:
        self._config = config
        self._topics = Topics(root)
        self.connected = threading.Event()
        self._done = threading.Event()
        self.refusal = ""
        self.subscribed: ReasonCode | None = None
        self.published: ReasonCode | None = None

    def run(self) -> None:
        """Ask for all that the gateway needs."""
        version = mqtt.MQTTv311 if self._old else mqtt.MQTTv5
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=_DEVICE, protocol=version)
        self._secure(client)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.connect(self._config.own_host, self._config.port)
        client.loop_start()
        try:
            self._done.wait(_TIMEOUT_S)
        finally:
            client.disconnect()
            client.loop_stop()

    @property
    def _old(self) -> bool:
        return self._config.kind == "embedded" or self._config.protocol == "3.1.1"

    def _secure(self, client: mqtt.Client) -> None:
        config = self._config
        if config.username and config.password_file:
            secret = config.password_file.read_text(encoding="utf-8").strip()
            client.username_pw_set(config.username, secret)
        if config.uses_tls:
            client.tls_set(
                ca_certs=str(config.cafile) if config.cafile else None,
                certfile=str(config.certfile) if config.certfile else None,
                keyfile=str(config.keyfile) if config.keyfile else None,
            )

    def _on_connect(
        self, client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, _more: Any
    ) -> None:
        if reason.is_failure:
            self.refusal = str(reason)
            self._done.set()
            return
        self.connected.set()
        client.subscribe(self._topics.data(_DEVICE, "arrow"), qos=1)

    def _on_subscribe(
        self, client: mqtt.Client, _data: Any, _mid: int, reasons: list[ReasonCode], _more: Any
    ) -> None:
        self.subscribed = reasons[0]
        client.publish(self._topics.ack(_DEVICE), b"{}", qos=1)

    def _on_publish(
        self, _client: mqtt.Client, _data: Any, _mid: int, reason: ReasonCode, _more: Any
    ) -> None:
        self.published = reason
        self._done.set()


def sinks(config: GatewayConfig) -> Iterator[Finding]:
    """Whether each destination would take readings."""
    for name, plugin, settings in build_sinks(config):
        try:
            sink = plugin.build(settings, site=config.site)
        except HeadraceError as error:
            yield fail("sink", f"{name}: {error}", f"correct [[sinks]] {name}")
            continue
        try:
            answer = sink.probe()
        except HeadraceError as error:
            yield fail("sink", f"{name}: {error.message}", error.hint or "is it running?")
        except OSError as error:
            yield fail("sink", f"{name}: {error}", "is it running?")
        else:
            yield (
                ok("sink", f"{name}: {answer}")
                if answer
                else warn("sink", f"{name}: cannot be asked", "see its lag once the gateway runs")
            )
        finally:
            sink.close()
