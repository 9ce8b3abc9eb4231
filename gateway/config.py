"""gateway.toml: everything that the gateway can be told, typed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from gateway.api.config import IngestConfig, check_files, check_ingest
from gateway.broker.config import (
    BrokerConfig,
    Port,
    check_broker,
    commands_password,
    is_loopback,
    with_site_files,
)
from gateway.enrol.config import EnrolConfig, check_enrol
from gateway.inference import ModelConfig, check_models
from gateway.inference.consumer import thresholds
from gateway.ingest.limits import LimitsConfig, check_limits
from gateway.models import ModelRepositoryConfig, check_repository
from gateway.models.config import relative_thresholds
from gateway.notify import NotifyConfig, check_notify
from gateway.rules import BuiltinRulesConfig, RuleConfig, builtin, check_builtin, check_rules
from gateway.sinks import check_names
from gateway.sparkplug import SparkplugConfig, check_sparkplug
from gateway.vitals import VitalsConfig
from gateway.vitals.look import device_of
from headrace import plugins
from headrace.batch import DEVICE_PATTERN
from headrace.config import FaultList, PluginTable, load
from headrace.errors import ModelError
from headrace.journal import FILE_NAME
from headrace.limits.ingest import JOURNAL_MAX_BYTES
from headrace.limits.sizes import MIB
from headrace.logs import LogConfig
from headrace.pki.names import (
    CA_FILE,
    COMMANDS_CERTIFICATE_FILE,
    COMMANDS_KEY_FILE,
    COMMANDS_NAME,
    GATEWAY_CERTIFICATE_FILE,
    GATEWAY_KEY_FILE,
)
from headrace.plugins import Plugin
from headrace.tracing.config import TracingConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalConfig:
    """``hold_for``: consumers outside this process that rows are kept for, from the first start on.

    ``ack_after``: what has to have a batch before its device may forget it.
    """

    max_bytes: Annotated[int, Meta(ge=16 * MIB)] = JOURNAL_MAX_BYTES
    hold_for: tuple[str, ...] = ("lake",)
    ack_after: Literal["journal", "lake"] = "journal"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig:
    """Metrics, health, API and console. There is no login yet, so it stays on this machine.

    ``allow_without_login`` is for a container, whose loopback nobody else reaches: what may reach it
    is decided by the port that the container engine publishes (decision 9). With ``tls`` it shows the
    certificate in ``certfile`` and ``keyfile``, by default the one that the site's own CA makes.
    """

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port = 8080
    console: bool = True
    allow_without_login: bool = False
    tls: bool = False
    certfile: Path | None = None
    keyfile: Path | None = None

    @property
    def uses_tls(self) -> bool:
        return self.tls

    @property
    def with_site_certificate(self) -> bool:
        """Whether the site's CA is asked for one."""
        return self.enabled and self.tls and self.certfile is None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """The whole file."""

    site: Annotated[str, Meta(pattern=DEVICE_PATTERN)] = "site-1"
    data_dir: Path = Path("headrace-data/gateway")
    broker: BrokerConfig = field(default_factory=BrokerConfig)
    enrol: EnrolConfig = field(default_factory=EnrolConfig)
    ingest: IngestConfig = field(default_factory=IngestConfig)
    journal: JournalConfig = field(default_factory=JournalConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    http: HttpConfig = field(default_factory=HttpConfig)
    vitals: VitalsConfig = field(default_factory=VitalsConfig)
    models: tuple[ModelConfig, ...] = ()
    model_repository: ModelRepositoryConfig = field(default_factory=ModelRepositoryConfig)
    rules: tuple[RuleConfig, ...] = ()
    builtin_rules: BuiltinRulesConfig = field(default_factory=BuiltinRulesConfig)
    notify: tuple[NotifyConfig, ...] = ()
    sinks: tuple[PluginTable, ...] = ()
    sources: tuple[PluginTable, ...] = ()
    sparkplug: SparkplugConfig = field(default_factory=SparkplugConfig)
    log: LogConfig = field(default_factory=LogConfig)
    tracing: TracingConfig = field(default_factory=TracingConfig)

    @property
    def journal_path(self) -> Path:
        return self.data_dir / FILE_NAME

    @property
    def all_rules(self) -> tuple[RuleConfig, ...]:
        """The user's rules, and those that watch the pipeline itself, which its vitals feed."""
        if not self.vitals.enabled:
            return self.rules
        watching = builtin(
            self.builtin_rules, self.rules, device=device_of(self.site),
            journal_bytes=self.journal.max_bytes, interval_s=self.vitals.interval_s,
        )  # fmt: skip
        return (*self.rules, *watching)

    @property
    def models_path(self) -> Path:
        return self.data_dir / "models"

    @property
    def commands_broker(self) -> BrokerConfig:
        """The broker as commands use it beside the running gateway, whose session they must not take."""
        if self.broker.kind == "embedded" and self.broker.password_file is not None:
            secret = commands_password(self.data_dir)
            return replace(
                self.broker,
                username=COMMANDS_NAME,
                password_file=secret,
                certfile=None,
                keyfile=None,
            )
        pki = self.data_dir / "pki"
        if self.broker.certfile != pki / GATEWAY_CERTIFICATE_FILE:
            return self.broker
        return replace(
            self.broker, certfile=pki / COMMANDS_CERTIFICATE_FILE, keyfile=pki / COMMANDS_KEY_FILE
        )


def load_config(path: Path) -> GatewayConfig:
    """Read gateway.toml.

    Raises:
        ConfigError: with every fault.
    """
    config = load(path, GatewayConfig, check=_check)
    pki = config.data_dir / "pki"
    broker = with_site_files(
        config.broker,
        ca=pki / CA_FILE,
        certificate=pki / GATEWAY_CERTIFICATE_FILE,
        key=pki / GATEWAY_KEY_FILE,
    )
    return replace(config, broker=broker)


def build_sinks(config: GatewayConfig) -> list[tuple[str, Plugin, Any]]:
    """The configured sinks: name, plugin, typed settings (sound, because ``load_config`` checked)."""
    found = FaultList()
    return [
        (_name_of(table), plugin, settings)
        for table, plugin, settings in plugins.read_plugins(plugins.SINKS, config.sinks, found)
    ]


def build_sources(config: GatewayConfig) -> list[tuple[str, Plugin, Any]]:
    """The configured sources: name, plugin, typed settings."""
    found = FaultList()
    return [
        (_name_of(table), plugin, settings)
        for table, plugin, settings in plugins.read_plugins(plugins.SOURCES, config.sources, found)
    ]


def _name_of(table: PluginTable) -> str:
    return str(table.settings.get("name", table.plugin))


def _check(config: GatewayConfig, found: FaultList) -> None:
    check_broker(config.broker, found)
    if config.journal.ack_after == "lake" and "lake" not in config.journal.hold_for:
        found.add(
            "journal.ack_after",
            'expected "lake" in journal.hold_for: what waits for acks has to land',
        )
    check_enrol(config.enrol, found)
    check_ingest(config.ingest, found)
    check_limits(config.limits, found)
    check_models(config.models, found)
    check_repository(config.model_repository, config.models, found)
    check_notify(config.notify, found)
    known = {**_known_thresholds(config, found), **relative_thresholds(config.model_repository)}
    check_rules(config.rules, known, found)
    check_builtin(config.builtin_rules, found)
    plugins.read_plugins(plugins.SINKS, config.sinks, found)
    check_names([(table.key, _name_of(table)) for table in config.sinks], found)
    plugins.read_plugins(plugins.SOURCES, config.sources, found)
    check_names([(table.key, _name_of(table)) for table in config.sources], found)
    check_sparkplug(config.sparkplug, config.broker.connections, found)
    _check_http(config.http, found)
    _check_ports(config, found)


def _check_ports(config: GatewayConfig, found: FaultList) -> None:
    """No two listeners of this process at one port; on which of its addresses does not matter."""
    broker, ingest = config.broker, config.ingest.http
    embedded = broker.kind == "embedded"
    wanted: dict[str, int | None] = {
        "broker.port": broker.port if embedded else None,
        "broker.websocket.port": broker.websocket.port if embedded else None,
        "http.port": config.http.port if config.http.enabled else None,
        "ingest.http.port": ingest.port if ingest.enabled else None,
        "enrol.port": config.enrol.port if config.enrol.enabled else None,
    }
    taken: dict[int, str] = {}
    for key, port in wanted.items():
        if port is not None and taken.setdefault(port, key) != key:
            found.add(key, f"{port} is {taken[port]} already; give each listener a port of its own")


def _check_http(config: HttpConfig, found: FaultList) -> None:
    check_files(config, "http", found)
    if config.certfile is not None and not config.tls:
        found.add("http.tls", "expected true where certfile is given, got false")
    if config.enabled and not config.allow_without_login and not is_loopback(config.host):
        found.add(
            "http.host",
            f"the console has no login yet; expected a loopback address, got {config.host!r}; "
            "put a reverse proxy with authentication in front of it, or write "
            "http.allow_without_login = true where something else decides who reaches it",
        )


def _known_thresholds(config: GatewayConfig, found: FaultList) -> dict[str, float]:
    try:
        return thresholds(config.models)
    except ModelError as error:
        found.add("models", error.message)
        return {}
