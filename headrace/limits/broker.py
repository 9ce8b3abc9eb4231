"""The brokers: what the embedded one bears, and what we ask of an external one."""

from __future__ import annotations

from typing import Final

from headrace.limits.sizes import KIB, MIB
from headrace.limits.wire import MAX_PAYLOAD_BYTES

#: Answers (acks, nacks) that wait for an external broker, some 200 bytes each. Beyond it they are
#: dropped, counted, and the devices ask again.
BROKER_MAX_OUTGOING: Final = 50_000

#: Seconds that an external broker keeps the session of a gateway that is away: its devices' batches
#: wait there. Devices of ours hold theirs in any case.
BROKER_SESSION_EXPIRY_S: Final = 7 * 86_400

#: Bytes of one MQTT packet that is taken from an external broker. Twice a payload's bound, so that one
#: that is too large is refused with a reason instead of vanishing at the broker.
BROKER_MAX_PACKET_BYTES: Final = 2 * MAX_PAYLOAD_BYTES

#: Seconds for TLS handshake and CONNECT at the embedded broker's door.
BROKER_CONNECT_TIMEOUT_S: Final = 10.0

#: Connections of the embedded broker in all, and from one address, which may be a building behind a
#: router: each takes some 60 kB, with TLS 100. Beyond a few hundred devices use an external broker.
BROKER_MAX_CONNECTIONS: Final = 1_000
BROKER_MAX_CONNECTIONS_PER_ADDRESS: Final = 500

#: Connections a second and at once from one address: a TLS handshake costs a Pi some 5 ms, so a storm
#: from one place leaves half of it to the others.
BROKER_CONNECTS_PER_S: Final = 100
BROKER_CONNECTS_BURST: Final = 200

#: Connections that have not yet said who they are, in all and of one address; and seconds that one may
#: take for it when all these places are taken: a device needs 0.1 s, on a bad line 1 s.
BROKER_MAX_KNOCKING: Final = 200
BROKER_MAX_KNOCKING_PER_ADDRESS: Final = 100
BROKER_DAWDLE_S: Final = 2.0

#: Connections that wait in the kernel; and open files that are left to journal, sinks and console.
BROKER_BACKLOG: Final = 1_024
BROKER_SPARE_FILES: Final = 256

#: Bytes of CONNECT: a client id, a name, a password and a last will, which is a short state.
BROKER_MAX_CONNECT_BYTES: Final = 16 * KIB

#: Bytes of one SUBSCRIBE or UNSUBSCRIBE: some dozens of filters.
BROKER_MAX_SUBSCRIBE_BYTES: Final = 64 * KIB

#: Bytes and levels of a topic or filter. A device's data are on `<root>/<device>/data/<format>`: an id
#: has 64 characters, a root some more.
BROKER_MAX_TOPIC_BYTES: Final = 1_024
BROKER_MAX_TOPIC_LEVELS: Final = 32

#: Seconds for one packet once it has begun: 8 MiB on a line of 1 Mbit/s.
BROKER_PACKET_TIMEOUT_S: Final = 90.0

#: Messages of one client that amqtt has and has not routed, and bytes of all clients' messages that are
#: being read or wait there; then TCP holds the senders.
BROKER_MAX_QUEUED: Final = 50
BROKER_MAX_UNROUTED_BYTES: Final = 64 * MIB

#: The same for messages with QoS 2 that wait for their PUBREL, which may never come.
BROKER_MAX_QOS2: Final = 100
BROKER_MAX_UNRELEASED_BYTES: Final = 32 * MIB

#: Bytes sent and not read, and messages not acknowledged, at which a client gets no more messages; and
#: seconds that it may leave answers unread before it is put out.
BROKER_MAX_UNSENT_BYTES: Final = 1 * MIB
BROKER_MAX_INFLIGHT: Final = 1_000
BROKER_SLOW_READER_S: Final = 20.0

#: Filters of one client (an agent has five) and of all: every message is compared with every one.
BROKER_MAX_SUBSCRIPTIONS: Final = 50
BROKER_MAX_FILTERS: Final = 10_000

#: Retained messages, and their bytes: a state and two about models for each of some thousand devices.
BROKER_MAX_RETAINED: Final = 10_000
BROKER_MAX_RETAINED_BYTES: Final = 32 * MIB

#: Sessions that wait for their clients: of one user (he has one, and a test or two), in all, for how long,
#: and messages in one. Devices keep their readings themselves; what waits here are acks.
BROKER_MAX_SESSIONS_PER_USER: Final = 5
BROKER_MAX_SESSIONS: Final = 2_000
BROKER_OFFLINE_S: Final = 86_400
BROKER_MAX_OFFLINE: Final = 100

#: Answers that wait for the embedded broker's event loop; beyond it they are dropped, counted, and the
#: devices ask again.
BROKER_MAX_PUBLISHING: Final = 20_000

#: Takeovers of one client id within a time that are two devices and not one on a poor line: such a line is
#: noticed after a keep-alive, of a minute as a rule.
CLASH_TAKEOVERS: Final = 5
CLASH_WITHIN_S: Final = 120.0
#: Ids that are remembered for it; 100 takeovers of each are 10 kB.
CLASH_MAX_IDS: Final = 200
