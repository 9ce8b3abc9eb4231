"""Settings of the MQTT sink."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Annotated, Literal

from msgspec import Meta

from gateway.broker.config import Port, is_loopback
from gateway.sinks.config import SinkSettings
from headrace.batch import is_device_id
from headrace.config import FaultList
from headrace.limits.sinks import MQTT_SINK_MAX_BYTES, SINK_TIMEOUT_S
from headrace.limits.sizes import KIB
from headrace.limits.wire import MAX_PAYLOAD_BYTES
from headrace.topics import DEFAULT_ROOT

Topic = Annotated[str, Meta(min_length=1, pattern=r"^[^+#$][^+#]*$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSettings(SinkSettings):
    """``[[sinks]] plugin = "mqtt"``; see sample.toml for what to change when."""

    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Port = 1883
    protocol: Literal["3.1.1", "5"] = "3.1.1"
    client_id: str = ""
    tls: bool | None = None
    cafile: Path | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    username: str = ""
    password_file: Path | None = None
    profile: Literal["headrace", "json", "sparkplug"] = "headrace"
    topic_root: Topic = DEFAULT_ROOT
    device: Annotated[str, Meta(min_length=1)] = "{device}"
    encoding: Literal["arrow", "senml-json"] = "arrow"
    await_ack: bool = True
    topic: Topic = "{site}/{device}/{name}"
    retain: bool = False
    group: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^+#/]+$")] = "headrace"
    sparkplug_qos: Literal[0, 1] = 0
    max_bytes: Annotated[int, Meta(ge=KIB, le=MAX_PAYLOAD_BYTES)] = MQTT_SINK_MAX_BYTES
    timeout_s: Annotated[float, Meta(gt=0, le=300)] = SINK_TIMEOUT_S

    @property
    def waits_for_ack(self) -> bool:
        """Whether a gateway says that it has the readings; else the broker's word is taken."""
        return self.profile == "headrace" and self.await_ack

    @property
    def qos(self) -> int:
        """With which batches go out: Sparkplug asks for 0."""
        return self.sparkplug_qos if self.profile == "sparkplug" else 1

    @property
    def uses_tls(self) -> bool:
        return self.tls if self.tls is not None else not is_loopback(self.host)


def check(settings: MqttSettings, key: str, found: FaultList) -> None:
    """Add what single fields cannot say."""
    found.add_missing_files(settings, key, "cafile", "certfile", "keyfile", "password_file")
    if (settings.certfile is None) != (settings.keyfile is None):
        found.add(f"{key}.certfile", "certfile and keyfile belong together; one of them is missing")
    if settings.password_file is not None and not settings.username:
        found.add(f"{key}.username", "needed where password_file is given")
    if settings.profile == "sparkplug" and settings.retain:
        found.add(
            f"{key}.retain", 'must be false with profile = "sparkplug": no message is retained'
        )
    _check_template(f"{key}.topic", settings.topic, {"site", "device", "name"}, found)
    if _check_template(f"{key}.device", settings.device, {"site", "device"}, found):
        example = settings.device.format(site="s", device="d")
        if not is_device_id(example) or "{device}" not in settings.device:
            found.add(f"{key}.device", "expected {device} among letters, digits, '.', '_' and '-'")


def _check_template(key: str, text: str, known: set[str], found: FaultList) -> bool:
    wanted = ", ".join(f"{{{name}}}" for name in sorted(known))
    try:
        fields = [(name, spec) for _, name, spec, _ in Formatter().parse(text) if name is not None]
    except ValueError as error:
        found.add(key, f"expected text with {wanted}, got {text!r}: {error}")
        return False
    if any(name not in known or spec for name, spec in fields):
        found.add(key, f"expected text with {wanted}, got {text!r}")
        return False
    return True
