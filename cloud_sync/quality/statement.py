"""The SQL that judges the series of one piece of a day.

::

    stepped   each reading with the step from the one before, in order of the series' times
    typical   quartiles of the steps; median and MAD of the values
    usual     what the table of quality says of the days before: the interval, and that the series is expected
    pace      the interval that counts: configured, else usual, else observed; none where steps are irregular
    facts     counts that need the interval and the median
    flat      the longest time from the first to the last of equal values in a row

What is missing is counted from steps and not from slots of a clock: a step of five intervals lacks four readings, wherever they
would have been. Before the first reading of its life nothing of a series is missing.

Outliers are judged by the median absolute deviation, which the outliers themselves do not move (a hundred of 10,000
values that are a thousand times too large leave it where it was; the standard deviation of the same day calls none of them
strange). Where more than half of the values are equal it is 0 and says nothing; then nothing is judged.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from cloud_sync.config import Expected, Quality
from headrace.limits.quality import AHEAD_S, INCOMPLETE_BELOW, MIN_STEPS
from headrace.query.statement import literal_sql

#: What makes of a MAD the standard deviation of a normal distribution.
_NORMAL: Final = 1.4826

_DAY_US: Final = 86_400_000_000

_KEY: Final = "site, device, name"

_CHUNK: Final = (
    "device > $after_device AND device <= $up_to_device "
    "AND name > $after_name AND name <= $up_to_name"
)

_HOURS: Final = ", ".join(
    f"count(*) FILTER (WHERE (taken - $start) // 3600000000 = {hour})" for hour in range(24)
)
_NO_HOURS: Final = ", ".join(["0"] * 24)


def counts(devices: Collection[str] | None = None) -> str:
    """How many readings each series has, and when the newest arrived."""
    return (
        "SELECT device, name, count(*) AS rows, max(received) AS newest "  # noqa: S608 - ours
        f"FROM readings WHERE clock IS DISTINCT FROM 'odd'{among(devices)} "
        "GROUP BY device, name ORDER BY device, name"
    )


def among(devices: Collection[str] | None, *, but: bool = False) -> str:
    """A condition that is added to others."""
    if devices is None:
        return ""
    these = ", ".join(map(literal_sql, sorted(devices)))
    return f" AND device {'NOT IN' if but else 'IN'} ({these})"


ODD_DAYS: Final = """
SELECT CAST(received AS DATE) AS date, count(*) AS odd FROM readings WHERE clock = 'odd' GROUP BY 1
"""

JUDGED: Final = """
SELECT date, sum(readings) AS readings, sum(odd) AS odd, min(computed) AS computed,
       count(DISTINCT device) AS devices
FROM lake.quality GROUP BY date
"""

INCOMPLETE: Final = f"""
SELECT count(*) FILTER (WHERE completeness < {INCOMPLETE_BELOW}) AS series FROM lake.quality
"""  # noqa: S608 - ours


def judge(quality: Quality, *, has_odd: bool, devices: Collection[str] | None = None) -> str:
    """The statement, for all devices or for these.

    Its parameters: ``start`` and ``until`` in microseconds since 1970, ``day``, ``gap`` in intervals, and
    those of the piece (``chunks.Chunk``).
    """
    piece = f"{_CHUNK}{among(devices)}"
    return f"""
WITH stepped AS MATERIALIZED ({_stepped(piece)}),
typical AS ({_TYPICAL}),
usual AS ({_usual(piece)}),
pace AS ({_pace(quality.expected)}),
facts AS ({_facts(quality)}),
flat AS ({_FLAT}),
odd AS ({_odd(piece if has_odd else "false")})
{_RESULT}
"""


def _stepped(piece: str) -> str:
    return f"""
    SELECT {_KEY}, unit, clock, value, text IS NOT NULL AS is_text, taken, arrived, seq,
           taken - lag(taken) OVER series AS step,
           lag(taken) OVER series IS NOT NULL
               AND value IS NOT DISTINCT FROM lag(value) OVER series
               AND text IS NOT DISTINCT FROM lag(text) OVER series AS is_same,
           value IS NOT DISTINCT FROM lead(value) OVER series AS is_repeated,
           lag(value) OVER series IS NOT DISTINCT FROM lag(value, 2) OVER series AS ends_run
    FROM (
        SELECT {_KEY}, unit, clock, value, text, seq,
               epoch_us(time) AS taken, epoch_us(received) AS arrived
        FROM readings WHERE clock IS DISTINCT FROM 'odd' AND {piece}
    )
    WINDOW series AS (PARTITION BY {_KEY} ORDER BY taken, arrived, seq)
"""  # noqa: S608 - ours


_TYPICAL: Final = f"""
    SELECT {_KEY}, min(taken) AS first_at, max(taken) AS last_at,
           count(*) FILTER (WHERE step > 0) AS steps,
           quantile_cont(step, [0.25, 0.5, 0.75]) FILTER (WHERE step > 0) AS quartiles,
           median(value) FILTER (WHERE isfinite(value)) AS middle,
           mad(value) FILTER (WHERE isfinite(value)) AS spread
    FROM stepped GROUP BY {_KEY}
"""  # noqa: S608 - ours


def _usual(piece: str) -> str:
    return f"""
    SELECT {_KEY}, median(observed_s) AS usual_s, arg_max(unit, date) AS usual_unit
    FROM lake.quality WHERE {piece} GROUP BY {_KEY} HAVING max(readings) > 0
"""  # noqa: S608 - ours


def _pace(expected: Sequence[Expected]) -> str:
    """Irregular: half of the steps are not within half an interval of their median."""
    return f"""
    SELECT *,
           CASE WHEN configured_s = 0 THEN NULL
                ELSE coalesce(configured_s, usual_s, observed_s) END AS interval_s,
           CASE WHEN is_known THEN $start ELSE coalesce(first_at, $start) END AS begins
    FROM (
        SELECT {_KEY}, typical.* EXCLUDE ({_KEY}), usual_s, usual_unit,
               usual.device IS NOT NULL AS is_known,
               CASE WHEN steps >= {MIN_STEPS} AND quartiles[1] >= quartiles[2] * 0.5
                         AND quartiles[3] <= quartiles[2] * 1.5
                    THEN quartiles[2] / 1e6 END AS observed_s,
               {_configured(expected)} AS configured_s
        FROM typical FULL JOIN usual USING ({_KEY})
    )
"""  # noqa: S608 - ours


def _configured(expected: Sequence[Expected]) -> str:
    """The first table of ``[[quality.expected]]`` that fits."""
    cases = [
        f"WHEN site GLOB {literal_sql(each.site)} AND device GLOB {literal_sql(each.device)} "
        f"AND name GLOB {literal_sql(each.name)} THEN {float(each.interval_s)!r}"
        for each in expected
    ]
    return f"CASE {' '.join(cases)} END" if cases else "CAST(NULL AS DOUBLE)"


def _facts(quality: Quality) -> str:
    gap = f"step > {quality.gap_factor!r} * interval_s * 1e6"
    far = (
        f"isfinite(value) AND spread > 0 AND abs(value - middle) > "
        f"{quality.outlier_deviations * _NORMAL!r} * spread"
    )
    return f"""
    SELECT {_KEY}, count(*) AS readings, arg_max(unit, taken) AS unit,
           count(*) FILTER (WHERE step = 0 AND is_same) AS duplicates,
           count(*) FILTER (WHERE step = 0 AND NOT is_same) AS conflicts,
           sum(greatest(round(step / (interval_s * 1e6)) - 1, 0)) FILTER (WHERE step > 0) AS inside,
           count(*) FILTER (WHERE {gap}) AS gaps,
           coalesce(sum(step) FILTER (WHERE {gap}), 0) AS gap_us,
           max(step) FILTER (WHERE {gap}) AS longest_us,
           arg_max(taken - step, step) FILTER (WHERE {gap}) AS longest_at,
           count(*) FILTER (WHERE {far}) AS far,
           arg_max(value, abs(value - middle)) FILTER (WHERE {far}) AS outlier_value,
           arg_max(taken, abs(value - middle)) FILTER (WHERE {far}) AS outlier_at,
           min(value) FILTER (WHERE isfinite(value)) AS minimum,
           max(value) FILTER (WHERE isfinite(value)) AS maximum,
           approx_count_distinct(value) AS distinct_values,
           count(*) FILTER (WHERE NOT isfinite(value)) AS not_finite,
           count(*) FILTER (WHERE is_text) AS texts,
           count(DISTINCT coalesce(unit, '')) AS units,
           count(*) FILTER (WHERE clock = 'unsynced') AS unsynced,
           count(*) FILTER (WHERE clock IS NULL) AS clockless,
           count(*) FILTER (WHERE taken > arrived + {AHEAD_S * 1_000_000}) AS ahead,
           max(arrived - taken) / 1e6 AS late_s,
           [{_HOURS}] AS hours
    FROM stepped JOIN pace USING ({_KEY}) GROUP BY {_KEY}
"""  # noqa: S608 - ours


#: Of the rows with a new value those alone that begin or end a run of equal ones: of noise hardly any.
_FLAT: Final = f"""
    SELECT {_KEY}, max(length) / 1e6 AS flat_s, arg_max(taken, length) AS flat_at
    FROM (
        SELECT {_KEY}, taken,
               CASE WHEN is_repeated THEN coalesce(lead(taken - step) OVER series, last_at) - taken
                    ELSE 0 END AS length
        FROM stepped JOIN (SELECT {_KEY}, last_at FROM typical) USING ({_KEY})
        WHERE value IS NOT NULL AND NOT is_same AND (is_repeated OR ends_run)
        WINDOW series AS (PARTITION BY {_KEY} ORDER BY taken)
    )
    GROUP BY {_KEY}
"""  # noqa: S608 - ours


def _odd(piece: str) -> str:
    """Only where there is any: else each file's column of clocks would be read for nothing."""
    where = f"clock = 'odd' AND (epoch_us(received) - $start) BETWEEN 0 AND {_DAY_US} - 1"
    return (
        f"SELECT {_KEY}, count(*) AS odd FROM readings "  # noqa: S608 - ours
        f"WHERE {piece} AND {where} GROUP BY {_KEY}"
    )


#: What is missing before the first and behind the last reading, and what of that is a gap.
_RESULT: Final = f"""
SELECT CAST($day AS DATE) AS date, {_KEY}, coalesce(unit, usual_unit) AS unit,
       coalesce(readings, 0) AS readings,
       make_timestamptz(first_at) AS first_time, make_timestamptz(last_at) AS last_time,
       interval_s, observed_s, CAST(missing AS BIGINT) AS missing,
       times / nullif(times + missing, 0) AS completeness,
       CASE WHEN interval_s IS NOT NULL THEN
           coalesce(gaps, 0) + is_head + is_tail END AS gaps,
       CASE WHEN interval_s IS NOT NULL THEN
           (coalesce(gap_us, 0) + is_head * head_us + is_tail * tail_us) / 1e6 END AS gap_s,
       longest / 1e6 AS longest_gap_s,
       make_timestamptz(CAST(CASE longest WHEN longest_us THEN longest_at
           WHEN is_head * head_us THEN begins WHEN is_tail * tail_us THEN last_at END AS BIGINT)
       ) AS longest_gap_start,
       coalesce(duplicates, 0) AS duplicates, coalesce(conflicts, 0) AS conflicts,
       CASE WHEN spread > 0 THEN far END AS outliers, outlier_value,
       make_timestamptz(outlier_at) AS outlier_time,
       middle AS median, spread AS mad, minimum, maximum, distinct_values,
       flat_s, make_timestamptz(flat_at) AS flat_start,
       coalesce(not_finite, 0) AS not_finite, coalesce(texts, 0) AS texts,
       coalesce(units, 0) AS units, coalesce(unsynced, 0) AS unsynced,
       coalesce(clockless, 0) AS clockless, coalesce(ahead, 0) AS ahead, late_s,
       coalesce(odd, 0) AS odd, coalesce(hours, [{_NO_HOURS}]) AS hours
FROM (
    SELECT *, times_ AS times,
           CASE WHEN interval_s IS NOT NULL THEN inside_ + greatest(floor(head_us / step_us), 0)
               + greatest(ceil(tail_us / step_us) - 1, 0) END AS missing,
           greatest(longest_us, nullif(is_head * head_us, 0), nullif(is_tail * tail_us, 0)) AS longest
    FROM (
        SELECT *, CAST(head_us > $gap * step_us AS INTEGER) AS is_head,
               CAST(tail_us > $gap * step_us AS INTEGER) AS is_tail
        FROM (
            SELECT *, interval_s * 1e6 AS step_us,
                   coalesce(readings - duplicates - conflicts, 0) AS times_,
                   coalesce(inside, 0) AS inside_,
                   coalesce(first_at, $until) - begins AS head_us,
                   $until - coalesce(last_at, $until) AS tail_us
            FROM pace FULL JOIN facts USING ({_KEY}) FULL JOIN flat USING ({_KEY})
                 FULL JOIN odd USING ({_KEY})
        )
    )
)
WHERE readings > 0 OR odd > 0 OR interval_s IS NOT NULL
ORDER BY device, name, site
"""  # noqa: S608 - ours
