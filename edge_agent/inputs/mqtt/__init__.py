"""Devices that publish at a local broker: Zigbee2MQTT, Tasmota, plain numbers.

Reading order: ``settings``, ``topics`` (templates), ``known`` (units), ``payload`` (a message to
readings), ``subscriber`` (the client), ``input``.
"""

from edge_agent.inputs.mqtt.input import MqttInput
from edge_agent.inputs.mqtt.settings import MqttSettings
from headrace.plugins import Plugin

PLUGIN = Plugin(__name__, MqttSettings, MqttInput)
