"""Readings whose time cannot be right: kept, marked, and kept out of what is ordered by time.

A device without a clock chip begins in 1970 or 2000; a broken one says 2099. Each such day would be a
partition of the lake for ever, and "the newest reading" would stay the one from 2099. So the lake marks
them (``clock`` = ``odd``) and puts them aside; queries find them all the same.

A time is odd before 2000, or more than a day after its arrival. A gateway whose own clock was not set
when the readings arrived cannot say what is ahead.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

#: What stands in the column ``clock`` of such a reading.
ODD: Final = "odd"

#: 2000-01-01 and 2020-01-01, microseconds since 1970 UTC: before the first nobody measured with this,
#: before the second no gateway ran.
FIRST_US: Final = 946_684_800_000_000
GATEWAYS_SINCE_US: Final = 1_577_836_800_000_000

#: A day: time zones that were mistaken for UTC are 14 hours at most.
MAX_AHEAD_US: Final = 86_400_000_000


def odd(times: NDArray[np.int64], received: NDArray[np.int64]) -> NDArray[np.bool_] | None:
    """Which readings have an odd time; None when none has. Microseconds since 1970 UTC."""
    if not len(times):
        return None
    found = times < FIRST_US
    if int(times.max()) > int(received.min()) + MAX_AHEAD_US:
        found |= (times - received > MAX_AHEAD_US) & (received >= GATEWAYS_SINCE_US)
    return found if found.any() else None
