"""Two gateways under one site name: seen by when their journals land. Pure.

A site has one gateway, and so one journal that lands. A disk that was replaced makes a new journal, and the
old one lands no more: the times of their landings lie one behind the other. Where they lie in between each
other two gateways are at work, which is a mistake that costs nothing at the lake (watermarks are kept
per journal) and much in the reading of it: "the site" is two places. So it is said, and nothing is held.

Times are of the sites' own clocks, and known since this process began and for what it has found landed:
a registrar that is started once a minute sees too little of it.
"""

from __future__ import annotations

from itertools import combinations

from headrace.imported import is_import_journal
from headrace.landing import Manifest

#: Site and journal.
Key = tuple[str, str]


class Sharing:
    """When the journals of each site have landed."""

    def __init__(self) -> None:
        self._times: dict[str, dict[str, tuple[int, int]]] = {}

    def see(self, manifest: Manifest) -> None:
        """Remember a landing; those of import jobs and of older versions say nothing."""
        at = manifest.landed_at
        if at and not is_import_journal(manifest.journal):
            site = self._times.setdefault(manifest.site, {})
            first, last = site.get(manifest.journal, (at, at))
            site[manifest.journal] = min(first, at), max(last, at)

    def warnings(self) -> tuple[str, ...]:
        """A sentence for each pair of gateways under one name."""
        return tuple(
            f"site {site}: two gateways use this name, with the journals {one} and {other}; "
            "give one of them another (site in gateway.toml)"
            for site, journals in sorted(self._times.items())
            for one, other in combinations(sorted(journals), 2)
            if _interleave(journals[one], journals[other])
        )


def _interleave(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one != other and max(one[0], other[0]) <= min(one[1], other[1])
