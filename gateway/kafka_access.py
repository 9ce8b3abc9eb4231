"""How to get into a Kafka cluster: the same keys for the sink and for the source."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from headrace.config import FaultList
from headrace.tls_hints import tls_hint

if TYPE_CHECKING:
    import logging

    from confluent_kafka import KafkaError


# Without slots: of the bases of a class one at most may have them, and SinkSettings has.
@dataclass(frozen=True, kw_only=True)
class KafkaAccess:
    """Base of the settings of everything that connects to a cluster."""

    brokers: Annotated[str, Meta(min_length=1)] = "127.0.0.1:9092"
    tls: bool = False
    cafile: Path | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    sasl: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = ""
    username: str = ""
    password_file: Path | None = None

    @property
    def security(self) -> str:
        """The protocol's name at librdkafka."""
        return f"{'sasl_' if self.sasl else ''}{'ssl' if self.tls else 'plaintext'}"


def check_access(settings: KafkaAccess, key: str, found: FaultList) -> None:
    """Add what single fields cannot say."""
    found.add_missing_files(settings, key, "cafile", "certfile", "keyfile", "password_file")
    if (settings.certfile is None) != (settings.keyfile is None):
        found.add(f"{key}.certfile", "certfile and keyfile belong together; one of them is missing")
    if settings.cafile is not None and not settings.tls:
        found.add(f"{key}.tls", "must be true where cafile is given")
    if settings.sasl and not (settings.username and settings.password_file):
        found.add(f"{key}.sasl", "needs username and password_file")
    if find_spec("confluent_kafka") is None:
        found.add(
            f"{key}.plugin", "confluent_kafka is not installed: pip install 'headrace[kafka]'"
        )


class Complaints:
    """What librdkafka says between its answers, which is why a broker cannot be reached."""

    def __init__(self) -> None:
        self._text = ""

    def __call__(self, error: KafkaError) -> None:
        """The newest counts; that all brokers are down tells less than what was said of one."""
        if not self._text or error.name() != "_ALL_BROKERS_DOWN":
            self._text = error.str()[:300]

    def take(self, reason: str) -> tuple[str, str]:
        """A failure's reason with what was said since the last one, and what to do about it."""
        said, self._text = self._text, ""
        if said and said not in reason:
            reason = f"{reason}; {said}"
        if "uthentication" in reason:
            return reason, "check sasl, username and password_file"
        return reason, tls_hint(reason)


def access_options(
    settings: KafkaAccess, *, password: str, logger: logging.Logger, complaints: Complaints
) -> dict[str, Any]:
    """librdkafka's settings for it."""
    options: dict[str, Any] = {
        "bootstrap.servers": settings.brokers,
        "client.id": "headrace-gateway",
        "security.protocol": settings.security,
        "error_cb": complaints,
        "logger": logger,
        # It repeats every second that a broker is away; sink and source say so once.
        "log_level": 2,
    }
    files = {"ssl.ca.location": settings.cafile, "ssl.certificate.location": settings.certfile,
             "ssl.key.location": settings.keyfile}  # fmt: skip
    options |= {name: str(path) for name, path in files.items() if path is not None}
    if settings.sasl:
        options |= {"sasl.mechanism": settings.sasl, "sasl.username": settings.username,
                    "sasl.password": password}  # fmt: skip
    return options
