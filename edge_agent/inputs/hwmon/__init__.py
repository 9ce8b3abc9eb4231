"""The board's own sensors: voltages, fans, power. Reading order: ``input``."""

from edge_agent.inputs.hwmon.input import HwmonInput, HwmonSettings
from headrace.plugins import Plugin

PLUGIN = Plugin(__name__, HwmonSettings, HwmonInput)
