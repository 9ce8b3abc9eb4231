"""A simulated pump station. Reading order: ``pump`` (the physics), ``faults``, ``input``, ``recording``."""

from edge_agent.inputs.simulated.input import SimulatedInput, SimulatedSettings
from headrace.plugins import Plugin

PLUGIN = Plugin(__name__, SimulatedSettings, SimulatedInput)
