"""An external mosquitto: its configuration, and the files that say whom it lets in.

    headrace.conf   listener with mutual TLS; the user is the certificate's common name
    acl             a device's own topics (pattern %u); denied names; the gateway's everything
    crl.pem         revoked certificates
    ca.crt, broker.crt, broker.key
    passwords       hashes of those who come with a password instead (`gateway password`)
    revision        changes with any of these, and is written last: what watchers watch

A new device needs no change: its certificate is signed by the CA, and the pattern fits its name. A
revoked one needs both files: the list refuses its next handshake, and the ACL takes its topics from
the connection that stands (``expel`` ends it). mosquitto reads both at SIGHUP. A device that has got a
certificate again is not denied any more; its revoked ones stay on the list.

``mosquitto.conf`` beside this file is the configuration, with the paths of a Debian machine;
deploy/mosquitto shows it to people, and ``write_config`` puts other paths and ports in.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Final

from cryptography import x509

from gateway.broker.passwords import read_users, verify, write_user
from gateway.enrol.authority import Authority
from gateway.enrol.files import write_public
from gateway.enrol.paths import Pair
from gateway.enrol.registry import Entry
from headrace.errors import StorageError
from headrace.pki.names import BROKER_NAME, CA_FILE, OWN_NAMES
from headrace.wire import FORMATS

ACL_FILE: Final = "acl"
CRL_FILE: Final = "crl.pem"
CONFIG_FILE: Final = "headrace.conf"
REVISION_FILE: Final = "revision"
PASSWORDS_FILE: Final = "passwords"

_DEFAULT_FOLDER: Final = "/etc/mosquitto/headrace"
_DEFAULT_DATA: Final = "/var/lib/mosquitto/"
_DEFAULT_LISTENER: Final = "listener 8883\n"

#: What stands in the configuration where clients have certificates, and what where they have passwords.
_WITH_CERTIFICATES: Final = re.compile(r"^# Both sides show.*?(?=^acl_file)", re.S | re.M)
_WITH_USERS: Final = """\
# The broker shows a certificate of the site's CA, by which clients know it; they give user and password,
# and the user is the device of whose topics the ACL speaks.
certfile /etc/mosquitto/headrace/broker.crt
keyfile /etc/mosquitto/headrace/broker.key
tls_version tlsv1.2
allow_anonymous false
password_file /etc/mosquitto/headrace/passwords
"""

_ACL: Final = """\
# Written by the gateway; a change by hand is lost.
{data}
pattern write {root}/%u/state
pattern write {root}/%u/model/reported
pattern read {root}/%u/ack
pattern read {root}/%u/nack
pattern read {root}/%u/model/#
pattern write spBv1.0/+/NBIRTH/%u
pattern write spBv1.0/+/NDATA/%u
pattern write spBv1.0/+/NDEATH/%u
pattern write spBv1.0/+/DBIRTH/%u/+
pattern write spBv1.0/+/DDATA/%u/+
pattern write spBv1.0/+/DDEATH/%u/+
pattern read spBv1.0/+/NCMD/%u
pattern read spBv1.0/+/DCMD/%u/+
pattern read spBv1.0/STATE/+
"""


def broker_pair(folder: Path) -> Pair:
    """Key and certificate of the broker."""
    return Pair(folder / "broker.crt", folder / "broker.key")


@dataclass(frozen=True, slots=True)
class OwnUser:
    """The gateway as a client with user and password."""

    name: str
    password: str


def write_config(
    folder: Path, *, port: int, bind: str, data: Path, by_password: bool = False
) -> None:
    """Write the configuration, for a mosquitto that reads its files where they are written."""
    text = files("gateway.enrol").joinpath("mosquitto.conf").read_text(encoding="utf-8")
    if by_password:
        text = _WITH_CERTIFICATES.sub(_WITH_USERS, text)
    listener = f"listener {port} {bind}".rstrip() + "\n"
    text = text.replace(_DEFAULT_LISTENER, listener)
    text = text.replace(_DEFAULT_FOLDER, str(folder.resolve()))
    text = text.replace(_DEFAULT_DATA, f"{data.resolve()}/")
    _make(folder)
    write_public(folder / CONFIG_FILE, text.encode())


def write_files(
    folder: Path,
    authority: Authority,
    entries: Sequence[Entry],
    *,
    root: str,
    names: Sequence[str],
    own: OwnUser | None = None,
) -> bool:
    """Bring CA, broker's certificate, ACL and revocation list up to date; whether one has changed."""
    _make(folder)
    changed = authority.ensure_server(broker_pair(folder), BROKER_NAME, names)
    changed |= _write_if_other(folder / CA_FILE, authority.ca_pem.encode())
    changed |= _write_access(folder, authority, acl(entries, root, own), entries)
    parts = [CA_FILE, broker_pair(folder).certificate.name, ACL_FILE, CRL_FILE]
    if own is not None:
        _keep_own_password(folder / PASSWORDS_FILE, own)
        parts.append(PASSWORDS_FILE)
    revision = hashlib.sha256(b"".join((folder / part).read_bytes() for part in parts))
    changed |= revision.hexdigest() != _read(folder / REVISION_FILE).strip()
    _write_if_other(folder / REVISION_FILE, revision.hexdigest().encode() + b"\n")
    return changed


def _keep_own_password(path: Path, own: OwnUser) -> None:
    stored = read_users(path).get(own.name, "") if path.exists() else ""
    if not verify(own.password.encode(), stored):
        write_user(path, own.name, own.password)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def _write_access(folder: Path, authority: Authority, text: str, entries: Sequence[Entry]) -> bool:
    revoked = [
        (entry.serial, entry.revoked_at) for entry in entries if entry.revoked_at is not None
    ]
    changed = _write_if_other(folder / ACL_FILE, text.encode())
    listed, dated = _listed(folder / CRL_FILE)
    if listed == {serial for serial, _ in revoked}:
        return changed
    write_public(folder / CRL_FILE, authority.revocation_list(revoked, after=dated))
    return True


def _listed(path: Path) -> tuple[set[int] | None, datetime | None]:
    """The serials on the list that is there, and its date; nothing where it is not whole."""
    try:
        found = x509.load_pem_x509_crl(path.read_bytes())
    except (OSError, ValueError):
        return None, None
    return {entry.serial_number for entry in found}, found.last_update_utc


def _write_if_other(path: Path, data: bytes) -> bool:
    try:
        if path.read_bytes() == data:
            return False
    except OSError:
        pass  # not there, or not ours to read: writing says which
    write_public(path, data)
    return True


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder}: {error}", hint="make it for the gateway's user") from error


def acl(entries: Sequence[Entry], root: str, own: OwnUser | None = None) -> str:
    """The ACL. A user's own lines are looked at before the patterns, so a deny there wins."""
    names = (*OWN_NAMES, own.name) if own is not None else OWN_NAMES
    text = "".join(
        f"user {name}\ntopic readwrite {root}/#\ntopic readwrite spBv1.0/#\n\n" for name in names
    )
    text += f"user {BROKER_NAME}\ntopic read $SYS/broker/version\n\n"
    for device in denied(entries):
        text += f"user {device}\ntopic deny {root}/#\ntopic deny spBv1.0/#\n\n"
    # Each format by its name: with a wildcard a device could think up topics, and retain a message on each.
    data = "\n".join(f"pattern write {root}/%u/data/{name}" for name in FORMATS)
    return text + _ACL.format(root=root, data=data)


def denied(entries: Sequence[Entry]) -> list[str]:
    """Devices of which every certificate is revoked."""
    good = {entry.device for entry in entries if entry.revoked_at is None}
    return sorted({entry.device for entry in entries} - good)


def reload(pid_file: Path) -> None:
    """Tell mosquitto to read its files again.

    Raises:
        StorageError: it could not be told; the files are written all the same.
    """
    try:
        os.kill(int(pid_file.read_text(encoding="ascii")), signal.SIGHUP)
    except (OSError, ValueError) as error:
        raise StorageError(
            f"mosquitto was not told to reload ({pid_file}: {error})",
            hint="reload it yourself, or revoked devices stay connected: systemctl reload mosquitto",
        ) from error
