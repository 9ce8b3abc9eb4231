"""Whether a manifest suits what devices really send (pure).

A manifest that names series which nobody has, or other units than the readings carry, would score
nothing or score nonsense. What devices have not said yet (a gateway that has just started) is no
reason to refuse a version: it waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from headrace.models.manifest import Manifest

#: Devices named in a reason; the rest is a number.
_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Fit:
    """``fits``: at least one device has all inputs. ``wrong``: a reason that waiting does not mend."""

    fits: bool
    wrong: str = ""
    missing: str = ""


def judge(manifest: Manifest, devices: Mapping[str, Mapping[str, str]], *, prefix: str = "") -> Fit:
    """Compare a manifest with the series (name → unit) of the devices that it is for."""
    wanted = {prefix + feature.name: feature.unit for feature in manifest.features}
    wrong = _wrong_units(wanted, devices)
    if wrong:
        return Fit(False, wrong=wrong)
    if any(wanted.keys() <= series.keys() for series in devices.values()):
        return Fit(True)
    return Fit(False, missing=_missing(wanted, devices))


def _wrong_units(wanted: Mapping[str, str], devices: Mapping[str, Mapping[str, str]]) -> str:
    found = [
        f"{device} sends {name} in {series[name]}, the model expects {unit}"
        for device, series in devices.items()
        for name, unit in wanted.items()
        if unit and series.get(name) and series[name] != unit
    ]
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return "units do not match: " + "; ".join(found[:_NAMED]) + more if found else ""


def _missing(wanted: Mapping[str, str], devices: Mapping[str, Mapping[str, str]]) -> str:
    if not devices:
        return "no device has sent anything yet"
    have = set().union(*(series.keys() for series in devices.values()))
    lacking = sorted(wanted.keys() - have)
    if lacking:
        return f"no device sends {', '.join(lacking[:10])}"
    return "no single device sends all of " + ", ".join(sorted(wanted))
