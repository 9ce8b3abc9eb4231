"""Codes, certificates, revocation."""

from __future__ import annotations

from typing import Final

from headrace.limits.sizes import KIB

#: Seconds that a one-time code lives (``gateway enroll --valid``), and the longest that may be asked
#: for: time to walk to the device; a code in a drawer is a key under the mat.
ENROL_CODE_VALID_S: Final = 15 * 60
ENROL_CODE_MAX_VALID_S: Final = 7 * 24 * 3600

#: Codes that wait for their device at once: a pallet of devices, not a dictionary for guessers.
ENROL_MAX_OPEN_CODES: Final = 1_000

#: Wrong codes within the window, per source address and in all, before everybody waits for the window
#: to pass. With 1,000 codes open a guess is right once in 10^9; 200 per ten minutes need a century.
ENROL_WINDOW_S: Final = 600
ENROL_MAX_WRONG_PER_SOURCE: Final = 10
ENROL_MAX_WRONG: Final = 200

#: Source addresses remembered for that; beyond it the oldest is forgotten (the sum still counts).
ENROL_MAX_SOURCES: Final = 1_000

#: Times that a right code may be presented with something else wrong before it is used up.
ENROL_MAX_CODE_USES: Final = 10

#: Bytes of a request's head and body (a CSR is 500 bytes), seconds for a whole exchange, and
#: connections at once; a handshake costs the gateway about 1 ms and 50 kB.
ENROL_MAX_HEAD_BYTES: Final = 8 * KIB
ENROL_MAX_BODY_BYTES: Final = 16 * KIB
ENROL_TIMEOUT_S: Final = 15.0
ENROL_MAX_CONNECTIONS: Final = 32

#: Days of a device's certificate (``enrol.certificate_days``), of the gateway's own, and of the site's
#: CA, which outlives the devices.
CERTIFICATE_DAYS: Final = 365
GATEWAY_CERTIFICATE_DAYS: Final = 825
CA_DAYS: Final = 20 * 365

#: The share of a certificate's life that is left when it is renewed: of a year four months, in which a
#: device that is switched off for the winter comes back, and a gateway that is broken is noticed.
RENEW_WHEN_LEFT: Final = 1 / 3

#: Seconds between two looks at the certificates; after a renewal that failed, from the first pause
#: (doubled each time) up to a day; and for one attempt, which starts a Python on a Pi.
RENEW_CHECK_S: Final = 3600.0
RENEW_RETRY_FIRST_S: Final = 60.0
RENEW_RETRY_MAX_S: Final = 24 * 3600.0
RENEW_ATTEMPT_S: Final = 120.0

#: Days before the end from which a certificate that could not be renewed is warned of.
CERTIFICATE_WARN_DAYS: Final = 30.0

#: Certificates of one device that are good at once: each renewal adds one, and the oldest end by
#: themselves. A device that renews in a loop must not fill the registry.
ENROL_MAX_CERTIFICATES: Final = 20

#: Seconds for mosquitto to take up a revocation, the pause between two looks whether it has, and for one
#: such look.
EXPEL_TIMEOUT_S: Final = 15.0
EXPEL_PAUSE_S: Final = 0.1
EXPEL_LOOK_S: Final = 5.0

#: Hours that certificates are dated back, for devices whose clock is behind; and seconds that a
#: device's clock may differ from the gateway's at enrolment.
CERTIFICATE_BACKDATE_H: Final = 24
ENROL_MAX_CLOCK_DIFFERENCE_S: Final = 3600

#: Seconds until a running gateway notices a revocation that was made on its command line.
REVOCATION_POLL_S: Final = 0.25
