"""An external mosquitto: its configuration, and the files that say whom it lets in.

    headrace.conf   listener with mutual TLS; the user is the certificate's common name
    acl             a device's own topics (pattern %u); denied names; the gateway's everything
    crl.pem         revoked certificates
    ca.crt, broker.crt, broker.key

A new device needs no change: its certificate is signed by the CA, and the pattern fits its name. A
revoked one needs both files: the list refuses its next handshake, and the ACL takes its topics from
the connection that stands. mosquitto reads both at SIGHUP. A device that has got a certificate again is
not denied any more; its revoked ones stay on the list.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509

from gateway.enrol.authority import Authority
from gateway.enrol.files import write_private, write_public
from gateway.enrol.registry import Entry
from headrace.errors import StorageError
from headrace.pki.names import BROKER_NAME, CA_FILE, GATEWAY_NAME

ACL_FILE: Final = "acl"
CRL_FILE: Final = "crl.pem"
CONFIG_FILE: Final = "headrace.conf"

_CONFIG: Final = """\
# Written by `gateway mosquitto-config`. Include it in mosquitto.conf, or run mosquitto -c with it.
# Its files must be readable by mosquitto's user, also after a reload.
per_listener_settings false
listener {port}{bind}
cafile {folder}/ca.crt
certfile {folder}/broker.crt
keyfile {folder}/broker.key
crlfile {folder}/crl.pem
tls_version tlsv1.2
# The name in the certificate is the user; who has none does not get past the handshake.
require_certificate true
use_identity_as_username true
allow_anonymous false
acl_file {folder}/acl
# QoS 1 means: kept until the gateway has it on disk, over a restart of the broker too.
persistence true
persistence_location {data}/
autosave_interval 5
# Batches wait here while the gateway is away: bounded, and the devices hold the rest.
max_queued_messages 10000
max_queued_bytes 268435456
max_inflight_messages 1000
message_size_limit 8388608
"""

_ACL: Final = """\
# Written by the gateway; a change by hand is lost.
pattern write {root}/%u/data/+
pattern write {root}/%u/state
pattern write {root}/%u/model/reported
pattern read {root}/%u/ack
pattern read {root}/%u/nack
pattern read {root}/%u/model/#
"""


def write_config(
    folder: Path, authority: Authority, *, names: Sequence[str], port: int, bind: str, data: Path
) -> None:
    """Write the configuration, the broker's key and certificate, and the CA."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder}: {error}") from error
    key, certificate = authority.new_server(BROKER_NAME, names)
    write_private(folder / "broker.key", key)
    write_public(folder / "broker.crt", certificate)
    write_public(folder / CA_FILE, authority.ca_pem.encode())
    text = _CONFIG.format(
        port=port, bind=f" {bind}" if bind else "", folder=folder.resolve(), data=data.resolve()
    )
    write_public(folder / CONFIG_FILE, text.encode())


def write_access(
    folder: Path, authority: Authority, entries: Sequence[Entry], *, root: str
) -> bool:
    """Write ACL and revocation list as the registry has it; whether that changed what they say."""
    revoked = [
        (entry.serial, entry.revoked_at) for entry in entries if entry.revoked_at is not None
    ]
    text = acl(entries, root)
    if _stand(folder) == (text, {serial for serial, _ in revoked}):
        return False
    write_public(folder / ACL_FILE, text.encode())
    write_public(folder / CRL_FILE, authority.revocation_list(revoked))
    return True


def _stand(folder: Path) -> tuple[str, set[int]] | None:
    """The ACL and the revoked serials in the folder; None when they are not whole."""
    try:
        text = (folder / ACL_FILE).read_text(encoding="utf-8")
        listed = x509.load_pem_x509_crl((folder / CRL_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return text, {entry.serial_number for entry in listed}


def acl(entries: Sequence[Entry], root: str) -> str:
    """The ACL. A user's own lines are looked at before the patterns, so a deny there wins."""
    text = f"user {GATEWAY_NAME}\ntopic readwrite {root}/#\n\n"
    for device in denied(entries):
        text += f"user {device}\ntopic deny {root}/#\n\n"
    return text + _ACL.format(root=root)


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
