"""What a batch goes through: the journal and the steps around it."""

from __future__ import annotations

from gateway.acks import AckAfterJournal, AckAfterLake, forget_acks
from gateway.assembly.common import Common
from gateway.broker.port import Broker
from gateway.ingest.group import GroupReader
from gateway.journal import JournalWriter
from gateway.journal.retention import Retention
from gateway.pipeline import Pipeline
from headrace.topics import Topics


def make_journal(common: Common, retention: Retention) -> JournalWriter:
    """The journal's one writer."""
    config = common.config
    return JournalWriter(
        config.journal_path,
        site=config.site,
        clock=common.clock,
        metrics=common.metrics,
        retention=retention,
    )


def make_pipeline(common: Common, journal: JournalWriter, broker: Broker) -> Pipeline:
    """The path of a batch."""
    lake = common.config.journal.ack_after == "lake"
    if not lake:
        forget_acks(journal.path)
    return Pipeline(
        acks=AckAfterLake(journal.path) if lake else AckAfterJournal(),
        reader=GroupReader(common.limits, common.metrics, common.clock.monotonic),
        journal=journal,
        feed=common.feed,
        broker=broker,
        topics=Topics(common.config.broker.topic_root),
        metrics=common.metrics,
        trace=common.trace,
    )
