"""Whether a certificate is let in, for a broker's door: what stands in the registry, as it is now."""

from __future__ import annotations

import logging
from pathlib import Path

from gateway.enrol.desk import refusal
from gateway.enrol.registry import Registry
from headrace.errors import StorageError

logger = logging.getLogger(__name__)


class Admission:
    """What the door of the embedded broker asks, on a connection of its own to the registry."""

    def __init__(self, path: Path) -> None:
        self._registry = Registry(path)
        self._version = -1

    def close(self) -> None:
        self._registry.close()

    def changed(self) -> bool:
        """Whether something was written since the last call."""
        try:
            before, self._version = self._version, self._registry.version()
        except StorageError as error:
            logger.error("%s", error)
            return False
        return before != self._version

    def refusal(self, device: str, serial: int) -> str:
        """Why a certificate is not let in; empty when it is."""
        try:
            return refusal(self._registry, device, serial)
        except StorageError as error:
            logger.error("%s", error)
            return "the registry cannot be read"
