"""Settings of enrolment, ``[enrol]`` in gateway.toml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from headrace.config import FaultList
from headrace.limits.enrolment import CERTIFICATE_DAYS
from headrace.pki.names import DEFAULT_ENROL_PORT

Port = Annotated[int, Meta(ge=1, le=65535)]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolConfig:
    """The endpoint that gives out certificates, and what it tells devices.

    ``names``: names and addresses under which devices reach gateway and broker; they stand in the
    gateway's certificate beside this machine's own name. ``broker_host`` and ``broker_port``: what
    devices are told to connect to; by default the host they asked and the port of ``[broker]``.
    ``public_port``: at which they reach the enrolment, where something forwards it from another port.
    ``mosquitto_dir``: where the files of an external mosquitto are kept up to date.
    """

    enabled: bool = False
    host: str = "0.0.0.0"
    port: Port = DEFAULT_ENROL_PORT
    names: tuple[str, ...] = ()
    certificate_days: Annotated[int, Meta(ge=1, le=3650)] = CERTIFICATE_DAYS
    broker_host: str = ""
    broker_port: Port | None = None
    public_port: Port | None = None
    model_root: Path | None = None
    mosquitto_dir: Path | None = None
    mosquitto_pid_file: Path | None = None


def check_enrol(config: EnrolConfig, found: FaultList) -> None:
    """What single fields cannot say."""
    for index, name in enumerate(config.names):
        if not name or set(name) & set(" /:") - ({":"} if name.count(":") > 1 else set()):
            found.add(
                f"enrol.names[{index}]",
                f"expected a host name or an address, without scheme and port, got {name!r}",
            )
    if config.model_root is not None and not config.model_root.is_file():
        found.add("enrol.model_root", f"no such file: {config.model_root}")
    if config.mosquitto_pid_file is not None and config.mosquitto_dir is None:
        found.add("enrol.mosquitto_dir", "needed where mosquitto_pid_file is given")
