"""What a broker grants, held against what the gateway promises with it. Pure.

A batch waits in the broker until the journal has it: that needs QoS 1, and a session that outlives the
gateway's absence. A broker that grants less is used all the same, because devices that wait for the ack of the
wire hold their batches themselves; but it is said, because others do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headrace.limits.broker import BROKER_SESSION_EXPIRY_S


def lacking(granted: Sequence[int], kept_s: int | None) -> Iterator[str]:
    """Sentences for the log, one for each thing that it grants less of.

    Args:
        granted: the QoS of each subscription.
        kept_s: how long it keeps a session, where it has named another time than it was asked for.
    """
    if 0 in granted:
        yield (
            "it delivers with QoS 0: what it has taken and the journal has not is lost when the connection "
            "is; allow QoS 1 for the gateway"
        )
    if kept_s is not None and kept_s < BROKER_SESSION_EXPIRY_S:
        yield (
            f"it forgets the gateway {kept_s} s after the connection, and what has waited for it; expected "
            f"{BROKER_SESSION_EXPIRY_S} s: raise its limit of session expiry"
        )
