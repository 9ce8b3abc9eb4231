"""Who may do what at the embedded broker, when devices have certificates. Pure.

A device is the common name of its certificate, and has the topics below its own name::

    publish    <root>/<device>/data/<format>  <root>/<device>/state  <root>/<device>/model/reported
    subscribe  <root>/<device>/ack  <root>/<device>/nack  <root>/<device>/model/…

    publish    spBv1.0/<group>/<type>/<own name>[/<device>]     births, data, deaths
    subscribe  spBv1.0/<group>/NCMD and DCMD of the own name, spBv1.0/STATE/…

The last two make a Sparkplug node of it, whose name in every group is its own. Everything else is denied, last wills included: a forged ack makes a device forget readings that
nobody has. The gateway's own commands (replay from quarantine) come with the gateway's certificate and
may do everything below the root.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from headrace.pki.names import OWN_NAMES

_SPARKPLUG: Final = "spBv1.0/"
_SAID: Final = frozenset(("NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"))


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
        if topic.startswith(_SPARKPLUG):
            return user in OWN_NAMES or _is_said_by(user, topic.split("/"))
        match self._own(user, topic):
            case ["data", format_name]:
                return format_name not in ("", "+", "#")
            case ["state"] | ["model", "reported"]:
                return True
            case own:
                return own is not None and user in OWN_NAMES

    def may_subscribe(self, user: str, topic_filter: str) -> bool:
        """Also whether a message on a topic may be delivered: a topic is a filter without wildcards."""
        if topic_filter.startswith(_SPARKPLUG):
            return user in OWN_NAMES or _is_said_to(user, topic_filter.split("/"))
        match self._own(user, topic_filter):
            case ["ack"] | ["nack"] | ["model", _, *_]:
                return True
            case own:
                return own is not None and user in OWN_NAMES

    def _own(self, user: str, topic: str) -> list[str] | None:
        """The levels below the user's own name; None outside."""
        prefix = f"{self.root}/" if user in OWN_NAMES else f"{self.root}/{user}/"
        return topic[len(prefix) :].split("/") if user and topic.startswith(prefix) else None


def _is_said_by(user: str, levels: list[str]) -> bool:
    """Whether a topic of Sparkplug is one on which this node speaks."""
    match levels:
        case [_, _, kind, node, *device]:
            return bool(user) and node == user and kind in _SAID and len(device) == (kind[0] == "D")
        case _:
            return False


def _is_said_to(user: str, levels: list[str]) -> bool:
    """Whether a filter of Sparkplug takes in nothing but what is meant for this node."""
    match levels:
        case [_, "STATE", *_]:
            return True
        case [_, _, "NCMD", node] | [_, _, "DCMD", node, _]:
            return bool(user) and node == user
        case _:
            return False
