"""Bytes that many connections share: who wants more than is left waits, the first first."""

from __future__ import annotations

import asyncio
from collections import deque


class Budget:
    """For use in one event loop.

    Args:
        total: bytes in all. Who asks for more than that alone gets all of it.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self.left = total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def try_take(self, size: int) -> bool:
        """Take what is there at once, or nothing."""
        if self._waiting or size > self.left:
            return False
        self.left -= size
        return True

    async def take(self, size: int) -> None:
        """Wait for so many bytes; ``give`` returns them."""
        size = min(size, self._total)
        if self.try_take(size):
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            # The turn may have come in the same round in which its client was given up.
            if turn.done() and not turn.cancelled():
                self.give(size)
            self._serve()
            raise

    def give(self, size: int) -> None:
        self.left += min(size, self._total)
        self._serve()

    def _serve(self) -> None:
        while self._waiting:
            size, turn = self._waiting[0]
            if not turn.cancelled():
                if size > self.left:
                    return
                self.left -= size
                turn.set_result(None)
            self._waiting.popleft()
