"""The desk: decides who gets a certificate, and writes down whom it gave one.

What is refused, and how it heals:

===============================  ============  ====================================================
a code that nobody knows         bad_code      counted per source; a new code
a code that is over              bad_code      a new code
a code used by another key       bad_code      a new code; the same key may ask again while it lives
the name belongs to another key  taken         `gateway revoke`, or `gateway enroll --replace`
another name than the code's     wrong_device  a code for that name
===============================  ============  ====================================================

That one key may present its code twice is what heals an answer that was lost on the way.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from gateway.enrol.authority import Authority
from gateway.enrol.certificates import common_name, key_fingerprint, public_key_of
from gateway.enrol.limiter import GuessLimiter
from gateway.enrol.registry import Entry, OpenCode, Registry
from headrace.batch import is_device_id
from headrace.clock import Clock
from headrace.errors import EnrolmentError, UsageError
from headrace.limits.enrolment import (
    ENROL_MAX_CERTIFICATES,
    ENROL_MAX_CODE_USES,
    ENROL_MAX_OPEN_CODES,
)
from headrace.pki.codes import SECRET_BYTES, Code, new_code
from headrace.pki.messages import Application, Issued, Renewal, Site

_audit = logging.getLogger("gateway.enrol.audit")
_NEW_CODE: Final = "on the gateway, `gateway enroll DEVICE` prints a new one"


@dataclass(frozen=True, slots=True)
class Offer:
    """What every device is told beside its certificate."""

    certificate_days: int
    broker_host: str
    broker_port: int
    topic_root: str
    model_root: str


class Desk:
    """Used by one thread at a time: the endpoint's worker, or a command.

    Args:
        changed: called after certificates were revoked or given out.
    """

    def __init__(
        self,
        authority: Authority,
        registry: Registry,
        offer: Offer,
        clock: Clock,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._authority = authority
        self._registry = registry
        self._offer = offer
        self._clock = clock
        self._changed = changed
        self._limiter = GuessLimiter()
        self._lock = threading.Lock()

    def site(self) -> Site:
        return Site(self._authority.ca_pem, self._clock.now_us())

    def open_code(self, device: str, *, valid_s: float, replace_key: bool) -> Code:
        """A new one-time code for a device.

        Raises:
            UsageError: the name is no device id, or too many codes are open.
        """
        if not is_device_id(device):
            raise UsageError(
                f"not a device id: {device!r}; expected letters, digits, '.', '_' and '-', at most 64"
            )
        now = self._clock.now_us()
        if self._registry.open_codes(now) >= ENROL_MAX_OPEN_CODES:
            raise UsageError(
                f"{ENROL_MAX_OPEN_CODES} codes are open",
                hint="wait until they are used or over; give out shorter ones with --valid",
            )
        code = new_code(self._authority.ca_der)
        expires_at = now + round(valid_s * 1_000_000)
        self._registry.add_code(
            code.secret, device, now=now, expires_at=expires_at, replace_key=replace_key
        )
        _audit.info("code for %s opened", device)
        return code

    def enrol(self, application: Application, source: str) -> Issued:
        """Give out a certificate for a code.

        Raises:
            EnrolmentError: with the reason.
        """
        with self._lock:
            try:
                code = self._redeem(application.secret, source)
                return self._enrol(application, code, source)
            except EnrolmentError as error:
                _audit.warning("refused %s: %s: %s", source, error.reason, error.message)
                raise

    def renew(self, renewal: Renewal, peer: x509.Certificate, source: str) -> Issued:
        """Give out the next certificate to a device that has shown its present one.

        Raises:
            EnrolmentError: that one is revoked, or the request is not sound.
        """
        with self._lock:
            device = common_name(peer)
            refusal = self.refusal(device, peer.serial_number)
            if refusal:
                _audit.warning("refused %s: renewal for %s: %s", source, device, refusal)
                raise EnrolmentError("revoked", refusal, hint=f"enrol it again: {_NEW_CODE}")
            self._check_count(device)
            issued = self._issue(renewal.csr, device, code=None)
            _audit.info("renewed %s from %s", device, source)
            return issued

    def _check_count(self, device: str) -> None:
        now = self._clock.now_us()
        good = [
            entry
            for entry in self._registry.entries_of(device)
            if entry.revoked_at is None and entry.expires_at > now
        ]
        if len(good) >= ENROL_MAX_CERTIFICATES:
            raise EnrolmentError(
                "too_many",
                f"{device} has {len(good)} certificates that are good",
                hint="does it renew in a loop? a device needs one a year",
            )

    def refusal(self, device: str, serial: int) -> str:
        """Why a certificate that the CA has signed is not good any more; empty when it is."""
        return refusal(self._registry, device, serial)

    def _redeem(self, secret_hex: str, source: str) -> OpenCode:
        """The open code of a secret; a wrong one counts against its source."""
        mono, now = self._clock.monotonic(), self._clock.now_us()
        wait_s = self._limiter.wait_s(source, mono)
        if wait_s > 0:
            raise EnrolmentError(
                "too_many", "too many wrong codes", hint=f"wait {wait_s / 60:.0f} minutes"
            )
        secret = _secret(secret_hex)
        code = self._registry.find_code(secret) if secret is not None else None
        if code is None:
            self._limiter.wrong(source, mono)
            raise EnrolmentError(
                "bad_code",
                "this code is not known here: mistyped, or replaced by a newer one",
                hint=_NEW_CODE,
            )
        if code.expires_at <= now:
            raise EnrolmentError("bad_code", "this code is over", hint=_NEW_CODE)
        if code.uses >= ENROL_MAX_CODE_USES:
            raise EnrolmentError("bad_code", "this code was tried too often", hint=_NEW_CODE)
        self._registry.count_use(code)
        return code

    def _enrol(self, application: Application, code: OpenCode, source: str) -> Issued:
        device = code.device
        if application.device and application.device != device:
            raise EnrolmentError(
                "wrong_device",
                f"the code is not for {application.device}",
                hint=f"on the gateway: gateway enroll {application.device}",
            )
        fingerprint = key_fingerprint(public_key_of(application.csr))
        if code.used_by is not None and code.used_by != fingerprint:
            raise EnrolmentError("bad_code", "this code has been used", hint=_NEW_CODE)
        if not code.replace_key and self._is_taken(device, fingerprint):
            raise EnrolmentError(
                "taken",
                f"{device} is enrolled with another key",
                hint=f"on the gateway: `gateway enroll {device} --replace` if this device takes its "
                f"place, `gateway revoke {device}` if the other one is lost",
            )
        issued = self._issue(application.csr, device, code)
        _audit.info("enrolled %s from %s", device, source)
        return issued

    def _is_taken(self, device: str, fingerprint: bytes) -> bool:
        """Whether the name is somebody else's: a device that renews has several keys in time."""
        now = self._clock.now_us()
        keys = {
            entry.key
            for entry in self._registry.entries_of(device)
            if entry.revoked_at is None and entry.expires_at > now
        }
        return bool(keys) and fingerprint not in keys

    def _issue(self, csr: str, device: str, code: OpenCode | None) -> Issued:
        certificate = self._authority.issue(csr, device, self._offer.certificate_days)
        now = self._clock.now_us()
        expires_at = round(certificate.not_valid_after_utc.timestamp()) * 1_000_000
        key = key_fingerprint(public_key_of(csr))
        entry = Entry(certificate.serial_number, device, key, now, expires_at, None)
        self._registry.add(entry, code=code, now=now)
        self._changed()
        return Issued(
            device=device,
            certificate=certificate.public_bytes(serialization.Encoding.PEM).decode(),
            ca=self._authority.ca_pem,
            expires=expires_at,
            broker_host=self._offer.broker_host,
            broker_port=self._offer.broker_port,
            topic_root=self._offer.topic_root,
            model_root=self._offer.model_root,
        )


def refusal(registry: Registry, device: str, serial: int) -> str:
    """Why a certificate is not let in, by what is written down; empty when it is."""
    entry = registry.entry(serial)
    if entry is None:
        return f"this certificate of {device} is not known here"
    if entry.revoked_at is not None:
        return f"the certificate of {device} is revoked"
    return "" if entry.device == device else f"the certificate belongs to {entry.device}"


def _secret(secret_hex: str) -> bytes | None:
    try:
        secret = bytes.fromhex(secret_hex)
    except ValueError:
        return None
    return secret if len(secret) == SECRET_BYTES else None
