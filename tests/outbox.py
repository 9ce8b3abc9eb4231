"""A broker of which nothing is asked but to publish."""

from __future__ import annotations


class Outbox:
    """A broker that keeps what it is to publish."""

    connected = True

    def __init__(self) -> None:
        self.published: list[str] = []

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        del payload, retain
        self.published.append(topic)
