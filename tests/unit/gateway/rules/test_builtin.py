"""The rules that watch the pipeline itself: which apply, and that they are rules like any."""

import pytest

from gateway.config import GatewayConfig
from gateway.rules import BuiltinRulesConfig, RuleConfig, builtin, check_builtin, check_rules
from gateway.rules.builtin import NAMES, PREFIX
from gateway.rules.consumer import RulesConsumer
from headrace.config import FaultList
from headrace.derived import decode_alert
from headrace.metrics import Metrics
from tests.gateway_entries import SECOND, START, entry, rows

OWN = "gateway-site-1"


def made(config=None, own=()):
    return builtin(
        config or BuiltinRulesConfig(), own, device=OWN, journal_bytes=1000, interval_s=30
    )


def names(rules):
    return {rule.name for rule in rules}


def test_all_are_on_by_default_and_sound():
    """They pass the checks that a user's rules have to pass."""
    found = FaultList()
    check_rules(made(), {}, found)
    assert found.faults == []
    assert names(made()) == {PREFIX + name for name in NAMES}


def test_each_can_be_switched_off_or_replaced():
    """By name, or by a rule of the user's of that name."""
    assert "builtin-gap" not in names(made(BuiltinRulesConfig(off=("gap",))))
    own = RuleConfig(name="builtin-lag", kind="threshold", series="gateway/lag_s/*", value=5)
    assert "builtin-lag" not in names(made(own=[own]))
    assert made(BuiltinRulesConfig(enabled=False)) == ()


def test_a_silence_rule_of_the_users_is_enough():
    """Nobody wants to be told twice."""
    assert "builtin-silent" not in names(made(own=[RuleConfig(name="quiet", kind="silence", for_s=5)]))  # fmt: skip


def test_a_name_that_is_none_is_a_fault():
    """A rule that was meant to be off is not left on."""
    found = FaultList()
    check_builtin(BuiltinRulesConfig(off=("gaps",)), found)
    assert "no built-in rule 'gaps'" in str(found.faults[0])


def test_without_vitals_there_is_nothing_to_watch():
    """The rules would never see a reading."""
    from gateway.vitals import VitalsConfig

    assert GatewayConfig(vitals=VitalsConfig(enabled=False)).all_rules == ()
    assert len(GatewayConfig().all_rules) == len(NAMES)


@pytest.mark.parametrize(
    ("series", "device", "bad", "good", "rule"),
    [
        ("lag_s/sink/influxdb", OWN, 901.0, 10.0, "lag"),
        ("consumers_stopped", OWN, 1.0, 0.0, "stopped"),
        ("journal_bytes", OWN, 801.0, 700.0, "journal"),
        ("disk_free_bytes", OWN, 1e6, 1e12, "disk"),
        ("damaged_batches", OWN, 1.0, 0.0, "damage"),
        ("silent_s", "pump-1", 901.0, 3.0, "silent"),
        ("gap_readings", "pump-1", 4.0, 0.0, "gap"),
        ("clock_ahead_s", "pump-1", 90.0, 0.0, "clock"),
        ("quarantined", OWN, 6.0, 0.0, "quarantine"),
    ],
)
def test_each_fires_and_resolves_on_the_gateways_own_readings(series, device, bad, good, rule):
    """Looks every 30 s: bad for six minutes, then good."""
    consumer = RulesConsumer(made(), Metrics("gateway"), START)
    said = []
    for look, value in enumerate([bad] * 12 + [good] * 2):
        at = START + look * 30 * SECOND
        batch = entry(device, rows([f"gateway/{series}"], [at], [value]), received_at=at)
        outcome = consumer.step([batch], at)
        consumer.committed(outcome)
        for derived in outcome.derived:
            assert derived.rows["name"].to_pylist() == [f"alert/{PREFIX}{rule}"]
            said += [decode_alert(text) for text in derived.rows["text"].to_pylist()]
    assert [alert.state for alert in said][-2:] == ["firing", "resolved"]
    assert "{" not in said[-2].summary


def test_batches_of_devices_pass_by_where_no_rule_is_about_them():
    """A gateway without rules of its own pays nothing for the built-in ones."""
    consumer = RulesConsumer(made(), Metrics("gateway"), START)
    outcome = consumer.step([entry("pump-1", rows(["flow"], [START], [1e9]))], START)
    assert not outcome.derived
    assert not outcome.state
