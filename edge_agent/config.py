"""The agent's configuration: one device, one buffer, one uplink, any number of inputs.

Everything is checked before anything starts, and every fault is reported at once. Relative paths are
relative to the directory that the agent is started in.

TLS is the default as soon as the broker is not on this machine: readings and passwords do not cross
a network in the clear unless ``tls = false`` says so in writing.
"""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

from msgspec import Meta

from edge_agent.buffer.schema import WhenFull
from edge_agent.inputs.port import Advising, Input, SelfChecking
from edge_agent.models.config import ModelsSettings, check_models
from headrace import config
from headrace.batch import DEVICE_PATTERN
from headrace.config import FaultList, PluginTable
from headrace.errors import ConfigError
from headrace.limits.agent import (
    BUFFER_MAX_BYTES,
    LOSS_WINDOW_S,
    RETRY_MAX_S,
    STATE_INTERVAL_S,
    STOP_TIMEOUT_S,
    UPLINK_ACK_TIMEOUT_S,
    UPLINK_WINDOW_BATCHES,
    UPLINK_WINDOW_BYTES,
)
from headrace.limits.sizes import MIB
from headrace.limits.wire import MAX_BATCH_ROWS
from headrace.logs import LogConfig
from headrace.pki.names import DEVICE_CERTIFICATE_FILE, DEVICE_KEY_FILE
from headrace.plugins import INPUTS, Plugin, read_plugins
from headrace.topics import DEFAULT_ROOT

Port = Annotated[int, Meta(ge=1, le=65_535)]
Seconds = Annotated[float, Meta(gt=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferSettings:
    """``[buffer]``."""

    path: Path = Path("buffer.db")
    loss_window_s: Annotated[float, Meta(ge=0, le=3_600)] = LOSS_WINDOW_S
    max_bytes: Annotated[int, Meta(ge=MIB)] = BUFFER_MAX_BYTES
    when_full: WhenFull = "refuse_new"


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkSettings:
    """``[uplink]``."""

    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Port = 1883
    topic_root: Annotated[str, Meta(pattern=r"^[^+#/]+(/[^+#/]+)*$")] = DEFAULT_ROOT
    tls: bool | None = None
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    renew_from: str = ""
    username: str = ""
    password_file: Path | None = None
    window_batches: Annotated[int, Meta(ge=1, le=1_000)] = UPLINK_WINDOW_BATCHES
    window_bytes: Annotated[int, Meta(ge=1)] = UPLINK_WINDOW_BYTES
    message_rows: Annotated[int, Meta(ge=1, le=MAX_BATCH_ROWS)] = MAX_BATCH_ROWS
    ack_timeout_s: Seconds = UPLINK_ACK_TIMEOUT_S
    retry_max_s: Seconds = RETRY_MAX_S
    state_interval_s: Seconds = STATE_INTERVAL_S
    stop_timeout_s: Annotated[float, Meta(ge=0)] = STOP_TIMEOUT_S

    @property
    def uses_tls(self) -> bool:
        return self.tls if self.tls is not None else not is_loopback(self.host)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """``[metrics]``: a Prometheus endpoint on 127.0.0.1, off without a port."""

    port: Port | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """The whole file."""

    device: Annotated[str, Meta(pattern=DEVICE_PATTERN)]
    buffer: BufferSettings = field(default_factory=BufferSettings)
    uplink: UplinkSettings = field(default_factory=UplinkSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    models: ModelsSettings = field(default_factory=ModelsSettings)
    log: LogConfig = field(default_factory=LogConfig)
    inputs: tuple[PluginTable, ...] = ()


@dataclass(frozen=True, slots=True)
class InputSettings:
    """One ``[[inputs]]`` table, typed by its plugin.

    ``key`` names the input in the buffer (its checkpoint) and in logs: the table's ``id``, or the
    plugin's name and its place among the inputs of that plugin.
    """

    key: str
    plugin: Plugin
    settings: Any

    def build(self) -> Input:
        made = self.plugin.build(self.settings)
        assert isinstance(made, Input)  # noqa: S101  (a plugin that lies is a bug, not a setting)
        return made


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """A configuration without faults."""

    settings: AgentSettings
    inputs: tuple[InputSettings, ...]

    @property
    def warnings(self) -> list[str]:
        """What is odd and may be meant; nothing that keeps the agent from starting."""
        return [
            f"input {one.key}: {name}: {what}"
            for one in self.inputs
            if isinstance(one.settings, Advising)
            for name, what in one.settings.warnings()
        ]


SAMPLE_HEAD: Final = """\
# Headrace agent. Every key below shows its default except device and inputs.

# The device's name in topics, tables and alerts: letters, digits, dot, dash, underscore.
device = "my-device"

[buffer]
path = "buffer.db"
# Seconds of readings that a power cut may cost. 0 writes every poll at once (more wear on SD cards).
loss_window_s = 1.0
# When this much is unacknowledged, the buffer is full.
max_bytes = 1_073_741_824
# What goes then, counted: "refuse_new" keeps the oldest; "drop_oldest" keeps the newest; "thin_out"
# keeps the whole time and halves the resolution of its older half, again and again.
when_full = "refuse_new"

[uplink]
host = "127.0.0.1"
port = 1883
topic_root = "headrace/v1"
# TLS is on for every broker that is not on this machine; tls = false switches it off in writing.
# ca = "/etc/headrace/ca.crt"
# cert = "/etc/headrace/device.crt"
# key = "/etc/headrace/device.key"
# Where the next certificate comes from; `edge-agent enroll` writes all four.
# renew_from = "https://gateway.local:8443"
# Longest pause between two attempts to connect; the pauses grow up to it while nothing gets through.
# retry_max_s = 60.0
# username = "my-device"
# password_file = "/etc/headrace/password"

# [metrics]
# port = 9101   # Prometheus, on 127.0.0.1 only

# Models at this device (pip install 'headrace[agent-inference]'; docs/how-to/models.md).
# [models]
# source = "https://gateway:8443/models"
# root = "/etc/headrace/models-root.json"
# folder = "/var/lib/headrace/models"
# ca = "/etc/headrace/ca.crt"

"""


def load(path: Path) -> AgentConfig:
    """Read and check a configuration file.

    Raises:
        ConfigError: with every fault of the file, the inputs' own included.
    """
    found = FaultList()
    tables: tuple[PluginTable, ...] = ()
    settings: AgentSettings | None = None
    try:
        settings = config.load(path, AgentSettings, check=_check)
        tables = settings.inputs
    except ConfigError as error:
        found.faults.extend(error.faults)
        tables = _input_tables(path)
        if not path.is_file():
            raise
    inputs = _read_inputs(tables, found)
    if found.faults or settings is None:
        raise ConfigError(str(path), found.faults)
    return AgentConfig(settings, tuple(inputs))


def _input_tables(path: Path) -> tuple[PluginTable, ...]:
    """The inputs of a file that has faults elsewhere, so that theirs are reported too."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8")).get("inputs", [])
    except (OSError, ValueError):
        return ()
    entries = enumerate(data) if isinstance(data, list) else ()
    return tuple(
        PluginTable(
            f"inputs[{index}]", entry["plugin"], {k: v for k, v in entry.items() if k != "plugin"}
        )
        for index, entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("plugin"), str) and entry["plugin"]
    )


def _read_inputs(tables: tuple[PluginTable, ...], found: FaultList) -> Iterator[InputSettings]:
    keys: dict[str, str] = {}
    stripped: list[PluginTable] = []
    for table in tables:
        own = table.settings.get("id")
        if own is not None and (not isinstance(own, str) or not own):
            found.add(f"{table.key}.id", f"expected a text that is not empty, got {own!r}")
        place = [other.plugin for other in stripped].count(table.plugin)
        key = own if isinstance(own, str) and own else f"{table.plugin}-{place + 1}"
        if key in keys.values():
            found.add(f"{table.key}.id", f"{key!r} is taken; give each input an id of its own")
        keys[table.key] = key
        rest = {name: value for name, value in table.settings.items() if name != "id"}
        stripped.append(PluginTable(table.key, table.plugin, rest))
    typed = read_plugins(INPUTS, tuple(stripped), found)
    for table, _, settings in typed:
        if isinstance(settings, SelfChecking):
            for name, problem in settings.problems():
                found.add(f"{table.key}.{name}", problem)
    return (InputSettings(keys[table.key], plugin, settings) for table, plugin, settings in typed)


def _check(settings: AgentSettings, found: FaultList) -> None:
    """What single fields cannot say."""
    uplink = settings.uplink
    check_models(settings.models, found)
    if not settings.inputs:
        found.add("inputs", "missing; name at least one ([[inputs]], plugin = ...)")
    found.add_missing_files(uplink, "uplink", "ca", "cert", "key", "password_file")
    for name in ("ca", "cert", "key"):
        if getattr(uplink, name) is not None and not uplink.uses_tls:
            found.add(f"uplink.{name}", "is set, but TLS is off; set tls = true")
    if (uplink.cert is None) != (uplink.key is None):
        found.add("uplink.cert", "cert and key belong together; one of them is missing")
    _check_renewal(uplink, found)
    if bool(uplink.username) != (uplink.password_file is not None):
        found.add("uplink.username", "username and password_file belong together")
    if settings.buffer.path.is_dir():
        found.add("buffer.path", f"expected a file, {settings.buffer.path} is a directory")


def _check_renewal(uplink: UplinkSettings, found: FaultList) -> None:
    if not uplink.renew_from:
        return
    if not uplink.renew_from.startswith("https://"):
        found.add("uplink.renew_from", f"expected https://HOST:8443, got {uplink.renew_from!r}")
    names = (uplink.cert and uplink.cert.name, uplink.key and uplink.key.name)
    together = uplink.cert and uplink.key and uplink.cert.parent == uplink.key.parent
    if names != (DEVICE_CERTIFICATE_FILE, DEVICE_KEY_FILE) or not together:
        found.add(
            "uplink.renew_from",
            f"needs cert and key as `edge-agent enroll` makes them: {DEVICE_CERTIFICATE_FILE} and "
            f"{DEVICE_KEY_FILE} in one folder; leave it out for a certificate of another kind",
        )


def is_loopback(host: str) -> bool:
    """Whether a host name stands for this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
