"""The broker port: messages in, small answers out.

A broker hands every message below the topic root to ``Reception`` and publishes acks and nacks. It
promises nothing about durability: a batch is safe when the journal has it, and the device knows
that from the ack alone (rule 3). What the port does promise:

- A message is handed over once per delivery, in the order of its connection.
- When the inbox is full, the broker slows its senders down instead of dropping messages.
- ``publish`` may be called from any thread, never blocks on the network, and loses messages rather
  than queueing without a bound: a lost ack is repaired by the device's resend.
"""

from __future__ import annotations

from typing import Protocol

from gateway.clashes import Clash


class Broker(Protocol):
    """Either an embedded broker or a connection to an external one."""

    async def start(self) -> None:
        """Begin to hand messages over.

        Raises:
            TransportError: it cannot start (an external broker that is away is no reason: that is
                retried for ever).
            ConfigError: the listener cannot be opened as configured.
        """
        ...

    async def stop(self) -> None:
        """Stop handing messages over and close connections."""
        ...

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send a QoS 1 message from any thread."""
        ...

    def clashes(self) -> list[Clash]:
        """Client ids that two clients fight over, as far as the broker can know; in the event loop."""
        ...

    @property
    def connected(self) -> bool:
        """Whether messages can arrive at present."""
        ...
