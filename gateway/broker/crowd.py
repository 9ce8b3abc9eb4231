"""How many may come, and how fast: connections in all and by source address. Pure.

One address may be a whole building behind a router, so its share is large; an IPv6 sender has 2^64
addresses of its own, so it is counted by its /64. Who is over his share is closed before TLS has cost
anything.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Final

from headrace.limits.broker import (
    BROKER_CONNECTS_BURST,
    BROKER_CONNECTS_PER_S,
    BROKER_MAX_KNOCKING_PER_ADDRESS,
)

#: Addresses whose rate is remembered; each is some 200 bytes. Beyond it the one that came least lately
#: is forgotten.
_MAX_ADDRESSES: Final = 10_000


@dataclass(slots=True)
class _Source:
    """One address: what it has open, and how many more it may open at once."""

    inside: int = 0
    knocking: int = 0
    credit: float = float(BROKER_CONNECTS_BURST)
    seen: float = 0.0


@dataclass(slots=True)
class Crowd:
    """Who is there. ``now`` is in seconds, of any steady clock."""

    max_connections: int
    max_per_address: int
    total: int = 0
    _sources: OrderedDict[str, _Source] = field(default_factory=OrderedDict)

    def arrives(self, address: str, now: float) -> str:
        """Why a connection is not taken; empty when it is, and then it counts until ``leaves``."""
        source = self._source(address)
        passed = now - source.seen if source.seen else 0.0
        source.credit = min(source.credit + passed * BROKER_CONNECTS_PER_S, BROKER_CONNECTS_BURST)
        source.seen = now
        if self.total >= self.max_connections:
            return "full"
        if source.inside >= self.max_per_address:
            return "address"
        if source.credit < 1 or source.knocking >= BROKER_MAX_KNOCKING_PER_ADDRESS:
            return "rate"
        source.credit -= 1
        source.inside += 1
        source.knocking += 1
        self.total += 1
        return ""

    def admitted(self, address: str) -> None:
        """It has said who it is, or has given that up."""
        self._source(address).knocking -= 1

    def leaves(self, address: str) -> None:
        self._source(address).inside -= 1
        self.total -= 1

    def _source(self, address: str) -> _Source:
        name = network_of(address)
        source = self._sources.get(name)
        if source is None:
            if len(self._sources) >= _MAX_ADDRESSES:
                self._forget_one()
            source = self._sources[name] = _Source()
        self._sources.move_to_end(name)
        return source

    def _forget_one(self) -> None:
        """The longest unseen of those that have nothing open; connections are fewer than addresses."""
        for name, source in self._sources.items():
            if source.inside == 0:
                del self._sources[name]
                return


def network_of(address: str) -> str:
    """What an address counts as."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))
    return str(found)
