"""Kafka, and what speaks its protocol (Redpanda, tansu).

Reading order: ``config``, ``values`` (a part of a batch as Arrow or Avro, and its headers),
``cluster`` (topic, idempotent producer, delivery reports), ``sink`` (reports to verdicts).
"""

from gateway.sinks.kafka.config import KafkaSettings, check
from gateway.sinks.kafka.sink import KafkaSink
from headrace.plugins import Plugin


def build(settings: KafkaSettings, *, site: str) -> KafkaSink:
    """A sink for these settings; connects with its first delivery."""
    return KafkaSink(settings, site=site)


PLUGIN = Plugin(__name__, KafkaSettings, build, check)
