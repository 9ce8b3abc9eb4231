"""Rules that every gateway has from the start: they watch the pipeline itself.

They are ordinary rules on the gateway's own readings (``gateway/…``, docs/gateway.md), so they go
through the same state machine, journal, console and notify targets as the user's. Each has a
threshold in ``[builtin_rules]`` and can be switched off there by its name; a rule of the user's with
the same name takes its place. What each means and what to do about it is in docs/operations.md.

The thresholds are what nobody sleeps through by mistake: lag and silence of a quarter of an hour, a
gap that has not been filled for five minutes, a clock that is a minute ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from msgspec import Meta

from gateway.rules.config import Op, RuleConfig
from headrace.config import FaultList
from headrace.derived import VITALS_PREFIX, Severity
from headrace.limits.sizes import MIB

#: How each is called without its prefix, in the order of docs/operations.md.
NAMES: Final = (
    "lag", "stopped", "journal", "disk", "damage", "silent", "gap", "clock", "quarantine",
)  # fmt: skip
PREFIX: Final = "builtin-"

#: Seconds that a condition has to hold, where one look could be bad luck.
_STEADY_S: Final = 60.0
_GAP_S: Final = 300.0

_Positive = Annotated[float, Meta(gt=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltinRulesConfig:
    """The ``[builtin_rules]`` table.

    Attributes:
        enabled: all of them. off: names of those that are not wanted.
        lag_s: age of the oldest batch that a consumer is behind by.
        journal_share: of ``journal.max_bytes``. disk_free_bytes: on the journal's disk.
        silent_s: since a device was heard; left to a silence rule of the user's where there is one.
        gap_readings: missing between what arrived, for five minutes.
        clock_ahead_s: of a device's newest reading when it arrived.
        quarantined_per_min: batches refused and readings rejected.
    """

    enabled: bool = True
    off: tuple[str, ...] = ()
    lag_s: _Positive = 900.0
    journal_share: Annotated[float, Meta(gt=0, le=1)] = 0.8
    disk_free_bytes: Annotated[int, Meta(ge=0)] = 512 * MIB
    silent_s: _Positive = 900.0
    gap_readings: Annotated[float, Meta(ge=0)] = 0.0
    clock_ahead_s: _Positive = 60.0
    quarantined_per_min: _Positive = 10.0


def check_builtin(config: BuiltinRulesConfig, found: FaultList) -> None:
    """Add a fault for each name that switches nothing off."""
    for name in config.off:
        if name not in NAMES:
            found.add("builtin_rules.off", f"no built-in rule {name!r}; known: {', '.join(NAMES)}")


def builtin(
    config: BuiltinRulesConfig, own: Sequence[RuleConfig], *, device: str, journal_bytes: int,
    interval_s: float,
) -> tuple[RuleConfig, ...]:  # fmt: skip
    """The built-in rules that apply.

    Args:
        config: thresholds and switches.
        own: the user's rules.
        device: that the gateway's own readings belong to.
        journal_bytes: the journal's budget.
        interval_s: between two looks, which counts are about.
    """
    if not config.enabled:
        return ()
    taken = {rule.name for rule in own} | {PREFIX + name for name in config.off}
    if any(rule.kind == "silence" for rule in own):
        taken.add(PREFIX + "silent")
    per_look = config.quarantined_per_min * interval_s / 60.0
    made = (
        _rule("lag", device, "lag_s/*", ">", config.lag_s, "{series}: the oldest batch waits for {value:.0f} s"),
        _rule("stopped", device, "consumers_stopped", ">", 0, "{value:.0f} consumers have stopped for good", severity="critical"),
        _rule("journal", device, "journal_bytes", ">", config.journal_share * journal_bytes, "the journal holds {value:.3g} bytes, limit {threshold:.3g}", severity="critical"),
        _rule("disk", device, "disk_free_bytes", "<", config.disk_free_bytes, "{value:.3g} bytes are free on the journal's disk", severity="critical"),
        _rule("damage", device, "damaged_batches", ">", 0, "{value:.0f} places of the journal cannot be read", severity="critical"),
        _rule("silent", "*", "silent_s", ">", config.silent_s, "{device}: nothing heard for {value:.0f} s"),
        _rule("gap", "*", "gap_readings", ">", config.gap_readings, "{device} lacks {value:.0f} readings", for_s=_GAP_S),
        _rule("clock", "*", "clock_ahead_s", ">", config.clock_ahead_s, "{device}: its clock is {value:.0f} s ahead", for_s=_STEADY_S),
        _rule("quarantine", device, "quarantined", ">", per_look, "{value:.0f} refused or rejected since the last look, limit {threshold:.0f}"),
    )  # fmt: skip
    return tuple(rule for rule in made if rule.name not in taken)


def _rule(
    name: str, device: str, series: str, op: Op, value: float, summary: str, *,
    severity: Severity = "warning", for_s: float = 0.0,
) -> RuleConfig:  # fmt: skip
    return RuleConfig(
        name=PREFIX + name, kind="threshold", device=device, series=VITALS_PREFIX + series,
        op=op, value=value, for_s=for_s, severity=severity, summary=summary,
    )  # fmt: skip
