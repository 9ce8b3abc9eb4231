"""Settings of the Kafka source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from string import Formatter
from typing import Annotated, Final, Literal

from msgspec import Meta

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
class KafkaSourceSettings:
    """``[[sources]] plugin = "kafka"``; see sample.toml for what to change when."""

    name: str = ""
    brokers: Annotated[str, Meta(min_length=1)] = "127.0.0.1:9092"
    topics: Annotated[tuple[Topic, ...], Meta(min_length=1)] = ("headrace.readings",)
    group: str = ""
    start: Literal["earliest", "latest"] = "earliest"
    format: str = "arrow"
    format_header: str = "headrace.encoding"
    device: Annotated[str, Meta(min_length=1)] = "{device}"
    device_header: str = "headrace.device"
    topic_ids: bool = True
    consumer_settings: Mapping[str, str] = field(default_factory=dict)
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


def check(settings: KafkaSourceSettings, key: str, found: FaultList) -> None:
    """Add what single fields cannot say."""
    for name in ("cafile", "certfile", "keyfile", "password_file"):
        path: Path | None = getattr(settings, name)
        if path is not None and not path.is_file():
            found.add(f"{key}.{name}", f"no such file: {path}")
    if (settings.certfile is None) != (settings.keyfile is None):
        found.add(f"{key}.certfile", "certfile and keyfile belong together; one of them is missing")
    if settings.sasl and not (settings.username and settings.password_file):
        found.add(f"{key}.sasl", "needs username and password_file")
    for name in sorted(settings.consumer_settings.keys() & _OURS):
        found.add(f"{key}.consumer_settings", f"{name!r} is set by the source itself; leave it out")
    known = sorted(name for name in DECODERS if not name.endswith(SUFFIX))
    if settings.format not in known:
        found.add(f"{key}.format", f"expected one of {', '.join(known)}, got {settings.format!r}")
    _check_device(settings.device, f"{key}.device", found)
    if find_spec("confluent_kafka") is None:
        found.add(
            f"{key}.plugin", "confluent_kafka is not installed: pip install 'headrace[kafka]'"
        )


def _check_device(text: str, key: str, found: FaultList) -> None:
    wanted = ", ".join(f"{{{name}}}" for name in sorted(FIELDS))
    try:
        named = [(name, spec) for _, name, spec, _ in Formatter().parse(text) if name is not None]
    except ValueError as error:
        found.add(key, f"expected text with {wanted}, got {text!r}: {error}")
        return
    if any(name not in FIELDS or spec for name, spec in named):
        found.add(key, f"expected text with {wanted}, got {text!r}")
