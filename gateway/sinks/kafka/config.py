"""Settings of the Kafka sink."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Annotated, Literal

from msgspec import Meta

from gateway.kafka_access import KafkaAccess, check_access
from gateway.sinks.config import SinkSettings
from headrace.config import FaultList
from headrace.limits.sinks import KAFKA_MESSAGE_MAX_BYTES, SINK_TIMEOUT_S
from headrace.limits.sizes import KIB

Count = Annotated[int, Meta(ge=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings(KafkaAccess, SinkSettings):
    """``[[sinks]] plugin = "kafka"``; see sample.toml for what to change when."""

    topic: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,249}$")] = "headrace.readings"
    encoding: Literal["arrow", "avro"] = "arrow"
    create_topic: bool = True
    partitions: Count = 6
    replication: Count | None = None
    topic_settings: Mapping[str, str] = field(default_factory=dict)
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "zstd"
    message_max_bytes: Annotated[int, Meta(ge=16 * KIB)] = KAFKA_MESSAGE_MAX_BYTES
    timeout_s: Annotated[float, Meta(ge=1, le=300)] = SINK_TIMEOUT_S


def check(settings: KafkaSettings, key: str, found: FaultList) -> None:
    """Add what single fields cannot say."""
    check_access(settings, key, found)
    if settings.encoding == "avro" and find_spec("fastavro") is None:
        found.add(f"{key}.plugin", "fastavro is not installed: pip install 'headrace[kafka]'")
