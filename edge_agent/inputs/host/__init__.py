"""This machine's own metrics. Reading order: ``input``."""

from edge_agent.inputs.host.input import HostInput, HostSettings
from headrace.plugins import Plugin

PLUGIN = Plugin(__name__, HostSettings, HostInput)
