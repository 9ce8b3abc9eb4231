"""Tags of a series: what is said of it beside its readings.

They come from two places: the name itself, where line protocol or Graphite put ``key=value`` pairs behind a
semicolon, and ``[[catalog.tags]]``, which is what people know of their plant (building, line, owner). Rules are
taken in order, and a later one has the last word on a key; the configuration has it over the name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from cloud_sync.config import TagRule


def fits(rule: TagRule, site: str, device: str, name: str) -> bool:
    """Whether a rule is about the series."""
    return (
        fnmatchcase(device, rule.device)
        and fnmatchcase(name, rule.name)
        and fnmatchcase(site, rule.site)
    )


def tags_of(rules: Iterable[TagRule], site: str, device: str, name: str) -> dict[str, str]:
    """All tags of a series, in order of their keys."""
    found = in_name(name)
    for rule in rules:
        if fits(rule, site, device, name):
            found.update(rule.tags)
    return dict(sorted(found.items()))


def in_name(name: str) -> dict[str, str]:
    """``cpu.load;core=1;host=a`` says core and host."""
    pairs = (part.partition("=") for part in name.split(";")[1:])
    return {key: value for key, _, value in pairs if key and value}


def column(
    rules: Sequence[TagRule], series: Mapping[str, Sequence[str]]
) -> list[list[tuple[str, str]]]:
    """A map for each series of columns ``site``, ``device`` and ``name``."""
    each = zip(series["site"], series["device"], series["name"], strict=True)
    return [list(tags_of(rules, *labels).items()) for labels in each]
