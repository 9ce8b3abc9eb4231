"""The Modbus client (pymodbus), reduced to one question: the words or bits of a group.

Two traps are avoided by shape. After a time-out the late answer would be taken for the next
question's, so the connection is dropped and the next question opens a new one. And pymodbus counts
time-outs towards closing the connection by itself; a client that is made anew has none to count.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from edge_agent.inputs.modbus.plan import Group
from edge_agent.inputs.modbus.registers import BIT_TABLES, ModbusSettings
from headrace.errors import InputError, TransportError

#: It says every failed request, every time; we say each failure once.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)

#: The exception codes that devices really send, in words.
_CODES = {
    1: "illegal function (the device has no such table)", 2: "illegal data address",
    3: "illegal data value", 4: "device failure", 5: "acknowledge", 6: "device busy",
    10: "gateway path unavailable", 11: "gateway target failed to respond",
}  # fmt: skip

Client = ModbusTcpClient | ModbusSerialClient


class ModbusRefusal(InputError):
    """The device answered a request with an exception."""


class Link:
    """One connection at a time to one device."""

    def __init__(self, settings: ModbusSettings) -> None:
        self._settings = settings
        self._client: Client | None = None

    @property
    def where(self) -> str:
        """The device in messages."""
        settings = self._settings
        return settings.serial or f"{settings.host}:{settings.port}"

    def connect(self) -> None:
        """Open the connection if there is none.

        Raises:
            TransportError: nobody is there.
        """
        if self._client is not None:
            return
        client = self._new_client()
        if not client.connect():
            raise TransportError(
                f"no connection to the Modbus device at {self.where}",
                hint="check address, cable and power; on a serial line also the group dialout",
            )
        self._client = client

    def read(self, group: Group) -> Sequence[int]:
        """The words (or bits) of a group.

        Raises:
            ModbusRefusal: the device answered with an exception; the connection stands.
            TransportError: no answer, or none that makes sense; the connection is dropped.
        """
        self.connect()
        try:
            answer = self._ask(group)
        except (ModbusException, OSError) as error:
            self.close()
            raise TransportError(f"no answer from {self.where} for {group}: {error}") from error
        if answer.isError():
            code = getattr(answer, "exception_code", 0)
            raise ModbusRefusal(
                f"{self.where} refuses {group}: exception {code}, {_CODES.get(code, 'unknown')}"
            )
        found: Sequence[int] = answer.bits if group.table in BIT_TABLES else answer.registers
        if len(found) < group.count:
            self.close()
            raise TransportError(f"{self.where} sent {len(found)} of {group.count} for {group}")
        return found

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()  # type: ignore[no-untyped-call]

    def _ask(self, group: Group) -> ModbusPDU:
        assert self._client is not None  # noqa: S101  (connect raises or sets it)
        ask = {
            "holding": self._client.read_holding_registers,
            "input": self._client.read_input_registers,
            "coil": self._client.read_coils,
            "discrete": self._client.read_discrete_inputs,
        }[group.table]
        return ask(group.address, count=group.count, device_id=group.device_id)

    def _new_client(self) -> Client:
        settings = self._settings
        if settings.serial:
            return ModbusSerialClient(
                settings.serial, baudrate=settings.baudrate, parity=settings.parity,
                stopbits=settings.stopbits, timeout=settings.timeout_s, retries=0,
            )  # fmt: skip
        return ModbusTcpClient(
            settings.host, port=settings.port, timeout=settings.timeout_s, retries=0
        )
