"""1-Wire thermometers. Reading order: ``sensor`` (the kernel's file, pure), ``input``."""

from edge_agent.inputs.w1.input import W1Input, W1Settings
from headrace.plugins import Plugin

PLUGIN = Plugin(__name__, W1Settings, W1Input)
