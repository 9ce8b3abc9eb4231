"""What to do when a metric moves: the last column of the table in docs/gateway.md.

Beside the table of metrics (``headrace.metrics``) rather than in it, because programs do not read it.
Only metrics that somebody should act on are here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

WHEN_IT_MOVES: Final[Mapping[str, str]] = {
    "received_batches": "falls to 0: no device reaches the broker; `gateway doctor`, then the network",
    "duplicate_readings": "grows for long: acks do not reach a device; look at `dropped_answers` and the ACL",
    "source_partitions": "0: the cluster is away, or another member of the group has all partitions; see the log",
    "sparkplug_rebirths": "grows: messages get lost on the way (`gap`), or a node does not answer NCMD (`unborn`)",
    "sparkplug_held": "stays above 0: a node does not send its birth; what waits ends in quarantine",
    "refused_batches": "grows: `gateway quarantine ls` has the reason; mend the sender, then `quarantine replay`",
    "dropped_batches": "grows: the reason says whom; nothing of it was acknowledged, so devices send it again",
    "trimmed_payloads": "grows: a sender is broken and nobody looks; `gateway quarantine ls` has the reason",
    "limited_batches": "grows: that device sends more than `[limits]` allows; `refused` ones are in quarantine",
    "commit_seconds": "above 50 ms: the disk is slow or shared; `gateway doctor` measures its fsync",
    "commit_failures": "`full`: free space or start what is behind (`journal stat`); `storage`: the disk fails",
    "journal_bytes": "grows: a required consumer is behind; near `journal.max_bytes` acks stop",
    "damaged_batches": "above 0: the disk has lost data; `gateway journal verify` names it",
    "consumer_lag_batches": "grows: that consumer is slower than what arrives, or its destination is away",
    "consumer_failures": "grows: the log says why; the same batches are tried again",
    "sink_readings": "`reject` grows: they are in quarantine with the destination's reason; `keep`: it is away",
    "lane_lag_batches": "`backfill` does not fall: raise the sink's share of history, or its rate",
    "skipped_batches": "above 0: that sink lost history to the budget; the lake has it. Make it `required`",
    "gap_readings": "stays: the device has lost readings or holds them back; `journal stat` names them",
    "clock_offset_seconds": "above 0: give the device NTP; below: the same, or it works off a backlog",
    "widened_readings": "grows: counters beyond 2^53 lose their last digits; `/api/v1/notices` names them",
    "schema_notices": "grows: `/api/v1/notices` names the series; charts of one type or unit show half of it",
    "inference_incomplete": "grows: a feature's series is missing, or its name or device glob is wrong",
    "model_switches": "`refused` or `rolled_back`: `gateway models list` says why",
    "alerts": "one rule flaps: give it `for_s` or `keep_firing_for_s`",
    "notifications": "`failed` grows: the target is away; `given_up`: nobody was told",
    "broker_connected": "0: nothing arrives; `gateway doctor` says what the broker answers",
    "dropped_answers": "grows: the broker is too slow for the acks; devices repeat themselves",
    "http_requests": "401 grows: a token ended or was revoked; 429: too much at once; 503: the journal stalls",
    "denied_connections": "grows: the reason says why: certificates, passwords, a storm, or a limit of the table above",
    "denied_messages": "grows: a device uses topics that are not its own, check its id; `deliver`: a client does not read",
    "devices_online": "falls: power or network of devices; the silent ones are in `journal stat`",
    "certificate_days": "below 30: restart renews the gateway's own; a broker's is the broker's",
    "certificates_ending": "above 0: those agents do not renew; see docs/how-to/enrol.md",
}
