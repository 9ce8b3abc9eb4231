"""Modbus TCP and RTU devices.

Reading order: ``registers`` (the table and its faults), ``plan`` (which registers are read together),
``decode`` (words to numbers), ``link`` (pymodbus), ``input``.

pymodbus is an extra: without it the settings can still be read and say what is missing, so ``input``
is imported only when an agent starts.
"""

from edge_agent.inputs.modbus.registers import ModbusSettings
from edge_agent.inputs.port import Input
from headrace.plugins import Plugin


def _build(settings: ModbusSettings) -> Input:
    from edge_agent.inputs.modbus.input import ModbusInput

    return ModbusInput(settings)


PLUGIN = Plugin(__name__, ModbusSettings, _build)
