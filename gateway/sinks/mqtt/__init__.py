"""Another MQTT broker: a second Headrace gateway behind it, or anybody who reads JSON.

Reading order: ``config``, ``message``, ``headrace`` and ``plain`` (batches to messages, one file a
profile), ``waiting`` (what is confirmed and what is not; pure), ``connection``, ``sink``.
"""

from gateway.sinks.mqtt.config import MqttSettings, check
from gateway.sinks.mqtt.sink import MqttSink
from headrace.plugins import Plugin


def build(settings: MqttSettings, *, site: str) -> MqttSink:
    """A sink for these settings; connects with its first delivery."""
    return MqttSink(settings, site=site)


PLUGIN = Plugin(__name__, MqttSettings, build, check)
