"""Recorded readings from a CSV file. Reading order: ``settings``, ``parse``, ``source``, ``input``."""

from edge_agent.inputs.replay.input import ReplayInput
from edge_agent.inputs.replay.settings import ReplaySettings
from headrace.plugins import Plugin

PLUGIN = Plugin(__name__, ReplaySettings, ReplayInput)
