"""Other ways in: Sparkplug and Kafka."""

from __future__ import annotations

from typing import Final

from headrace.limits.sizes import KIB, MIB

#: Sparkplug nodes, and metrics of all their births together: a large plant. A metric takes some 300
#: bytes of memory. A node beyond it is not understood where it gives aliases, and ends in quarantine.
SPARKPLUG_MAX_NODES: Final = 2_000
SPARKPLUG_MAX_KNOWN: Final = 500_000

#: Seconds between two requests for a node's birth. A birth may be 4 MiB; a node that cannot be reborn
#: must not be asked with every value that it sends.
SPARKPLUG_REBIRTH_S: Final = 5.0

#: What waits for a node's birth: a second of a busy node, and no longer than two requests take.
SPARKPLUG_HOLD_MESSAGES: Final = 1_000
SPARKPLUG_HOLD_BYTES: Final = 4 * MIB
SPARKPLUG_HOLD_S: Final = 12.0

#: Seconds between two looks at what waits.
SPARKPLUG_LOOK_S: Final = 0.5

#: Messages that the Kafka source takes from its client at once, and KiB that the client fetches ahead for
#: each partition: a second of a busy topic.
KAFKA_SOURCE_CHUNK_MESSAGES: Final = 500
KAFKA_SOURCE_FETCH_KIB: Final = 16 * KIB

#: Bytes of messages that go into the inbox together, which may be so much fuller than its bound for it.
KAFKA_SOURCE_HAND_BYTES: Final = 64 * KIB

#: Seconds between two commits of offsets: what comes again after a crash is known, so it costs time only.
KAFKA_SOURCE_COMMIT_S: Final = 1.0

#: Seconds that a source which loses partitions, or stops, waits for the journal to have what it took.
KAFKA_SOURCE_DRAIN_S: Final = 5.0

#: Seconds without a heartbeat after which the group gives our partitions to others, and of the heartbeat: a
#: gateway that was killed has its partitions again after so long.
KAFKA_SOURCE_SESSION_S: Final = 10.0
KAFKA_SOURCE_HEARTBEAT_S: Final = 1.0

#: Seconds for an answer about topics.
KAFKA_SOURCE_TIMEOUT_S: Final = 10.0
