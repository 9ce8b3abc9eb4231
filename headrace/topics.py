"""MQTT topics of wire contract version 1.

::

    <root>/<device>/data/<format>    device → gateway   a batch
    <root>/<device>/ack              gateway → device   these seqs are on the gateway's disk
    <root>/<device>/nack             gateway → device   refused for good, kept in quarantine
    <root>/<device>/state            device → all       retained; the last will says offline
    <root>/<device>/model/desired    gateway → device   retained; there is something new: look
    <root>/<device>/model/reported   gateway, device → all   retained; which versions run, and why
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

DEFAULT_ROOT: Final = "headrace/v1"

Kind = Literal["data", "state"]


@dataclass(frozen=True, slots=True)
class Incoming:
    """What a topic that reached the gateway says: whose it is and what kind; format for data."""

    device: str
    kind: Kind
    format: str = ""


@dataclass(frozen=True, slots=True)
class Topics:
    """Builds and parses topics below one root."""

    root: str = DEFAULT_ROOT

    def data(self, device: str, format_name: str) -> str:
        return f"{self.root}/{device}/data/{format_name}"

    def ack(self, device: str) -> str:
        return f"{self.root}/{device}/ack"

    def nack(self, device: str) -> str:
        return f"{self.root}/{device}/nack"

    def state(self, device: str) -> str:
        return f"{self.root}/{device}/state"

    def model_desired(self, device: str) -> str:
        return f"{self.root}/{device}/model/desired"

    def model_reported(self, device: str) -> str:
        return f"{self.root}/{device}/model/reported"

    def subscriptions(self) -> list[str]:
        """The filters of a gateway: everything that devices send."""
        return [f"{self.root}/+/data/+", f"{self.root}/+/state"]

    def parse(self, topic: str) -> Incoming | None:
        """What a device sent where, or None for a topic that is not a device's to publish on.

        The device part is not validated here: a bad id must reach quarantine, not vanish.
        """
        prefix = self.root + "/"
        if not topic.startswith(prefix):
            return None
        match topic[len(prefix) :].split("/"):
            case [device, "data", format_name]:
                return Incoming(device, "data", format_name)
            case [device, "state"]:
                return Incoming(device, "state")
            case _:
                return None
