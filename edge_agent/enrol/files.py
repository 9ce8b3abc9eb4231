"""The folder with key, certificate and CA: each file whole or not there.

Key and certificate change together when a certificate is renewed, and a power cut may come between any
two steps. So the next pair is written beside the present one, ``device.key.next`` before the gateway is
asked and ``device.crt.next`` when it has answered; from there on the pair has changed, and ``settle``
moves first the key and then the certificate to its place, now or at the next start.

================  ================  ==============================================================
device.key.next   device.crt.next   what it means
================  ================  ==============================================================
there             –                 asked and not answered; the key is used for the next attempt
there             there             answered: move both
–                 there             the key has been moved: move the certificate
================  ================  ==============================================================
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from headrace.errors import StorageError
from headrace.pki.messages import Issued
from headrace.pki.names import (
    CA_FILE,
    DEVICE_CERTIFICATE_FILE,
    DEVICE_KEY_FILE,
    MODEL_ROOT_FILE,
)
from headrace.pki.validity import Validity, read_validity


def validity_of(certificate: Path) -> Validity:
    """When a certificate ends.

    Raises:
        StorageError: it cannot be read.
    """
    try:
        return read_validity(certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise StorageError(f"{certificate}: {error}", hint="enrol again with a code") from error


@dataclass(frozen=True, slots=True)
class DeviceFiles:
    """Where things lie below one folder."""

    folder: Path

    @property
    def key(self) -> Path:
        return self.folder / DEVICE_KEY_FILE

    @property
    def certificate(self) -> Path:
        return self.folder / DEVICE_CERTIFICATE_FILE

    @property
    def ca(self) -> Path:
        return self.folder / CA_FILE

    @property
    def model_root(self) -> Path:
        return self.folder / MODEL_ROOT_FILE

    @property
    def next_key(self) -> Path:
        return self.folder / f"{DEVICE_KEY_FILE}.next"

    @property
    def next_certificate(self) -> Path:
        return self.folder / f"{DEVICE_CERTIFICATE_FILE}.next"

    def keep_key(self, pem: bytes) -> None:
        """Write the key, for its owner alone, before anything is asked of the gateway.

        So an attempt that is cut off goes on with the same key, which the gateway recognises.
        """
        self._write(self.key, pem, 0o600)

    def keep(self, issued: Issued) -> None:
        """Write what the gateway gave; the certificate last, because it says that all is there."""
        self._keep_trust(issued)
        self._write(self.certificate, issued.certificate.encode(), 0o644)
        self.next_certificate.unlink(missing_ok=True)

    def keep_next_key(self, pem: bytes) -> None:
        """Write the key of the next certificate, before anything is asked of the gateway."""
        self._write(self.next_key, pem, 0o600)

    def keep_next(self, issued: Issued) -> None:
        """Write what the gateway gave for the next key, and take it up."""
        self._keep_trust(issued)
        self._write(self.next_certificate, issued.certificate.encode(), 0o644)
        self.settle()

    def settle(self) -> None:
        """Finish a change that was cut off; without one, nothing happens.

        Raises:
            StorageError: the files cannot be moved.
        """
        try:
            if self.next_certificate.exists():
                if self.next_key.exists():
                    self.next_key.replace(self.key)
                self.next_certificate.replace(self.certificate)
        except OSError as error:
            raise StorageError(f"{self.folder} cannot be written: {error}") from error

    def _keep_trust(self, issued: Issued) -> None:
        self._write(self.ca, issued.ca.encode(), 0o644)
        if issued.model_root:
            self._write(self.model_root, issued.model_root.encode(), 0o644)

    def adopt_owner(self) -> None:
        """Give them to the owner of the folder around: `sudo edge-agent enroll` writes for a service."""
        if os.geteuid() != 0:
            return
        owner = self.folder.absolute().parent.stat()
        for path in (self.folder, self.key, self.ca, self.model_root, self.certificate):
            if path.exists():
                os.chown(path, owner.st_uid, owner.st_gid)

    def _write(self, path: Path, data: bytes, mode: int) -> None:
        part = path.with_name(path.name + ".part")
        try:
            self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            part.unlink(missing_ok=True)
            with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            part.replace(path)
        except OSError as error:
            raise StorageError(
                f"{path} cannot be written: {error}",
                hint="run this with sudo, or choose a folder with --out",
            ) from error
