"""Settings of the broker, ``[broker]`` in gateway.toml."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from headrace.config import FaultList
from headrace.limits.broker import BROKER_MAX_CONNECTIONS, BROKER_MAX_CONNECTIONS_PER_ADDRESS
from headrace.pki.names import MAX_LINKS, link_file
from headrace.topics import DEFAULT_ROOT

Auth = Literal["none", "password", "certificate"]
Port = Annotated[int, Meta(ge=1, le=65535)]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketConfig:
    """``[broker.websocket]``: MQTT over WebSocket at the embedded broker, with the same TLS and users.

    ``origins``: pages that may connect ("https://dash.example", or "*"); programs send no origin.
    """

    port: Port | None = None
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerConfig:
    """``kind = "embedded"`` listens on host:port; ``kind = "external"`` connects to it.

    ``tls`` defaults to on wherever the address is not this machine. Embedded: certfile and keyfile
    are the listener's own; external: they are the gateway's client certificate and optional.
    ``websocket`` and ``max_connections…`` are for the embedded one.
    ``protocol`` and ``connections`` (clients that share the batches, MQTT 5 only) are for external ones.
    """

    kind: Literal["embedded", "external"] = "embedded"
    host: str = "127.0.0.1"
    port: Port = 1883
    auth: Auth | None = None
    topic_root: Annotated[str, Meta(min_length=1, pattern=r"^[^+#$][^+#]*$")] = DEFAULT_ROOT
    tls: bool | None = None
    cafile: Path | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    username: str = ""
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    connections: Annotated[int, Meta(ge=1, le=MAX_LINKS)] = 1
    password_file: Path | None = None
    max_connections: Annotated[int, Meta(ge=1, le=100_000)] = BROKER_MAX_CONNECTIONS
    max_connections_per_address: Annotated[int, Meta(ge=1)] = BROKER_MAX_CONNECTIONS_PER_ADDRESS
    websocket: WebSocketConfig = WebSocketConfig()

    @property
    def uses_tls(self) -> bool:
        if self.tls is not None:
            return self.tls
        return self.with_certificates or not is_loopback(self.host)

    @property
    def own_host(self) -> str:
        """Where this machine's own commands reach it, also when it listens on every address."""
        return "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host

    @property
    def with_certificates(self) -> bool:
        return self.auth == "certificate"

    def of_link(self, number: int) -> BrokerConfig:
        """The same for one of several connections: by certificates each has a name of its own."""
        if self.certfile is None or self.keyfile is None:
            return self
        certificate, key = link_file(self.certfile, number), link_file(self.keyfile, number)
        # A certificate of another CA serves all connections: its broker minds no names.
        return replace(self, certfile=certificate, keyfile=key) if key.is_file() else self


def commands_password(data_dir: Path) -> Path:
    """Where the gateway's commands find the secret by which the embedded broker knows them."""
    return data_dir / "commands.password"


def is_loopback(host: str) -> bool:
    """Whether the address means this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_address(host: str) -> bool:
    """Whether it names a machine by itself, so that nobody else can make it point elsewhere."""
    try:
        ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


def with_site_files(
    config: BrokerConfig, *, ca: Path, certificate: Path, key: Path
) -> BrokerConfig:
    """The same with the files of the site's CA where certificates are asked for and none is named."""
    if not config.with_certificates:
        # The broker's certificate is of the site's CA where there is one, by `gateway mosquitto-config`.
        external = config.kind == "external" and config.auth == "password" and config.uses_tls
        if external and config.cafile is None and ca.is_file():
            return replace(config, cafile=ca)
        return config
    return replace(
        config,
        cafile=config.cafile or ca,
        certfile=config.certfile or certificate,
        keyfile=config.keyfile or key,
    )


def check_broker(config: BrokerConfig, found: FaultList) -> None:
    """What single fields cannot say."""
    if config.kind == "embedded" and config.uses_tls and not config.with_certificates:
        for key in ("certfile", "keyfile"):
            if getattr(config, key) is None:
                found.add(
                    f"broker.{key}",
                    f"needed, because TLS is on for {config.host}; name the file, listen on "
                    "127.0.0.1, or write tls = false if you accept plain text on this network",
                )
    found.add_missing_files(config, "broker", "cafile", "certfile", "keyfile", "password_file")
    if config.kind == "external" and config.password_file is not None and not config.username:
        found.add("broker.username", "needed where password_file is given")
    if config.websocket.port is not None and config.kind != "embedded":
        found.add("broker.websocket.port", "is for the embedded broker; leave it out")
    if config.connections > 1 and (config.kind != "external" or config.protocol == "3.1.1"):
        found.add("broker.connections", "more than one needs an external broker and MQTT 5")
    _check_auth(config, found)


def _check_auth(config: BrokerConfig, found: FaultList) -> None:
    if config.with_certificates and config.tls is False:
        found.add("broker.tls", 'must not be false with auth = "certificate"')
    if config.with_certificates and config.password_file is not None:
        found.add("broker.password_file", 'is not used with auth = "certificate"; leave it out')
    if config.kind == "embedded" and config.with_certificates:
        for key in ("cafile", "certfile", "keyfile"):
            if getattr(config, key) is not None:
                found.add(f"broker.{key}", "leave it out: the site's own CA makes it")
    if (config.certfile is None) != (config.keyfile is None):
        found.add("broker.certfile", "certfile and keyfile belong together; one of them is missing")
    if config.auth == "password" and config.password_file is None:
        found.add("broker.password_file", 'needed with auth = "password"')
    if config.kind != "embedded" or config.with_certificates or config.password_file is not None:
        return
    if not is_loopback(config.host):
        found.add(
            "broker.auth",
            f'anybody could publish as any device on {config.host}; set auth = "certificate" and '
            'enrol devices (docs/how-to/enrol.md), auth = "password", or listen on 127.0.0.1',
        )
