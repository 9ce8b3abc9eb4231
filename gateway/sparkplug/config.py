"""``[sparkplug]`` in gateway.toml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from headrace.config import FaultList
from headrace.pki.names import MAX_LINKS

Level = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^+#/]+$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkplugConfig:
    """Be a Sparkplug host application at the site's broker.

    Attributes:
        host_id: by which nodes know it as their primary host; by default the site's name.
        groups: take these groups only; all where it is empty.
    """

    enabled: bool = False
    host_id: str = ""
    groups: tuple[Level, ...] = ()


def check_sparkplug(config: SparkplugConfig, connections: int, found: FaultList) -> None:
    """Add what single fields cannot say; ``connections``: the gateway's others to the broker."""
    if config.enabled and connections >= MAX_LINKS:
        found.add("broker.connections", f"expected at most {MAX_LINKS - 1} beside Sparkplug's own")
    if any(sign in config.host_id for sign in "+#/"):
        found.add("sparkplug.host_id", f"a topic level has no '+', '#', '/': {config.host_id!r}")
    if config.host_id == "STATE" or "STATE" in config.groups:
        found.add("sparkplug", "STATE is the protocol's own word; choose another name")
