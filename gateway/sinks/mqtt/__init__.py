"""Another MQTT broker: a second Headrace gateway behind it, or anybody who reads JSON.

Reading order: ``config``, ``message``, ``headrace``, ``plain`` and ``sparkplug`` (batches to messages, one file a
profile), ``waiting`` (what is confirmed and what is not; pure), ``session``, ``connection``, ``sink``.
"""

from gateway.sinks.mqtt.config import MqttSettings, check
from gateway.sinks.mqtt.sink import MqttSink, SparkplugSink
from gateway.sinks.port import Sink
from headrace.plugins import Plugin


def build(settings: MqttSettings, *, site: str) -> Sink:
    """A sink for these settings; connects with its first delivery."""
    if settings.profile == "sparkplug":
        return SparkplugSink(settings, site=site)
    return MqttSink(settings, site=site)


PLUGIN = Plugin(__name__, MqttSettings, build, check)
