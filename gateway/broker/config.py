"""Settings of the broker, ``[broker]`` in gateway.toml."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from headrace.config import FaultList
from headrace.topics import DEFAULT_ROOT

Port = Annotated[int, Meta(ge=1, le=65535)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerConfig:
    """``kind = "embedded"`` listens on host:port; ``kind = "external"`` connects to it.

    ``tls`` defaults to on wherever the address is not this machine. Embedded: certfile and keyfile
    are the listener's own; external: they are the gateway's client certificate and optional.
    """

    kind: Literal["embedded", "external"] = "embedded"
    host: str = "127.0.0.1"
    port: Port = 1883
    topic_root: Annotated[str, Meta(min_length=1, pattern=r"^[^+#$][^+#]*$")] = DEFAULT_ROOT
    tls: bool | None = None
    cafile: Path | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    username: str = ""
    password_file: Path | None = None

    @property
    def uses_tls(self) -> bool:
        return self.tls if self.tls is not None else not is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether the address means this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_broker(config: BrokerConfig, found: FaultList) -> None:
    """What single fields cannot say."""
    if config.kind == "embedded" and config.uses_tls:
        for key in ("certfile", "keyfile"):
            if getattr(config, key) is None:
                found.add(
                    f"broker.{key}",
                    f"needed, because TLS is on for {config.host}; name the file, listen on "
                    "127.0.0.1, or write tls = false if you accept plain text on this network",
                )
    for key in ("cafile", "certfile", "keyfile", "password_file"):
        path = getattr(config, key)
        if path is not None and not path.is_file():
            found.add(f"broker.{key}", f"no such file: {path}")
    if config.kind == "embedded" and config.password_file is not None and not config.username:
        return  # a password file of many users (user:hash a line)
    if config.kind == "external" and config.password_file is not None and not config.username:
        found.add("broker.username", "needed where password_file is given")
