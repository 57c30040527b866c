# SPDX-License-Identifier: Apache-2.0
"""Messages that a test writes into a pipe by itself."""

from __future__ import annotations

import os
import socket
from multiprocessing.connection import Connection


def write_message(pipe: Connection, data: bytes) -> None:
    """Write a message and its length to a pipe, once there is room; OSError if it is closed."""
    with socket.socket(fileno=os.dup(pipe.fileno())) as end:
        end.sendall(len(data).to_bytes(8, "little"))
        end.sendall(data)
