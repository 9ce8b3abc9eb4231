"""Kafka topics as a way in.

Reading order: ``config``, ``message`` (a message as an arrival), ``progress`` (what of a partition is done;
pure), ``source`` (the loop), ``cluster`` (the connection).
"""

from gateway.sources.kafka.config import KafkaSourceSettings, check
from gateway.sources.kafka.source import KafkaSource
from gateway.sources.port import SourceContext
from headrace.plugins import Plugin


def build(settings: KafkaSourceSettings, *, context: SourceContext) -> KafkaSource:
    """A source for these settings; connects when it is started."""
    return KafkaSource(settings, context)


PLUGIN = Plugin(__name__, KafkaSourceSettings, build, check)
