"""Puts CA, registry and desk together, for the running gateway and for its commands alike."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from gateway.enrol import mosquitto
from gateway.enrol.authority import Authority
from gateway.enrol.config import EnrolConfig
from gateway.enrol.desk import Desk, Offer
from gateway.enrol.expel import BrokerAddress, Guise, expel
from gateway.enrol.files import locked
from gateway.enrol.registry import Entry, Registry
from headrace.clock import Clock
from headrace.errors import StorageError
from headrace.limits.enrolment import CERTIFICATE_WARN_DAYS

logger = logging.getLogger(__name__)

_DAY_US: Final = 24 * 3600 * 1_000_000
_ANY_ADDRESS: Final = ("", "0.0.0.0", "::")

#: Days of a certificate with which the gateway puts a device out: for seconds, and the shortest that a
#: clock that is a little off does not spoil.
_GUISE_DAYS: Final = 1 / 24


def pki_folder(data_dir: Path) -> Path:
    """Where a gateway keeps its CA."""
    return data_dir / "pki"


class SitePki:
    """Everything about certificates at one site.

    Args:
        hosts: addresses that gateway and broker listen on; with ``config.names`` and this machine's
            own name they stand in the server certificate.
        broker_host: what devices are told; empty where it is the host that they asked.
        broker: an external broker from which revoked devices are put out.
        connections: how many the gateway has to it.
        own: who the gateway is there, where clients come with passwords.
    """

    def __init__(
        self,
        config: EnrolConfig,
        *,
        data_dir: Path,
        site: str,
        hosts: Sequence[str],
        broker_host: str,
        broker_port: int,
        topic_root: str,
        clock: Clock,
        broker: BrokerAddress | None = None,
        connections: int = 1,
        own: mosquitto.OwnUser | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._broker = broker
        self._own = own
        self._contexts: list[ssl.SSLContext] = []
        self._root = topic_root
        self.names = server_names(config.names, hosts)
        self.public_name = _public_name(config)
        self.authority = Authority(pki_folder(data_dir), site=site, clock=clock)
        self._connections = connections
        self.authority.ensure_own(self.names, connections)
        self.registry = Registry(self.authority.paths.registry)
        offer = Offer(
            certificate_days=config.certificate_days,
            broker_host=config.broker_host or broker_host,
            broker_port=config.broker_port or broker_port,
            topic_root=topic_root,
            model_root=config.model_root.read_text(encoding="utf-8") if config.model_root else "",
        )
        self.desk = Desk(self.authority, self.registry, offer, clock, self._issued)

    def close(self) -> None:
        self.registry.close()

    def entries(self) -> list[Entry]:
        return self.registry.entries()

    def revoke(self, device: str) -> int:
        """Cut a device off; returns how many certificates that were good are not any more.

        When it returns, the device is out: at an external broker that is looked after, not assumed.

        Raises:
            TransportError: the external broker has not taken it up.
        """
        count = self.registry.revoke(device, self._clock.now_us())
        logging.getLogger("gateway.enrol.audit").info("revoked %s (%d certificates)", device, count)
        nobody = not self.registry.entries_of(device)
        if nobody or self._broker is None or self._mosquitto_dir() is None:
            self.publish()
        else:
            self._put_out(device, self._broker)
        return count

    def _put_out(self, device: str, broker: BrokerAddress) -> None:
        listed, unlisted = self._guise(device, listed=True), self._guise(device, listed=False)
        self.publish()
        expel(
            broker, self.authority.ca_pem, device,
            listed=listed, unlisted=unlisted, clock=self._clock,
        )  # fmt: skip

    def _guise(self, device: str, *, listed: bool) -> Guise:
        """A certificate in the device's name, held by nobody but this process."""
        key, certificate = self.authority.new_client(device, _GUISE_DAYS)
        if listed:
            now = self._clock.now_us()
            expires_at = round(certificate.not_valid_after_utc.timestamp()) * 1_000_000
            entry = Entry(certificate.serial_number, device, b"", now, expires_at, now)
            self.registry.add(entry, now=now)
        return Guise(key, certificate.public_bytes(Encoding.PEM))

    def _issued(self) -> None:
        """A device that got a certificate has it, whether or not mosquitto could be told."""
        try:
            self.publish()
        except StorageError as error:
            logger.error("%s", error)

    def publish(self) -> None:
        """Bring the files of an external mosquitto up to date, where one is configured."""
        folder, pid_file = self._mosquitto_dir(), self._config.mosquitto_pid_file
        if folder is not None and self.write_files(folder) and pid_file is not None:
            mosquitto.reload(pid_file)

    def _mosquitto_dir(self) -> Path | None:
        folder = self._config.mosquitto_dir
        return folder if folder is not None and folder.is_dir() else None

    def write_files(self, folder: Path) -> bool:
        """Write what a mosquitto reads of ours; whether it changed."""
        # The registry is read inside the lock: somebody slower must not write over a revocation what
        # stood there before it.
        with locked(self.authority.paths.folder, "mosquitto.lock"):
            return mosquitto.write_files(
                folder, self.authority, self.registry.entries(), root=self._root,
                names=self.names, own=self._own,
            )  # fmt: skip

    def renew(self) -> bool:
        """Renew what the gateway and its mosquitto show, where it is due; whether something was.

        Listeners show the new certificate from the next handshake on.

        Raises:
            StorageError: it cannot be written.
        """
        renewed = self.authority.ensure_own(self.names, self._connections)
        if renewed:
            files = self.authority.paths.gateway
            for context in self._contexts:
                context.load_cert_chain(files.certificate, files.key)
        self.publish()
        return renewed

    def days_left(self) -> dict[str, float]:
        """Until each of the certificates ends that the gateway looks after, by what it is for."""
        pairs = {"gateway": self.authority.paths.gateway}
        folder = self._mosquitto_dir()
        if folder is not None and mosquitto.broker_pair(folder).certificate.exists():
            pairs["broker"] = mosquitto.broker_pair(folder)
        now = self._clock.now_us()
        return {name: self.authority.validity(pair).days_left(now) for name, pair in pairs.items()}

    def ending(self) -> int:
        """Devices that are enrolled, and whose last certificate ends within a month."""
        now = self._clock.now_us()
        last: dict[str, int] = {}
        for entry in self.registry.entries():
            if entry.revoked_at is None and entry.expires_at > now:
                last[entry.device] = max(entry.expires_at, last.get(entry.device, 0))
        soon = now + CERTIFICATE_WARN_DAYS * _DAY_US
        return sum(1 for expires_at in last.values() if expires_at < soon)

    def now_us(self) -> int:
        return self._clock.now_us()

    def server_context(self) -> ssl.SSLContext:
        """TLS of a listener that shows the gateway's certificate and may be shown a device's."""
        files = self.authority.paths
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(files.gateway.certificate, files.gateway.key)
        context.load_verify_locations(files.ca)
        context.verify_mode = ssl.CERT_OPTIONAL
        self._contexts.append(context)
        return context

    def broker_context(self) -> ssl.SSLContext:
        """The same for the broker: nobody comes in without a certificate."""
        context = self.server_context()
        context.verify_mode = ssl.CERT_REQUIRED
        return context


def _public_name(config: EnrolConfig) -> str:
    """How to name this gateway to a device."""
    if config.names:
        return config.names[0]
    return socket.gethostname() if config.host in _ANY_ADDRESS else config.host


def server_names(configured: Sequence[str], hosts: Sequence[str]) -> list[str]:
    """Under what a server of this machine is reached, for its certificate."""
    own = socket.gethostname()
    local = [] if "." in own else [f"{own}.local"]
    listening = [host for host in hosts if host not in _ANY_ADDRESS]
    found = [*configured, *listening, own, *local, "localhost", "127.0.0.1", "::1"]
    return list(dict.fromkeys(found))
