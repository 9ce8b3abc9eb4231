"""A network cable between a device and its broker that a test can pull out and plug in."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading


class Link:
    """A TCP proxy on a free port.

    ``swallow`` takes what the device sends and passes nothing on; ``slow`` lets all of it wait; ``cut``
    breaks what is open and accepts nothing; ``mend`` ends all of these.
    """

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._whole = True
        self._swallowing = False
        self._slow_s = 0.0
        self._closing = False
        self._devices: set[socket.socket] = set()
        self._peers: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Reset every connection, as a pulled cable does in the end."""
        self._whole = False
        with self._lock:
            for end in list(self._peers):
                self._drop(end)

    def swallow(self) -> None:
        """A network that looks whole to the device, and is not."""
        self._swallowing = True

    def slow(self, seconds: float) -> None:
        """Every piece of up to 64 KiB takes so long."""
        self._slow_s = seconds

    def mend(self) -> None:
        self._whole = True
        self._slow_s = 0.0
        self._swallowing = False

    def close(self) -> None:
        self._closing = True
        self._thread.join(5)
        self.cut()
        self._listener.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._closing:
            for key, _ in self._selector.select(0.05):
                with self._lock:
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.fileobj in self._peers:
                        self._pass_on(key.fileobj)  # type: ignore[arg-type]

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        if not self._whole:
            near.close()
            return
        try:
            far = socket.create_connection(self._target, timeout=5)
        except OSError:
            near.close()
            return
        self._devices.add(near)
        for end, other in ((near, far), (far, near)):
            self._peers[end] = other
            self._selector.register(end, selectors.EVENT_READ)

    def _pass_on(self, end: socket.socket) -> None:
        try:
            data = end.recv(65536)
            if data:
                if self._slow_s and end in self._devices:
                    threading.Event().wait(self._slow_s)
                if not (self._swallowing and end in self._devices):
                    self._peers[end].sendall(data)
                return
        except OSError:
            pass  # either side is gone: so is the other
        self._drop(end)

    def _drop(self, end: socket.socket) -> None:
        other = self._peers.pop(end, None)
        if other is None:
            return
        self._peers.pop(other, None)
        for side in (end, other):
            self._devices.discard(side)
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(side)
            side.close()
