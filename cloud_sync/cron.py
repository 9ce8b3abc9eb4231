"""When something is due: five fields as in a crontab, in UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger


def trigger(schedule: str) -> CronTrigger:
    """When a schedule is due.

    Raises:
        ValueError: it is none.
    """
    # Imported here: the command line asks for jobs, and seldom for this.
    from apscheduler.triggers.cron import CronTrigger

    return CronTrigger.from_crontab(schedule, timezone="UTC")
