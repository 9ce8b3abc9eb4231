"""Where the gateway's keys and certificates lie: ``data_dir/pki``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from headrace.pki.names import (
    CA_FILE,
    COMMANDS_CERTIFICATE_FILE,
    COMMANDS_KEY_FILE,
    GATEWAY_CERTIFICATE_FILE,
    GATEWAY_KEY_FILE,
    link_file,
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Where a key and its certificate lie."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Paths:
    """The files of ``data_dir/pki``."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / CA_FILE

    @property
    def ca_key(self) -> Path:
        return self.folder / "ca.key"

    @property
    def gateway(self) -> Pair:
        return Pair(self.folder / GATEWAY_CERTIFICATE_FILE, self.folder / GATEWAY_KEY_FILE)

    def link(self, number: int) -> Pair:
        """What the gateway shows on one of its connections to an external broker."""
        own = self.gateway
        return Pair(link_file(own.certificate, number), link_file(own.key, number))

    @property
    def commands(self) -> Pair:
        return Pair(self.folder / COMMANDS_CERTIFICATE_FILE, self.folder / COMMANDS_KEY_FILE)

    @property
    def registry(self) -> Path:
        return self.folder / "enrol.db"
