"""Rows of a day that are taken over, because nothing came of their devices since they were computed.

On a running day time goes on for them: a series that says nothing lacks more with each round. What of its row
hangs on the end of the time that is judged can be moved without a look at its readings::

    lost       readings that a silence of some length lacks behind the last reading, as ``statement`` counts them
    is a gap   a silence of more than so many intervals
    no time    of a series that has said nothing all day the silence begins with the day

A test compares the whole with that of a day that was judged anew.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from cloud_sync.quality.statement import among

#: Before and behind: the end of what was judged then, and of what is judged now.
_THEN: Final = "($before - epoch_us(last_time))"
_NOW: Final = "($until - epoch_us(last_time))"
_ALL_DAY: Final = "($until - $start)"
_STEP: Final = "(interval_s * 1e6)"


def kept(devices: Collection[str]) -> str:
    """The statement over the day's own rows, for all devices but these.

    Its parameters: ``start``, ``before`` and ``until`` in microseconds since 1970, ``gap`` in intervals.
    """
    return f"""
WITH moved AS (
    SELECT *,
           CASE WHEN last_time IS NULL THEN floor({_ALL_DAY} / {_STEP})
                ELSE missing + {_lost(_NOW)} - {_lost(_THEN)} END AS missing_,
           CAST({_is_gap(_THEN)} AS INTEGER) AS was_gap,
           CAST({_is_gap(f"coalesce({_NOW}, {_ALL_DAY})")} AS INTEGER) AS is_gap
    FROM lake.quality WHERE true{among(devices, but=True)}
)
SELECT * EXCLUDE (missing_, was_gap, is_gap) REPLACE (
    CAST(missing_ AS BIGINT) AS missing,
    (readings - duplicates - conflicts)
        / nullif(readings - duplicates - conflicts + missing_, 0) AS completeness,
    CASE WHEN last_time IS NULL THEN is_gap ELSE gaps - was_gap + is_gap END AS gaps,
    CASE WHEN last_time IS NULL THEN is_gap * {_ALL_DAY} / 1e6
         ELSE gap_s + (is_gap * {_NOW} - was_gap * {_THEN}) / 1e6 END AS gap_s,
    CASE WHEN last_time IS NULL THEN nullif(is_gap * {_ALL_DAY} / 1e6, 0)
         ELSE greatest(longest_gap_s, nullif(is_gap * {_NOW} / 1e6, 0)) END AS longest_gap_s,
    CASE WHEN last_time IS NULL AND is_gap = 1 THEN make_timestamptz($start)
         WHEN is_gap = 1 AND {_NOW} / 1e6 > coalesce(longest_gap_s, 0) THEN last_time
         ELSE longest_gap_start END AS longest_gap_start
)
FROM moved ORDER BY device, name, site
"""  # noqa: S608 - ours


def _lost(silence: str) -> str:
    return f"greatest(ceil({silence} / {_STEP}) - 1, 0)"


def _is_gap(silence: str) -> str:
    return f"({silence} > $gap * {_STEP})"
