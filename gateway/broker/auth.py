"""Who may do what at the embedded broker, when devices have certificates. Pure.

A device is the common name of its certificate, and has the topics below its own name::

    publish    <root>/<device>/data/<format>  <root>/<device>/state  <root>/<device>/model/reported
    subscribe  <root>/<device>/ack  <root>/<device>/nack  <root>/<device>/model/…

Everything else is denied, last wills included: a forged ack makes a device forget readings that
nobody has. The gateway's own commands (replay from quarantine) come with the gateway's certificate and
may do everything below the root.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from headrace.pki.names import OWN_NAMES


class Admission(Protocol):
    """Which certificates are good. That our CA has signed them, TLS has seen already."""

    def refusal(self, device: str, serial: int) -> str:
        """Why a certificate is not let in; empty when it is. Asked once per connection."""
        ...

    def changed(self) -> bool:
        """Whether answers may differ from those given before the last call."""
        ...


@dataclass(frozen=True, slots=True)
class TopicAccess:
    """The rules above, for one topic root."""

    root: str

    def may_publish(self, user: str, topic: str) -> bool:
        match self._own(user, topic):
            case ["data", format_name]:
                return format_name not in ("", "+", "#")
            case ["state"] | ["model", "reported"]:
                return True
            case own:
                return own is not None and user in OWN_NAMES

    def may_subscribe(self, user: str, topic_filter: str) -> bool:
        """Also whether a message on a topic may be delivered: a topic is a filter without wildcards."""
        match self._own(user, topic_filter):
            case ["ack"] | ["nack"] | ["model", _, *_]:
                return True
            case own:
                return own is not None and user in OWN_NAMES

    def _own(self, user: str, topic: str) -> list[str] | None:
        """The levels below the user's own name; None outside."""
        prefix = f"{self.root}/" if user in OWN_NAMES else f"{self.root}/{user}/"
        return topic[len(prefix) :].split("/") if user and topic.startswith(prefix) else None
