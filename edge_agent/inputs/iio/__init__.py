"""I2C and SPI sensors through kernel drivers. Reading order: ``channels`` (files and units), ``input``."""

from edge_agent.inputs.iio.input import IioInput, IioSettings
from headrace.plugins import Plugin

PLUGIN = Plugin(__name__, IioSettings, IioInput)
