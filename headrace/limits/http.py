"""The HTTP ingest."""

from __future__ import annotations

from typing import Final

from headrace.limits.sizes import KIB, MIB

#: Seconds (in which the gateway ran) that an Idempotency-Key is remembered: a day, in which a device
#: whose link broke in mid-request has come back; and how many of all devices, 70 bytes of the journal's
#: file each: 115 requests/s for that day. Beyond it requests with new keys have to wait.
KEY_REMEMBERED_S: Final = 86_400
KEYS_MAX: Final = 10_000_000

#: Tokens for the HTTP ingest: one for each device of a large site; all are in memory.
HTTP_MAX_TOKENS: Final = 10_000

#: Connections of the HTTP ingest at once, and how many of them one address other than this machine's
#: may have: a device needs one, and nobody shall have all of them.
HTTP_MAX_CONNECTIONS: Final = 500
HTTP_MAX_CONNECTIONS_PER_SOURCE: Final = 200

#: Bytes of a request's line and headers; clients send less than 1 KiB.
HTTP_MAX_HEAD_BYTES: Final = 16 * KIB

#: Bytes of the bodies of all requests at once, as they came and unpacked: from the first byte until the
#: journal has them. Beyond it requests are answered with 429.
HTTP_MAX_BODIES_BYTES: Final = 64 * MIB

#: Seconds for a request's headers, and for its body: 8 MiB at 2 Mbit/s, 100 kB at 30 kbit/s.
HTTP_HEAD_S: Final = 10.0
HTTP_BODY_S: Final = 30.0

#: Seconds and bytes that the rest of a body which was refused is read and thrown away, so that a client
#: which sends first and reads then finds the answer.
HTTP_LINGER_S: Final = 5.0
HTTP_LINGER_BYTES: Final = 64 * MIB

#: Seconds that a connection stays open between two requests: Telegraf sends every 10.
HTTP_KEEP_ALIVE_S: Final = 60

#: Seconds that a request waits for its commit before it is told to come again, and what it is told.
HTTP_COMMIT_S: Final = 10.0
HTTP_RETRY_AFTER_S: Final = 5

#: Bytes of a compressed body from which it is unpacked in a thread: up to there it takes 1 ms.
HTTP_UNPACK_INLINE_BYTES: Final = 128 * KIB

#: Characters of an Idempotency-Key: a UUID has 36.
HTTP_MAX_KEY_CHARS: Final = 255

#: Devices whose lines may come in one request, where a tag says whose they are.
HTTP_MAX_DEVICES_PER_REQUEST: Final = 1_000
