"""What two have that one should have: a client id, a device id."""

from __future__ import annotations

import msgspec


class Clash(msgspec.Struct, frozen=True):
    """One name that two have; ``addresses`` where they come from, as far as that is known."""

    what: str
    name: str
    times: int
    addresses: tuple[str, ...] = ()
