"""What the doctor says of acks that wait for the lake."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import GatewayConfig, JournalConfig
from gateway.doctor.acks import check
from headrace.journal import LAKE, REGISTERED, JournalReader
from tests.journals import START_US, Journal, readings


@pytest.fixture
def config(tmp_path: Path) -> GatewayConfig:
    made = GatewayConfig(site="harbour", data_dir=tmp_path, journal=JournalConfig(ack_after="lake"))
    journal = Journal(made.journal_path)
    for at in range(4):
        journal.append("pump", readings(1), received_at=START_US + at)
    journal.close()
    return made


def move(config: GatewayConfig, **cursors: int) -> None:
    with JournalReader(config.journal_path) as reader:
        for name, offset in cursors.items():
            reader.move_cursor(name, offset, required=False)


def said(config: GatewayConfig, after_s: int) -> tuple[str, str, str]:
    (found,) = check(config, START_US + after_s * 1_000_000)
    return found.level, found.text, found.todo


def test_what_waits_for_a_minute_is_in_order(config: GatewayConfig) -> None:
    """A landing and a registration take as long."""
    move(config, **{LAKE: 4, REGISTERED: 3, "acks": 1})
    assert said(config, 60) == ("OK", "1 batches are not registered (59 s), 2 not told", "")


def test_what_does_not_land_is_cloud_syncs_matter(config: GatewayConfig) -> None:
    """Nobody has moved a cursor."""
    level, text, todo = said(config, 400)
    assert (level, text) == ("WARN", "4 batches are not registered (400 s), 0 not told")
    assert "can it land" in todo


def test_what_has_landed_and_waits_is_the_registrars_matter(config: GatewayConfig) -> None:
    """It may be elsewhere, and its receipts not readable from here."""
    move(config, **{LAKE: 4, REGISTERED: 1})
    assert "receipts" in said(config, 400)[2]


def test_all_registered_is_never_late(config: GatewayConfig) -> None:
    """Whatever its age."""
    move(config, **{LAKE: 4, REGISTERED: 4, "acks": 4})
    assert said(config, 400)[0] == "OK"


def test_acks_after_the_journal_are_not_looked_at(config: GatewayConfig) -> None:
    """They wait for nobody."""
    plain = GatewayConfig(site="harbour", data_dir=config.data_dir)
    assert list(check(plain, START_US)) == []
