"""What a profile may hang on the life of a connection; Sparkplug does."""

from __future__ import annotations

from typing import Protocol


class Session(Protocol):
    """What begins and ends with the connection, where the profile has such a thing."""

    def begin(self) -> tuple[str, bytes]:
        """A connection is about to be made: topic and payload of its will."""
        ...

    def death(self) -> tuple[str, bytes]:
        """What is said when it ends on purpose."""
        ...

    @property
    def command_topic(self) -> str:
        """What to subscribe to."""
        ...

    def command(self, payload: bytes) -> None:
        """Something came there; called by paho's thread."""
        ...

    @property
    def is_born(self) -> bool:
        """Whether the messages at hand are of this connection."""
        ...
