"""TLS of a listener whose certificate is renewed in its files, by certbot or by hand.

The files are looked at in each handshake, so a client that comes after the renewal is shown the new
certificate, and nobody has to be told. Files that do not fit (a key without its certificate, because they are
just being exchanged) leave what was good before. Connections that stand keep what they were shown.
"""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from headrace.errors import StorageError
from headrace.logs import Condition

logger = logging.getLogger(__name__)


def renewed_context(certfile: Path, keyfile: Path) -> ssl.SSLContext:
    """A context that shows what is in the files.

    Raises:
        StorageError: they cannot be read, or do not fit; another start may find that they do.
    """
    try:
        return _Renewed(certfile, keyfile).context
    except OSError as error:  # those of TLS are among them
        raise StorageError(
            f"{certfile} and {keyfile} cannot be used: {error}",
            hint="expected a certificate and its key, both PEM and the key without a password",
        ) from error


class _Renewed:
    def __init__(self, certfile: Path, keyfile: Path) -> None:
        self._files = (certfile, keyfile)
        self._condition = Condition(logger, f"certificate {certfile}")
        self._seen = self._stamps()
        self._now = self.context = self._read()
        self.context.sni_callback = self._handshake

    def _handshake(self, connection: ssl.SSLObject, _name: str | None, _context: object) -> None:
        """Called with or without a server name, before a certificate is shown."""
        try:
            stamps = self._stamps()
            if stamps != self._seen:
                self._now = self._read()
                self._seen = stamps
                self._condition.good()
                logger.info("showing the renewed certificate %s", self._files[0])
        except OSError as error:  # those of TLS are among them
            self._condition.bad(f"going on with the one of before: {error}")
        connection.context = self._now

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*self._files, password="")  # nobody is here to be asked for one
        return context

    def _stamps(self) -> tuple[tuple[int, int], ...]:
        """Size is not enough and times are coarse: an exchanged file is another file."""
        found = [path.stat() for path in self._files]
        return tuple((each.st_ino, each.st_mtime_ns) for each in found)
