"""Topics of Sparkplug B, and the device that a node or one of its devices is here. Pure.

::

    spBv1.0/<group>/<type>/<node>[/<device>]      spBv1.0/STATE/<host>

The device id is ``<group>.<node>`` or ``<group>.<node>.<device>``. Characters that a device id may not have,
and dots, become ``_`` and two hex digits for each byte of their UTF-8; so does a ``_`` that could be taken
for one. ``path_of`` turns it back. What does not fit into 64 characters, or begins with a sign that no id
begins with, is cut and told apart by a hash (``..`` stands before it); that cannot be turned back.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, cast, get_args

from headrace.batch import is_device_id

NAMESPACE: Final = "spBv1.0"
STATE: Final = "STATE"

Kind = Literal["NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH", "DDEATH"]
KINDS: Final = frozenset(get_args(Kind))

_PLAIN: Final = re.compile(r"[A-Za-z0-9-]")
_ESCAPED: Final = re.compile(r"_([0-9a-f]{2})")
_LOOKS_ESCAPED: Final = re.compile(r"_[0-9a-f]{2}")
_CUT: Final = 46


class NodeKey(NamedTuple):
    """An edge node."""

    group: str
    node: str


class Place(NamedTuple):
    """What a topic says: what kind of message, of which node, and of which of its devices."""

    kind: Kind
    key: NodeKey
    device: str = ""


def parse(topic: str) -> Place | None:
    """The place of a message; None for what a host does not listen to (commands, STATE, others)."""
    match topic.split("/"):
        case [prefix, group, kind, node] if prefix == NAMESPACE and kind[:1] == "N":
            device = ""
        case [prefix, group, kind, node, device] if prefix == NAMESPACE and kind[:1] == "D":
            pass
        case _:
            return None
    if kind not in KINDS or not (group and node):
        return None
    return Place(cast(Kind, kind), NodeKey(group, node), device)


def subscriptions(groups: Sequence[str], host_id: str) -> list[str]:
    """The filters of a host application."""
    return [*(f"{NAMESPACE}/{group}/#" for group in groups or ("+",)), state_topic(host_id)]


def state_topic(host_id: str) -> str:
    """Where a host application says whether it is there."""
    return f"{NAMESPACE}/{STATE}/{host_id}"


def command_topic(key: NodeKey) -> str:
    """Where a node listens."""
    return f"{NAMESPACE}/{key.group}/NCMD/{key.node}"


def device_id(key: NodeKey, device: str = "") -> str:
    """The device that a node (or one of its devices) is here."""
    path = (*key, device) if device else key
    name = ".".join(map(_escape, path))
    if is_device_id(name):
        return name
    digest = hashlib.sha256("/".join(path).encode()).hexdigest()[:16]
    return f"{name.lstrip('_-')[:_CUT]}..{digest}" if name[0].isalnum() else f"x{name[: _CUT - 1]}..{digest}"  # fmt: skip


def path_of(device: str) -> tuple[str, ...] | None:
    """Group, node and perhaps device; None where a hash stands for them."""
    if ".." in device:
        return None
    return tuple(map(_unescape, device.split(".")))


def _escape(level: str) -> str:
    parts = []
    for at, sign in enumerate(level):
        if _PLAIN.match(sign) or (sign == "_" and not _LOOKS_ESCAPED.match(level, at)):
            parts.append(sign)
        else:
            parts += [f"_{byte:02x}" for byte in sign.encode("utf-8", "surrogatepass")]
    return "".join(parts)


def _unescape(level: str) -> str:
    parts = _ESCAPED.split(level)
    raw = b"".join(
        bytes.fromhex(part) if at % 2 else part.encode() for at, part in enumerate(parts)
    )
    return raw.decode("utf-8", "surrogatepass")
