"""Who sends a request, by its headers."""

from __future__ import annotations

import base64

import pytest

from gateway.api.credentials import secret_of
from headrace.errors import RequestError


@pytest.mark.parametrize(
    ("authorization", "password"),
    [
        ("Token s", ""), ("bearer  s ", ""), ("Basic " + base64.b64encode(b"any:s").decode(), ""),
        ("", "s"),
    ],
)  # fmt: skip
def test_every_client_says_it_in_its_own_way(authorization: str, password: str) -> None:
    """InfluxDB 1, 2, 3, and those that put it into the address."""
    assert secret_of(authorization, password) == "s"


@pytest.mark.parametrize(
    "authorization", ["", "Token", "Digest x", "Basic !", "Basic \xaf\xab", "Basic /w==", "Basic Y"]
)
def test_what_is_no_authorization_is_told_so(authorization: str) -> None:
    """401 and never a crash: letters outside ASCII once were one (found by fuzzing)."""
    with pytest.raises(RequestError) as caught:
        secret_of(authorization, "")
    assert caught.value.status == 401
