"""Settings of the ``mqtt`` input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta

from edge_agent.inputs.mqtt.topics import Template
from headrace.units import is_registered

#: Texts that come with readings and are none: times, names, modes of lamps, states of an update.
EXCLUDED: Final = (
    "last_seen", "color_mode", "effect", "power_on_behavior", "update", "update/*", "device/*", "Time", "*Unit", "Uptime", "*/SSId", "*/BSSId",
    "*/Mode", "*/Id", "*/Address", "*/TotalStartTime", "SleepMode", "POWERONSTATE",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSettings:
    """``[[inputs.topics]]``: one pattern of topics."""

    topic: Annotated[str, Meta(min_length=1, max_length=500)]
    series: Annotated[str, Meta(min_length=1, max_length=300)] = "{device}/{key}"
    units: dict[str, str] = field(default_factory=dict)
    text: tuple[str, ...] = ()
    exclude: tuple[str, ...] = EXCLUDED

    @property
    def template(self) -> Template:
        return Template(self.topic, self.series)


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSettings:
    """``[[inputs]] plugin = "mqtt"``."""

    topics: tuple[TopicSettings, ...]
    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535)] = 1883
    tls: bool = False
    ca: Path | None = None
    username: str = ""
    password_file: Path | None = None
    qos: Literal[0, 1] = 1
    retained: bool = False
    interval_s: Annotated[float, Meta(ge=0.05, le=3_600)] = 0.5
    prefix: Annotated[str, Meta(max_length=200)] = ""

    def problems(self) -> list[tuple[str, str]]:
        """What single fields cannot say."""
        found = list(self._file_problems())
        if not self.topics:
            found.append(("topics", "missing; name at least one ([[inputs.topics]])"))
        for index, topic in enumerate(self.topics):
            found += [(f"topics[{index}].{key}", why) for key, why in topic.template.problems()]
        return found

    def warnings(self) -> list[tuple[str, str]]:
        """What is odd and may be meant."""
        return [
            (f"topics[{index}].units", f"{unit!r} is not a SenML unit; sent as it is")
            for index, topic in enumerate(self.topics)
            for unit in topic.units.values()
            if unit and not is_registered(unit)
        ]

    def _file_problems(self) -> Iterator[tuple[str, str]]:
        for name, path in (("ca", self.ca), ("password_file", self.password_file)):
            if path is not None and not path.is_file():
                yield name, f"no such file: {path}"
        if self.ca is not None and not self.tls:
            yield "ca", "is set, but TLS is off; set tls = true"
        if bool(self.username) != (self.password_file is not None):
            yield "username", "username and password_file belong together"
