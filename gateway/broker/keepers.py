"""Who a client at the door is: by the certificate that TLS has proved, or by user and password.

Both give a ``Guest``, whose name decides about his topics, and can say later whether he is still
welcome: when a certificate is revoked, or a line of the password file changed, he is cut off.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from amqtt.mqtt.connect import ConnectPacket
from cryptography import x509
from cryptography.x509.oid import NameOID

from gateway.broker.auth import Admission
from gateway.broker.passwords import PasswordFile, hashed, new_password, verify
from headrace.errors import StorageError
from headrace.pki.names import COMMANDS_NAME, OWN_NAMES


@dataclass(frozen=True, slots=True)
class Guest:
    """Who came in, and by what: the certificate's serial number in hex, or the password's hash."""

    name: str
    proof: str


class Refused(Exception):
    """This client does not come in; the reason is for the log, the client learns "not authorized"."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Keeper(Protocol):
    """Knows who may come in."""

    async def identify(self, tls: ssl.SSLObject | None, packet: ConnectPacket) -> Guest:
        """Who it is.

        Raises:
            Refused: nobody who may come in.
        """
        ...

    def refusal(self, guest: Guest) -> str:
        """Why a guest may not stay; empty when he may."""
        ...

    def changed(self) -> bool:
        """Whether answers may differ from those given before the last call."""
        ...


class OpenKeeper:
    """``auth = "none"``: everybody on this machine, without a name."""

    async def identify(self, tls: ssl.SSLObject | None, packet: ConnectPacket) -> Guest:
        del tls, packet
        return Guest("", "")

    def refusal(self, guest: Guest) -> str:
        del guest
        return ""

    def changed(self) -> bool:
        return False


class CertificateKeeper:
    """By certificates of our CA, which the handshake has proved."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    async def identify(self, tls: ssl.SSLObject | None, packet: ConnectPacket) -> Guest:
        del packet
        shown = tls.getpeercert(binary_form=True) if tls is not None else None
        if shown is None:
            raise Refused("certificate", "it has shown no certificate")
        certificate = x509.load_der_x509_certificate(shown)
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        guest = Guest(str(names[0].value) if names else "", f"{certificate.serial_number:x}")
        refusal = self.refusal(guest)
        if refusal:
            raise Refused("certificate", refusal)
        return guest

    def refusal(self, guest: Guest) -> str:
        if guest.name in OWN_NAMES:
            return ""
        return self._admission.refusal(guest.name, int(guest.proof, 16))

    def changed(self) -> bool:
        return self._admission.changed()


class PasswordKeeper:
    """By a password file. The gateway's own commands have a secret that lies beside its journal.

    Args:
        own: where that secret is; made here.
    """

    def __init__(self, path: Path, own: Path) -> None:
        self._file = PasswordFile(path)
        self._changed = self._file.refresh()
        self._own = hashed(_own_secret(own))

    async def identify(self, tls: ssl.SSLObject | None, packet: ConnectPacket) -> Guest:
        del tls
        user, password = packet.username or "", _bytes(packet.password)
        # Who has just been given a password comes in with it, before the door looks again.
        self._changed |= self._file.refresh()
        stored = self._stored(user)
        if not user or password is None:
            raise Refused("password", "it gave no user or no password")
        # A name that is not known costs as much as a wrong password.
        right = await asyncio.to_thread(verify, password, stored or self._own)
        if not right or not stored:
            raise Refused("password", f"wrong user or password for {user!r}")
        return Guest(user, stored)

    def refusal(self, guest: Guest) -> str:
        if self._stored(guest.name) == guest.proof:
            return ""
        return f"the password of {guest.name} has been changed or taken away"

    def changed(self) -> bool:
        changed, self._changed = self._changed | self._file.refresh(), False
        return changed

    def _stored(self, user: str) -> str:
        return self._own if user == COMMANDS_NAME else self._file.users.get(user, "")


def _bytes(password: str | bytes | None) -> bytes | None:
    return password.encode() if isinstance(password, str) else password


def _own_secret(path: Path) -> str:
    """The secret of the gateway's commands, for whoever may read the gateway's data."""
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(new_password(), encoding="utf-8")
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise StorageError(
            f"{path}: {error}", hint="run this as the user of the gateway"
        ) from error
