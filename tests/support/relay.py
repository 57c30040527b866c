# SPDX-License-Identifier: Apache-2.0
"""A relay between the servers that a test can cut: it carries bytes, and knows nothing of them."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Relay:
    """Carries connections to another port of this machine.

    carried: how many bytes passed in both directions.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._ends: list[socket.socket] = []
        self._lock = threading.Lock()
        self.carried = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """The port at which the relay is reached."""
        port: int = self._listener.getsockname()[1]
        return port

    def cut(self) -> None:
        """End all connections that pass now; new ones are carried."""
        with self._lock:
            ends, self._ends = self._ends, []
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End all connections, and carry none any more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                came, _ = self._listener.accept()
            except OSError:
                return
            try:
                there = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                came.close()
                continue
            with self._lock:
                self._ends += [came, there]
            for pair in ((came, there), (there, came)):
                threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
                self.carried += len(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()
