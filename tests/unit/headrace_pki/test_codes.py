"""The one-time code: typed by people, and judged by the device before it sends anything."""

from __future__ import annotations

import re

import pytest

from headrace.errors import UsageError
from headrace.pki.codes import Code, new_code, parse_code

CA = b"the CA's certificate"


def test_a_code_reads_back_however_it_is_typed():
    """Lower case, blanks, no dashes, O for 0, I and L for 1."""
    code = new_code(CA, bytes([0, 0x44, 0x32, 0xFF, 1]))
    text = str(code)
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}", text)
    typed = text.replace("0", "o").replace("1", "l").replace("-", " ").lower()
    assert parse_code(typed) == parse_code(text.replace("-", "")) == code


def test_the_check_fits_this_ca_and_this_secret_only():
    """Who does not know the secret cannot prepare a CA that fits."""
    code = new_code(CA)
    assert code.fits(CA)
    assert not code.fits(CA + b"!")
    assert not Code(bytes(5), code.check).fits(CA)


def test_two_codes_share_nothing():
    """Neither secret nor check."""
    one, two = new_code(CA), new_code(CA)
    assert one.secret != two.secret
    assert one.check != two.check


@pytest.mark.parametrize("text", ["", "4K7Q", "4K7Q-9RTX-M2PD-0ZHU", "4K7Q-9RTX-M2PD-0ZHN-1"])
def test_what_is_no_code_is_said_at_once(text):
    """Before anything is connected."""
    with pytest.raises(UsageError, match="gateway enroll"):
        parse_code(text)
