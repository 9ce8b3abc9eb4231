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
    """Whether a model can run here.

    Attributes:
        fits: at least one device has all inputs.
        wrong: a reason that waiting does not mend.
        missing: what is lacking.
        heard: whether devices have said anything at all.
    """

    fits: bool
    wrong: str = ""
    missing: str = ""
    heard: bool = False


def judge(manifest: Manifest, devices: Mapping[str, Mapping[str, str]], *, prefix: str = "") -> Fit:
    """Compare a manifest with the series (name → unit) of the devices that it is for."""
    wanted = {prefix + feature.name: feature.unit for feature in manifest.features}
    # One that lacks an input is not what the model is for, whatever its units are.
    whole = {device: series for device, series in devices.items() if wanted.keys() <= series.keys()}
    if not whole:
        return Fit(False, missing=_missing(wanted, devices), heard=bool(devices))
    wrong = {device: _wrong_units(wanted, device, series) for device, series in whole.items()}
    if all(wrong.values()):
        said = [text for texts in wrong.values() for text in texts]
        more = f" and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
        return Fit(False, wrong="units do not match: " + "; ".join(said[:_NAMED]) + more)
    return Fit(True)


def _wrong_units(wanted: Mapping[str, str], device: str, series: Mapping[str, str]) -> list[str]:
    return [
        f"{device} sends {name} in {series[name]}, the model expects {unit}"
        for name, unit in wanted.items()
        if unit and series[name] and series[name] != unit
    ]


def _missing(wanted: Mapping[str, str], devices: Mapping[str, Mapping[str, str]]) -> str:
    if not devices:
        return "no device has sent anything yet"
    have = set().union(*(series.keys() for series in devices.values()))
    lacking = sorted(wanted.keys() - have)
    if lacking:
        return f"no device sends {', '.join(lacking[:10])}"
    return "no single device sends all of " + ", ".join(sorted(wanted))
