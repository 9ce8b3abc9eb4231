"""What our clients over paho share: the broker's password and certificates, as they stand in their files.

Both are replaced while programs run. paho takes them once, so they are read again before each connection; files
that are just being exchanged (a key without its certificate) leave what was good before.
"""

from __future__ import annotations

import logging
import ssl

import paho.mqtt.client as mqtt

from gateway.broker.config import BrokerConfig

logger = logging.getLogger(__name__)


class Credentials:
    """Of one client; ``renew`` is for its ``on_pre_connect``."""

    def __init__(self, client: mqtt.Client, config: BrokerConfig) -> None:
        self._client = client
        self._config = config
        self._context = tls_context(config)
        self._set_password()
        if self._context is not None:
            client.tls_set_context(self._context)

    def renew(self) -> None:
        """Take up what has changed."""
        try:
            self._set_password()
            if self._context is not None:
                load_files(self._context, self._config)
        except OSError as error:  # those of TLS are among them
            logger.warning("going on with the credentials of before: %s", error)

    def _set_password(self) -> None:
        config = self._config
        if config.username:
            path = config.password_file
            password = path.read_text(encoding="utf-8").strip() if path is not None else None
            self._client.username_pw_set(config.username, password)


def tls_context(config: BrokerConfig) -> ssl.SSLContext | None:
    """TLS of a client as the configuration has it; None where it has none."""
    if not config.uses_tls:
        return None
    context = ssl.create_default_context(cafile=str(config.cafile) if config.cafile else None)
    load_files(context, config)
    return context


def load_files(context: ssl.SSLContext, config: BrokerConfig) -> None:
    """Show the certificate that is in its file now, and trust the CA that is."""
    if config.cafile is not None:
        context.load_verify_locations(config.cafile)
    if config.certfile is not None and config.keyfile is not None:
        context.load_cert_chain(config.certfile, config.keyfile)
