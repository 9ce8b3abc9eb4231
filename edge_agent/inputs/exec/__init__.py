"""Readings that a command prints.

Reading order: ``settings``, ``child`` (runs a command within its bounds), ``output`` (the three
formats), ``input``.
"""

from edge_agent.inputs.exec.input import ExecInput
from edge_agent.inputs.exec.settings import ExecSettings
from headrace.plugins import Plugin

PLUGIN = Plugin(__name__, ExecSettings, ExecInput)
