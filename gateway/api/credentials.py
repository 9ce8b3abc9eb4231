"""Where a request says who sends it. Pure.

| client | how |
|---|---|
| InfluxDB 2 | ``Authorization: Token SECRET`` |
| InfluxDB 3, most others | ``Authorization: Bearer SECRET`` |
| InfluxDB 1 | ``Authorization: Basic`` with any user, or ``?u=…&p=…``; the password is the token |
"""

from __future__ import annotations

import base64

from gateway.api.tokens import Token
from headrace.batch import is_device_id
from headrace.errors import RequestError

DEVICE_HEADER = "Headrace-Device"


def secret_of(authorization: str, password: str) -> str:
    """The token that a request shows.

    Raises:
        RequestError: 401, there is none.
    """
    scheme, _, value = authorization.strip().partition(" ")
    value = value.strip()
    match scheme.lower():
        case "token" | "bearer" if value:
            return value
        case "basic":
            try:
                return base64.b64decode(value, validate=True).decode("utf-8").partition(":")[2]
            except ValueError as error:  # not base64, not even ASCII, or not UTF-8 behind it
                raise RequestError(401, "not a Basic authorization") from error
        case "" if password:
            return password
    raise RequestError(
        401,
        "a token is needed",
        hint="Authorization: Token …; `gateway token add DEVICE` makes one",
    )


def device_of(token: Token, wanted: str) -> str | None:
    """The device that a request writes for; None where only its lines can say.

    Args:
        wanted: the device that the request names, or nothing.

    Raises:
        RequestError: 400 for what is no device, 403 for one that is not the token's.
    """
    if not wanted:
        return token.one_device
    if not is_device_id(wanted):
        raise RequestError(
            400, f"{wanted[:80]!r} is no device id",
            hint="1 to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit",
        )  # fmt: skip
    check_allowed(token, wanted)
    return wanted


def check_allowed(token: Token, device: str) -> None:
    """Raises:
    RequestError: 403, the device is not the token's.
    """
    if not token.allows(device):
        raise RequestError(403, f"this token may write for {token.devices!r}, not for {device!r}")
