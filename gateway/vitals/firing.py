"""Alerts as numbers, for readers that cannot look into the JSON of an alert reading.

InfluxQL is one: it can neither parse a text nor count by what stands in it. So beside the reading
``alert/<rule>``, which stays as it is, there is ``gateway/firing/<severity>/<rule>`` of the same
device: how many of its series that rule is firing for, 0 when it is over. It is said at each
transition and again at each look while it lasts, so that "the last value of the last minutes" is
right for an alert that has been firing for a week. ``gateway/said/<rule>`` is the transition as a
sentence, for notes on a chart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from gateway.vitals.look import Vital
from headrace.derived import Alert

#: Severity by series: what one rule is firing for at one device.
Series = Mapping[str, str]

#: (device, rule).
Key = tuple[str, str]


def after(before: Series, alert: Alert) -> Series:
    """The series that fire behind a transition."""
    others = {series: severity for series, severity in before.items() if series != alert.series}
    # A rule's severity may have changed since: what was firing before ends under its old one.
    return others | {alert.series: alert.severity} if alert.state == "firing" else others


def numbers(rule: str, before: Series, now: Series, time: int) -> Iterator[Vital]:
    """The count of each severity that is or was there."""
    counts = Counter(now.values())
    for severity in sorted({*before.values(), *now.values()}):
        yield Vital(f"firing/{severity}/{rule}", time, float(counts[severity]))


def sentence(rule: str, alert: Alert, time: int) -> Vital:
    """The transition for people."""
    return Vital(f"said/{rule}", time, text=f"{rule} {alert.state}: {alert.summary}")
