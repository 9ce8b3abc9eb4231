"""A connection to an MQTT 5 broker that is made again whenever it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from gateway.broker.config import BrokerConfig
from gateway.broker.mqtt5.connection import Connection, Refused
from gateway.broker.mqtt5.packets import TAKEN_OVER_HINT, connect_packet
from gateway.broker.mqtt5.probe import speaks_old
from gateway.broker.mqtt5.window import Outgoing
from gateway.broker.paho import tls_context
from gateway.broker.reception import Reception
from headrace.limits.agent import RETRY_FIRST_S, RETRY_MAX_S
from headrace.limits.broker import BROKER_CONNECT_TIMEOUT_S
from headrace.logs import Condition, FirstTimes

logger = logging.getLogger(__name__)

#: Seconds after which a connection counts as good. So many in a row that end sooner look like two clients
#: that end each other: mosquitto 2.0 does not say so.
_SETTLED_S: Final = 10.0
_FIGHT: Final = 3


class Link:
    """One client of the broker.

    Args:
        filters, unwanted: see ``Connection``.
        outgoing: what waits to be published. Several links may share it.
        changed: called when it is up, and when it is down again.
    """

    def __init__(
        self,
        config: BrokerConfig,
        client_id: str,
        *,
        filters: Sequence[str],
        unwanted: Sequence[str],
        reception: Reception,
        outgoing: deque[Outgoing],
        changed: Callable[[], None],
    ) -> None:
        self._config = config
        self.client_id = client_id
        self._filters = filters
        self._unwanted = unwanted
        self._reception = reception
        self._outgoing = outgoing
        self._changed = changed
        self._condition = Condition(logger, f"broker {config.host}:{config.port}")
        self._lacks = FirstTimes(logger)
        self._connection: Connection | None = None
        self._unanswered = 0
        self.short_lives = 0
        self.up = False

    @property
    def fights(self) -> bool:
        """Whether connections end so soon after one another as if somebody else had this client's id."""
        return self.short_lives >= _FIGHT

    def flush_soon(self) -> None:
        """Send what waits; from any thread."""
        connection = self._connection
        if connection is not None and self.up:
            connection.flush_soon()

    async def run(self) -> None:
        """Stay connected until cancelled.

        Raises:
            Refused: the broker speaks no MQTT 5.
        """
        pause = RETRY_FIRST_S
        while True:
            try:
                if await self._live() >= _SETTLED_S:
                    pause = RETRY_FIRST_S
            except Refused as refused:
                if refused.too_old or (refused.unanswered and await self._is_old()):
                    raise
                self._condition.bad(refused)
            except OSError as error:  # TLS errors are among them
                self._condition.bad(f"cannot be reached: {error}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, RETRY_MAX_S)

    async def _is_old(self) -> bool:
        """Whether a broker that gave no answer, twice in a row, gives one in MQTT 3.1.1."""
        self._unanswered += 1
        if self._unanswered < 2:
            return False
        config = self._config
        return await speaks_old(
            config.host,
            config.port,
            tls_context(config),
            self.client_id,
            config.username,
            self._password(),
        )

    async def _live(self) -> float:
        """One connection from its beginning to its end; seconds for which it was of use."""
        clock = asyncio.get_running_loop().time
        connection = await self._connect()
        self._connection = connection
        try:
            await self._subscribed(connection)
            self._unanswered = 0
            self._set_up(True)
            self._condition.good()
            logger.info("subscribed at broker %s:%d", self._config.host, self._config.port)
            for each in connection.lacking:
                self._lacks.warn(f"broker {self._config.host}:{self._config.port}: {each}")
            began, why = clock(), await connection.closed
            lived_s = clock() - began
            self.short_lives = 0 if lived_s >= _SETTLED_S else self.short_lives + 1
            self._condition.bad(why + (TAKEN_OVER_HINT if self.fights else ""))
            return lived_s
        finally:
            self._set_up(False)
            self._connection = None
            connection.close()

    async def _subscribed(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(BROKER_CONNECT_TIMEOUT_S):
                await connection.subscribed
        except TimeoutError:
            why = f"no answer within {BROKER_CONNECT_TIMEOUT_S:g} s"
            raise Refused(why, unanswered=not connection.answered) from None

    async def _connect(self) -> Connection:
        config = self._config
        async with asyncio.timeout(BROKER_CONNECT_TIMEOUT_S):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(
                    connect_packet(self.client_id, config.username, self._password()), self._filters, self._unwanted, self._reception,
                    self._outgoing,
                ),
                config.host,
                config.port,
                # Made again for each connection, because certificates are renewed in place.
                ssl=tls_context(config),
            )  # fmt: skip
        return connection

    def _password(self) -> bytes | None:
        """Read again each time: secrets are replaced while programs run."""
        config = self._config
        if not config.username or config.password_file is None:
            return None
        return config.password_file.read_text(encoding="utf-8").strip().encode()

    def _set_up(self, up: bool) -> None:
        if self.up != up:
            self.up = up
            self._changed()


async def cancelled(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Refused):
        await task
