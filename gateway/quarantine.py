"""Refused payloads: list them, and send them through the gateway once more.

Replay publishes the payload on its original topic again, to a broker like any device would; what came by
HTTP, on its device's. So a
payload that was refused for a fault of the gateway's (a limit too low, a codec's bug) gets in after
the fault is mended, with the dedup and the checks of any other; one that is still refused comes back
to quarantine.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from gateway.broker.config import BrokerConfig
from gateway.ingest.arrival import HTTP_SOURCE
from headrace.batch import is_device_id
from headrace.errors import TransportError, UsageError
from headrace.sqlite import storage_errors
from headrace.topics import Topics

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One refused payload; ``received_at`` in microseconds since 1970 UTC."""

    id: int
    received_at: int
    topic: str
    device: str
    format: str
    reason: str
    detail: str
    bytes: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Quarantine:
    """The quarantine of a journal file, also while the gateway runs."""

    def __init__(self, journal: Path) -> None:
        if not journal.exists():
            raise UsageError(f"no journal at {journal}", hint="check data_dir in the configuration")
        self._path = journal
        self._db = sqlite3.connect(journal, isolation_level=None, timeout=10.0)

    def close(self) -> None:
        self._db.close()

    def list(self, limit: int) -> list[Quarantined]:
        """The newest ``limit`` payloads, newest first."""
        with storage_errors("journal", self._path):
            rows = self._db.execute(
                "SELECT id, received_at, topic, device, format, reason, detail, length(payload) "
                "FROM quarantine ORDER BY id DESC LIMIT ?",
                (limit,),
            ).fetchall()
        return [Quarantined(*row) for row in rows]

    def replayable(self) -> Sequence[int]:
        """The payloads that devices sent, oldest first; not what sinks refused or disks damaged."""
        return [item.id for item in reversed(self.list(10_000)) if _came_in(item.topic)]

    def payload(self, number: int) -> tuple[str, bytes]:
        """Topic, or where else it came from, and payload.

        Raises:
            UsageError: there is none of that number.
        """
        with storage_errors("journal", self._path):
            row = self._db.execute(
                "SELECT topic, payload FROM quarantine WHERE id = ?", (number,)
            ).fetchone()
        if row is None:
            raise UsageError(
                f"no payload {number} in quarantine", hint="see `gateway quarantine ls`"
            )
        return str(row[0]), bytes(row[1])

    def topic(self, number: int, topics: Topics) -> str:
        """Where to publish a payload again: its own topic, or its device's where it came another way.

        Raises:
            UsageError: no device has sent it, or none that has a topic.
        """
        with storage_errors("journal", self._path):
            row = self._db.execute(
                "SELECT topic, device, format FROM quarantine WHERE id = ?", (number,)
            ).fetchone()
        topic, device, format_name = row or ("", "", "")
        if not _came_in(topic):
            raise UsageError(
                f"payload {number} was rejected by {topic}, no device has sent it like that",
                hint="it is in the lake already; export it with `gateway quarantine show`",
            )
        incoming = topics.parse(topic)
        if incoming is not None and incoming.kind == "data":
            return str(topic)
        if not is_device_id(device):
            raise UsageError(
                f"payload {number} came by {topic} for device {device!r}, which can have no topic",
                hint="send it again under an id of letters, digits, '.', '_' and '-'",
            )
        return topics.data(device, format_name)

    def forget(self, number: int) -> None:
        """Delete one payload."""
        with storage_errors("journal", self._path):
            self._db.execute("DELETE FROM quarantine WHERE id = ?", (number,))


def replay(quarantine: Quarantine, numbers: Sequence[int], broker: BrokerConfig) -> int:
    """Publish payloads again and delete each one that the broker has taken; returns how many.

    Raises:
        TransportError: the broker is away; what was not taken stays in quarantine.
        UsageError: a payload did not come from a device.
    """
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="headrace-replay")
    if broker.username and broker.password_file:
        client.username_pw_set(broker.username, broker.password_file.read_text().strip())
    if broker.uses_tls:
        client.tls_set(
            ca_certs=str(broker.cafile) if broker.cafile else None,
            certfile=str(broker.certfile) if broker.certfile else None,
            keyfile=str(broker.keyfile) if broker.keyfile else None,
        )
    try:
        client.connect(broker.own_host, broker.port)
    except OSError as error:
        raise TransportError(
            f"broker {broker.host}:{broker.port} cannot be reached: {error}",
            hint="replay goes through the running broker: start the gateway",
        ) from error
    client.loop_start()
    try:
        for number in numbers:
            _, payload = quarantine.payload(number)
            topic = quarantine.topic(number, Topics(broker.topic_root))
            sent = client.publish(topic, payload, qos=1)
            sent.wait_for_publish(_TIMEOUT_S)
            if not sent.is_published():
                raise TransportError(
                    f"the broker did not take payload {number} within {_TIMEOUT_S:g} s"
                )
            quarantine.forget(number)
    finally:
        client.disconnect()
        client.loop_stop()
    return len(numbers)


def _came_in(topic: str) -> bool:
    return topic == HTTP_SOURCE or ("/" in topic and not topic.startswith("sink/"))
