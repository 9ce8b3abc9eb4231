"""Settings of the Kafka sink."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from gateway.sinks.config import SinkSettings
from headrace.config import FaultList
from headrace.limits.sinks import KAFKA_MESSAGE_MAX_BYTES, SINK_TIMEOUT_S
from headrace.limits.sizes import KIB

Count = Annotated[int, Meta(ge=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings(SinkSettings):
    """``[[sinks]] plugin = "kafka"``; see sample.toml for what to change when."""

    brokers: Annotated[str, Meta(min_length=1)] = "127.0.0.1:9092"
    topic: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,249}$")] = "headrace.readings"
    encoding: Literal["arrow", "avro"] = "arrow"
    create_topic: bool = True
    partitions: Count = 6
    replication: Count | None = None
    topic_settings: Mapping[str, str] = field(default_factory=dict)
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "zstd"
    message_max_bytes: Annotated[int, Meta(ge=16 * KIB)] = KAFKA_MESSAGE_MAX_BYTES
    timeout_s: Annotated[float, Meta(ge=1, le=300)] = SINK_TIMEOUT_S
    tls: bool = False
    cafile: Path | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    sasl: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = ""
    username: str = ""
    password_file: Path | None = None

    @property
    def security(self) -> str:
        """The protocol's name at librdkafka."""
        return f"{'sasl_' if self.sasl else ''}{'ssl' if self.tls else 'plaintext'}"


def check(settings: KafkaSettings, key: str, found: FaultList) -> None:
    """Add what single fields cannot say."""
    for name in ("cafile", "certfile", "keyfile", "password_file"):
        path: Path | None = getattr(settings, name)
        if path is not None and not path.is_file():
            found.add(f"{key}.{name}", f"no such file: {path}")
    if (settings.certfile is None) != (settings.keyfile is None):
        found.add(f"{key}.certfile", "certfile and keyfile belong together; one of them is missing")
    if settings.sasl and not (settings.username and settings.password_file):
        found.add(f"{key}.sasl", "needs username and password_file")
    for module, needed in (("confluent_kafka", True), ("fastavro", settings.encoding == "avro")):
        if needed and find_spec(module) is None:
            found.add(f"{key}.plugin", f"{module} is not installed: pip install 'headrace[kafka]'")
