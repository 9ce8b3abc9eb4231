"""amqtt's side of the embedded broker: plugins that ask ``EmbeddedBroker``, bounds, and leaks closed.

amqtt makes its plugins itself from class paths and options; ``target`` is the way back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from amqtt.broker import Broker as AmqttBroker
from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BasePlugin, BaseTopicPlugin

from gateway.broker.auth import TopicAccess
from gateway.broker.turnstile import Turnstile
from headrace.limits.broker import (
    BROKER_MAX_FILTERS,
    BROKER_MAX_INFLIGHT,
    BROKER_MAX_OFFLINE,
    BROKER_MAX_RETAINED,
    BROKER_MAX_RETAINED_BYTES,
    BROKER_MAX_SESSIONS,
    BROKER_MAX_SESSIONS_PER_USER,
    BROKER_MAX_SUBSCRIPTIONS,
)

if TYPE_CHECKING:
    from amqtt.session import ApplicationMessage, Session

#: What is noted in a session's attributes.
_TURNSTILE: Final = "headrace.turnstile"
_FILTERS: Final = "headrace.filters"
_REFUSED: Final = 0x80
#: Retained messages that are under way to one client.
_RETAINED_AT_ONCE: Final = 20


class GuardedBroker(AmqttBroker):  # type: ignore[misc]
    """amqtt, with bounds, and some leaks closed (all read in 0.12.1).

    - Retained messages, subscriptions and sessions that last are without a bound there.
    - A filter that nobody has subscribed to any more stays, and each message is compared with it.
    - When a client comes back, it is sent the retained messages of every filter that anybody has
      subscribed to, without a question to the topic plugins; with n clients that are n * n comparisons.
    - Its loops over filters wait inside, and fail when somebody subscribes meanwhile.
    """

    access: TopicAccess | None = None
    dropped: Callable[[str], None] = staticmethod(lambda what: None)

    def __init__(self, config: dict[str, Any], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(config, loop=loop)
        self._subscriptions = _Steady()
        self._retained_bytes = 0

    # --- clients -----------------------------------------------------------------------------------

    async def _handle_client_session(
        self, reader: Turnstile, writer: Any, client_session: Session, *rest: Any
    ) -> None:
        client_session.attributes[_TURNSTILE] = reader
        # What was sent with QoS 2 and not released before the connection ended, comes again as new:
        # amqtt would hold up this client for 10 s to wait for it.
        client_session.inflight_in.clear()
        try:
            await self._forget_sessions(client_session)
            await super()._handle_client_session(reader, writer, client_session, *rest)
        finally:
            if client_session.attributes.get(_TURNSTILE) is reader:
                del client_session.attributes[_TURNSTILE]

    async def _cleanup_session(self, client_id: str) -> None:
        """Not of a client that has come back since amqtt's monitor has looked."""
        session = self._sessions.get(client_id, (None, None))[0]
        running = self.transitions.state == "started"
        if session is None or not (running and session.transitions.state == "connected"):
            await super()._cleanup_session(client_id)

    async def _forget_sessions(self, newest: Session) -> None:
        """Of sessions that wait for their clients, the oldest of this user, or of all, go first."""
        waiting = sorted(
            (session.last_disconnect_time or 0, client_id, session.username)
            for client_id, (session, _) in self._sessions.items()
            if session is not newest and session.transitions.state == "disconnected"
        )
        own = [client_id for _, client_id, user in waiting if user and user == newest.username]
        extra = own[: max(0, len(own) - BROKER_MAX_SESSIONS_PER_USER + 1)]
        if len(waiting) >= BROKER_MAX_SESSIONS:
            extra.append(waiting[0][1])
        for client_id in extra:
            self.dropped("session")
            await self._cleanup_session(client_id)

    async def _handle_message_delivery(
        self, client_session: Session, handler: Any, wait_deliver: asyncio.Future[Any]
    ) -> bool:
        message = wait_deliver.result()
        try:
            return bool(
                await super()._handle_message_delivery(client_session, handler, wait_deliver)
            )
        finally:
            turnstile = turnstile_of(client_session)
            if message is not None and turnstile is not None:
                turnstile.routed(len(message.data or b""), message.qos or 0)

    async def _handle_subscription(self, client_session: Session, *rest: Any) -> None:
        await super()._handle_subscription(client_session, *rest)
        self._answered(client_session)

    async def _handle_unsubscription(self, client_session: Session, *rest: Any) -> None:
        await super()._handle_unsubscription(client_session, *rest)
        self._answered(client_session)

    def _answered(self, session: Session) -> None:
        turnstile = turnstile_of(session)
        if turnstile is not None:
            turnstile.answered()

    # --- subscriptions -----------------------------------------------------------------------------

    async def add_subscription(self, subscription: tuple[str, int], session: Session) -> int:
        """Code 0x80 refuses."""
        topic_filter = subscription[0]
        known = self._subscriptions.get(topic_filter)
        if not any(each is session for each, _ in known or ()):
            held = session.attributes.setdefault(_FILTERS, set())
            full = known is None and len(self._subscriptions) >= BROKER_MAX_FILTERS
            if full or len(held) >= BROKER_MAX_SUBSCRIPTIONS:
                self.dropped("subscription")
                return _REFUSED
        code = int(await super().add_subscription(subscription, session))
        if code != _REFUSED:
            session.attributes.setdefault(_FILTERS, set()).add(topic_filter)
        return code

    def _del_subscription(self, a_filter: str, session: Session) -> int:
        session.attributes.get(_FILTERS, set()).discard(a_filter)
        deleted = int(super()._del_subscription(a_filter, session))
        if not self._subscriptions.get(a_filter, True):
            del self._subscriptions[a_filter]
        return deleted

    async def _del_all_subscriptions(self, session: Session) -> None:
        for a_filter in list(session.attributes.get(_FILTERS, ())):
            self._del_subscription(a_filter, session)

    # --- retained messages -------------------------------------------------------------------------

    async def retain_message(
        self,
        source_session: Session | None,
        topic_name: str | None,
        data: bytes | bytearray | None,
        qos: int | None = None,
    ) -> None:
        del source_session  # it would keep the session of a client that is gone
        old = self._retained_messages.get(topic_name)
        growth = len(data or b"") - (len(old.data or b"") if old is not None else 0)
        many = old is None and bool(data) and len(self._retained_messages) >= BROKER_MAX_RETAINED
        if many or self._retained_bytes + max(growth, 0) > BROKER_MAX_RETAINED_BYTES:
            self.dropped("retain")
            return
        self._retained_bytes += growth
        await super().retain_message(None, topic_name, data, qos)

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        topic_filter, qos = subscription
        if topic_filter not in session.attributes.get(_FILTERS, ()):
            return
        if self.access is not None and not self.access.may_subscribe(
            session.username or "", topic_filter
        ):
            return
        handler, found = self._get_handler(session), self._retained_for(topic_filter)
        for at in range(0, len(found), _RETAINED_AT_ONCE):
            # All at once they would be in memory once more, and this to who does not read them.
            turnstile = turnstile_of(session)
            if handler is None or turnstile is None or turnstile.behind:
                self.dropped("deliver")
                return
            sending = [
                handler.mqtt_publish(each.topic, each.data, min(qos, each.qos or qos), retain=True)
                for each in found[at : at + _RETAINED_AT_ONCE]
            ]
            answers = await asyncio.gather(*sending, return_exceptions=True)
            if any(isinstance(answer, BaseException) for answer in answers):
                self.dropped("deliver")  # it has not acknowledged in time
                return

    def _retained_for(self, topic_filter: str) -> list[Any]:
        if "+" not in topic_filter and "#" not in topic_filter:
            found = self._retained_messages.get(topic_filter)
            return [found] if found is not None else []
        return [
            message
            for topic, message in self._retained_messages.items()
            if self._matches(topic, topic_filter)
        ]


class _Steady(dict[str, Any]):
    """A dict that may change while somebody goes through it."""

    def items(self) -> Any:
        return list(super().items())

    def __iter__(self) -> Any:
        return iter(list(super().__iter__()))


def turnstile_of(session: Session) -> Turnstile | None:
    """Where a session's client comes in; None while it is away."""
    found: Turnstile | None = session.attributes.get(_TURNSTILE)
    return found


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
    """The door has put the name of the guest into every CONNECT that it let in; none where nobody
    need say who he is."""

    Config = _NoOptions

    async def authenticate(self, *, session: Session) -> bool | None:
        session.is_anonymous = not session.username
        return True


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
        if session is not None and action == Action.RECEIVE and _overflows(session):
            self.config.target.dropped("deliver")
            return False
        user = (session.username or "") if session is not None else ""
        if action is None or not self.config.target.permits(user, topic or "", action):
            return False
        if action == Action.PUBLISH:
            await self.config.target.room(topic or "")
        return True


def _overflows(session: Session) -> bool:
    """Whether a client has so much before it that it gets no more: it does not read, or is away."""
    turnstile = turnstile_of(session)
    if turnstile is None:
        waiting: int = session.retained_messages.qsize()
        return waiting >= BROKER_MAX_OFFLINE
    unanswered: int = len(session.inflight_out)
    return turnstile.behind or unanswered >= BROKER_MAX_INFLIGHT
