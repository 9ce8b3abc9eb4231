"""What schemathesis has to know of our questions; named to it by SCHEMATHESIS_HOOKS."""

from __future__ import annotations

import schemathesis
from hypothesis import strategies as st

_SOUND = st.sampled_from(
    [
        "SELECT * FROM latest",
        "SELECT device, count(*) AS n, avg(value) FROM readings GROUP BY ALL",
        "SELECT * FROM readings WHERE name = 's0' ORDER BY time LIMIT 7",
        "EXPLAIN SELECT max(time) FROM readings",
        "SELECT NULL AS nothing, 1.5 AS number, 'é' AS text, [1, 2] AS many",
    ]
)
_BROKEN = st.sampled_from(
    ["SELECT", "DROP TABLE readings", "SELECT nothing FROM nowhere", ";", " "]
)

schemathesis.openapi.format("sql", _SOUND | _BROKEN)
