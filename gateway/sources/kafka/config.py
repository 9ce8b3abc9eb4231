"""Settings of the Kafka source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Formatter
from typing import Annotated, Final, Literal

from msgspec import Meta

from gateway.kafka_access import KafkaAccess, check_access
from headrace.codecs import DECODERS
from headrace.codecs.many import SUFFIX
from headrace.config import FaultList

Topic = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,249}$")]

FIELDS: Final = frozenset(("device", "topic", "partition"))

#: What this source lives by; the rest of librdkafka's settings is the user's.
_OURS: Final = frozenset((
    "bootstrap.servers", "group.id", "client.id", "enable.auto.commit", "enable.auto.offset.store",
    "auto.offset.reset", "error_cb", "logger", "enable.partition.eof",
))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSourceSettings(KafkaAccess):
    """``[[sources]] plugin = "kafka"``; see sample.toml for what to change when."""

    name: str = ""
    topics: Annotated[tuple[Topic, ...], Meta(min_length=1)] = ("headrace.readings",)
    group: str = ""
    start: Literal["earliest", "latest"] = "earliest"
    format: str = "arrow"
    format_header: str = "headrace.encoding"
    device: Annotated[str, Meta(min_length=1)] = "{device}"
    device_header: str = "headrace.device"
    topic_ids: bool = True
    consumer_settings: Mapping[str, str] = field(default_factory=dict)


def check(settings: KafkaSourceSettings, key: str, found: FaultList) -> None:
    """Add what single fields cannot say."""
    check_access(settings, key, found)
    for name in sorted(settings.consumer_settings.keys() & _OURS):
        found.add(f"{key}.consumer_settings", f"{name!r} is set by the source itself; leave it out")
    known = sorted(name for name in DECODERS if not name.endswith(SUFFIX))
    if settings.format not in known:
        found.add(f"{key}.format", f"expected one of {', '.join(known)}, got {settings.format!r}")
    _check_device(settings.device, f"{key}.device", found)


def _check_device(text: str, key: str, found: FaultList) -> None:
    wanted = ", ".join(f"{{{name}}}" for name in sorted(FIELDS))
    try:
        named = [(name, spec) for _, name, spec, _ in Formatter().parse(text) if name is not None]
    except ValueError as error:
        found.add(key, f"expected text with {wanted}, got {text!r}: {error}")
        return
    if any(name not in FIELDS or spec for name, spec in named):
        found.add(key, f"expected text with {wanted}, got {text!r}")
