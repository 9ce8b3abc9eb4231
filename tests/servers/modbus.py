"""A real Modbus server (pymodbus) on a TCP port or on one end of a serial line."""

from __future__ import annotations

import asyncio
import os
import selectors
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from tests.servers import free_port, listens, wait_until

#: Holding registers 0-9 are 100-109; input registers 0-1 hold 12.56 as a float; coils 0-3.
_DEVICE = (
    [SimData(0, values=[True, False, True, True], datatype=DataType.BITS)],
    [SimData(0, values=[False, True], datatype=DataType.BITS)],
    [SimData(0, values=list(range(100, 110)), datatype=DataType.REGISTERS)],
    [SimData(0, values=[0x4148, 0xF5C3, 0x7FC0, 0], datatype=DataType.REGISTERS)],
)


class ModbusDevice:
    """The server's side: what was asked, and which addresses it keeps silent about.

    Args:
        device_id: the one number on the line that answers.
    """

    def __init__(self, device_id: int = 1) -> None:
        self.requests: list[tuple[int, int]] = []  # function and address
        self.silent: set[int] = set()
        self._muted = False
        self._device_id = device_id
        self.context = SimDevice(device_id, _DEVICE, action=self._asked)

    async def _asked(
        self, function: int, _start: int, address: int, _count: int, _now: Any, _new: Any
    ) -> None:
        self.requests.append((function, address))
        self._muted = address in self.silent

    def pass_on(self, sending: bool, data: bytes) -> bytes:
        """The server's hook for packets: silence is an answer of no bytes."""
        if sending and self._muted:
            self._muted = False
            return b""
        return data

    def pass_on_line(self, sending: bool, data: bytes) -> bytes:
        """On a serial line a request to another number is not answered; pymodbus would refuse it."""
        if sending and data[0] != self._device_id:
            return b""
        return self.pass_on(sending, data)


@contextmanager
def _serving(server: Any) -> Iterator[None]:
    """Run ``server`` (a coroutine that makes it) on a loop in a thread, while the block lasts."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="modbus server", daemon=True)
    thread.start()

    async def start() -> Any:
        made = server()
        await made.serve_forever(background=True)
        return made

    made = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(made.shutdown(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@contextmanager
def modbus_tcp(device: ModbusDevice, port: int | None = None) -> Iterator[int]:
    """A server on a free port, which is what the block gets."""
    port = port or free_port()
    make = lambda: ModbusTcpServer(  # noqa: E731
        device.context, address=("127.0.0.1", port), trace_packet=device.pass_on
    )
    with _serving(make):
        wait_until(lambda: listens(port), 10, "the Modbus server listens")
        yield port


@contextmanager
def modbus_rtu(device: ModbusDevice) -> Iterator[Path]:
    """A server on one end of a serial line; the block gets the other end."""
    with _line() as (near, far):
        make = lambda: ModbusSerialServer(  # noqa: E731
            device.context, port=near, baudrate=9_600, trace_packet=device.pass_on_line
        )
        with _serving(make):
            yield Path(far)


@contextmanager
def _line() -> Iterator[tuple[str, str]]:
    """Two pseudo-terminals whose far sides are joined: a null-modem cable."""
    pairs = [os.openpty() for _ in range(2)]
    for _, near in pairs:
        tty.setraw(near)
    stop_read, stop_write = os.pipe()
    cable = threading.Thread(
        target=_copy, args=(pairs[0][0], pairs[1][0], stop_read), name="cable", daemon=True
    )
    cable.start()
    try:
        yield os.ttyname(pairs[0][1]), os.ttyname(pairs[1][1])
    finally:
        os.write(stop_write, b".")
        cable.join(10)
        for descriptor in (*pairs[0], *pairs[1], stop_read, stop_write):
            os.close(descriptor)


def _copy(one: int, other: int, stop: int) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        selector.register(stop, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == stop:
                    return
                os.write(key.data, os.read(key.fd, 4_096))
