"""How many connections, from where, and how fast."""

from __future__ import annotations

import pytest

from gateway.broker.crowd import Crowd, network_of
from headrace.limits.broker import BROKER_CONNECTS_BURST, BROKER_MAX_KNOCKING_PER_ADDRESS


def come(crowd: Crowd, address: str, now: float = 1.0) -> str:
    """Somebody arrives and says who he is."""
    reason = crowd.arrives(address, now)
    if not reason:
        crowd.admitted(address)
    return reason


def test_a_place_is_free_again_when_its_holder_leaves():
    """In all, and for each address."""
    crowd = Crowd(3, 2)
    assert [come(crowd, "10.0.0.1") for _ in range(3)] == ["", "", "address"]
    assert [come(crowd, "10.0.0.2") for _ in range(2)] == ["", "full"]
    crowd.leaves("10.0.0.1")
    assert come(crowd, "10.0.0.2") == ""


def test_a_storm_from_one_address_leaves_the_others_alone():
    """Its credit comes back with time."""
    crowd = Crowd(10_000, 10_000)
    reasons = [come(crowd, "10.0.0.1") for _ in range(BROKER_CONNECTS_BURST + 5)]
    assert reasons.count("rate") == 5
    assert come(crowd, "10.0.0.2") == ""
    assert come(crowd, "10.0.0.1", 1.5) == ""


def test_who_says_nothing_takes_few_places():
    """Slowloris."""
    crowd = Crowd(10_000, 10_000)
    reasons = [crowd.arrives("10.0.0.1", 1.0) for _ in range(BROKER_MAX_KNOCKING_PER_ADDRESS + 1)]
    assert reasons[-1] == "rate"
    crowd.admitted("10.0.0.1")
    assert crowd.arrives("10.0.0.1", 1.0) == ""


def test_addresses_that_come_once_are_forgotten():
    """A scanner does not fill the memory; who is inside is remembered."""
    crowd = Crowd(100_000, 2)
    assert come(crowd, "10.9.9.9") == ""
    for number in range(30_000):
        address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        assert come(crowd, address, number / 1000) == ""
        crowd.leaves(address)
    assert come(crowd, "10.9.9.9", 40.0) == ""
    assert come(crowd, "10.9.9.9", 40.0) == "address"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
    ],
)
def test_an_ipv6_sender_counts_by_its_network(address, network):
    """It has 2^64 addresses."""
    assert network_of(address) == network
