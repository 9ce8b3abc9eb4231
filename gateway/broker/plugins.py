"""amqtt's side of the embedded broker: plugins that ask ``EmbeddedBroker``, and one leak closed.

amqtt makes its plugins itself from class paths and options; ``target`` is the way back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from amqtt.broker import Broker as AmqttBroker
from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BasePlugin, BaseTopicPlugin

from gateway.broker.auth import TopicAccess

if TYPE_CHECKING:
    from amqtt.session import ApplicationMessage, Session


class GuardedBroker(AmqttBroker):  # type: ignore[misc]
    """amqtt, with one leak closed.

    When a client comes back, amqtt sends it the retained messages of every filter that anybody has
    subscribed to, without asking its topic plugins.
    """

    access: TopicAccess | None = None

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        if self.access is None or self.access.may_subscribe(
            session.username or "", subscription[0]
        ):
            await super()._publish_retained_messages_for_subscription(subscription, session)


@dataclass
class _Options:
    """amqtt makes the plugins itself, from a class path and options: the way back is an option."""

    target: Any


@dataclass
class _NoOptions:
    """For a plugin without any."""


class Tap(BasePlugin[Any]):  # type: ignore[misc]
    """Takes permitted messages out of the broker."""

    Config = _Options

    async def on_broker_message_broadcast(
        self, *, client_id: str, message: ApplicationMessage
    ) -> None:
        del client_id
        if not message.topic.endswith("/state"):
            self.config.target.take(message.topic, bytes(message.data))

    async def on_broker_retained_message(
        self, *, client_id: str | None, retained_message: ApplicationMessage
    ) -> None:
        """States come this way, because a last will passes here and not through the other event."""
        del client_id
        if retained_message.topic.endswith("/state"):
            self.config.target.take(retained_message.topic, bytes(retained_message.data or b""))


class Identified(BaseAuthPlugin):  # type: ignore[misc]
    """The door has put the name of the guest into every CONNECT that it let in."""

    Config = _NoOptions

    async def authenticate(self, *, session: Session) -> bool | None:
        return bool(session.username)


class Gate(BaseTopicPlugin):  # type: ignore[misc]
    """Permits what is permitted, and on the way in only when there is room for it."""

    Config = _Options

    async def topic_filtering(
        self,
        *,
        session: Session | None = None,
        topic: str | None = None,
        action: Action | None = None,
    ) -> bool | None:
        user = (session.username or "") if session is not None else ""
        if action is None or not self.config.target.permits(user, topic or "", action):
            return False
        if action == Action.PUBLISH:
            await self.config.target.room(topic or "")
        return True
