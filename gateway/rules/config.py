"""Settings of the ``[[rules]]`` tables, and the checks that single fields cannot do."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal

from msgspec import Meta

from headrace.config import FaultList
from headrace.derived import Severity, score_name

Kind = Literal["threshold", "score", "silence"]
Op = Literal[">", ">=", "<", "<=", "==", "!="]

#: What a summary may refer to, as ``{device}`` or ``{value:.1f}``.
SUMMARY_FIELDS: Final = ("rule", "device", "series", "value", "threshold", "severity")

_DEFAULT_SUMMARY: Final[Mapping[Kind, str]] = {
    "threshold": "{device}: {series} is {value:g}, limit {threshold:g}",
    "score": "{device}: score {value:.3g} of {series} is above what is normal ({threshold:.3g})",
    "silence": "{device}: nothing heard for {value:.0f} s",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleConfig:
    """One rule.

    Attributes:
        device: glob of device ids. series: glob of series names (threshold).
        model: the model whose scores are judged (score).
        op, value: the condition; a score rule takes its model's threshold where value is missing.
        for_s: how long the condition must hold, in reading time; for silence how long nothing may
            arrive.
        keep_firing_for_s: how long the condition must be over before the alert resolves.
        summary: text for people, with the fields of ``SUMMARY_FIELDS`` in braces.
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    kind: Kind
    device: Annotated[str, Meta(min_length=1)] = "*"
    series: str = ""
    model: str = ""
    op: Op = ">"
    value: float | None = None
    for_s: Annotated[float, Meta(ge=0)] = 0.0
    keep_firing_for_s: Annotated[float, Meta(ge=0)] = 0.0
    severity: Severity = "warning"
    summary: str = ""

    @property
    def series_glob(self) -> str:
        """The series that the rule looks at."""
        return score_name(self.model) if self.kind == "score" else self.series

    @property
    def summary_template(self) -> str:
        return self.summary or _DEFAULT_SUMMARY[self.kind]


def resolve(rules: Sequence[RuleConfig], thresholds: Mapping[str, float]) -> tuple[RuleConfig, ...]:
    """Give score rules without a value the threshold of their model (name → threshold)."""
    return tuple(
        replace(rule, value=thresholds[rule.model])
        if rule.kind == "score" and rule.value is None and rule.model in thresholds
        else rule
        for rule in rules
    )


def check_rules(
    rules: Sequence[RuleConfig], thresholds: Mapping[str, float], found: FaultList
) -> None:
    """Add the faults of rules taken together; ``thresholds``: model name → threshold."""
    seen: set[str] = set()
    for index, rule in enumerate(rules):
        key = f"rules[{index}]"
        if rule.name in seen:
            found.add(f"{key}.name", f"{rule.name!r} is there twice; alerts are told apart by it")
        seen.add(rule.name)
        _check_kind(rule, key, thresholds, found)
        _check_summary(rule, key, found)


def _check_kind(
    rule: RuleConfig, key: str, thresholds: Mapping[str, float], found: FaultList
) -> None:
    if rule.kind == "threshold":
        if not rule.series:
            found.add(
                f"{key}.series", 'missing; a threshold rule needs it, for example "vibration"'
            )
        if rule.value is None:
            found.add(f"{key}.value", "missing; a threshold rule needs it")
    if rule.kind == "score" and rule.model not in thresholds:
        known = ", ".join(sorted(thresholds)) or "none is configured"
        found.add(f"{key}.model", f"no model {rule.model!r} in [[models]]; known: {known}")
    if rule.kind == "silence" and rule.for_s <= 0:
        found.add(f"{key}.for_s", "missing; how many seconds of silence are too many?")


def _check_summary(rule: RuleConfig, key: str, found: FaultList) -> None:
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(rule.summary) if field is not None]  # fmt: skip
        unknown = sorted(set(fields) - set(SUMMARY_FIELDS))
        if unknown:
            found.add(f"{key}.summary", f"unknown {unknown}; known: {', '.join(SUMMARY_FIELDS)}")
        else:
            rule.summary.format(**example_fields())
    except ValueError as error:
        found.add(f"{key}.summary", f"not a template: {error}")


def example_fields() -> dict[str, str | float]:
    """Values of every summary field, to try a template with."""
    numbers = {"value", "threshold"}
    return {name: 1.0 if name in numbers else name for name in SUMMARY_FIELDS}
