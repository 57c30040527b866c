# SPDX-License-Identifier: GPL-3.0-or-later
"""A party's program over pipes, one to each of its peers."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from ppmf_secure.effects import Keep, Phase, Program, Receive, Refuse, Send
from ppmf_secure.transport.drive import Party
from ppmf_spec.errors import PeerError
from ppmf_spec.wire import Message


def drive(party: Party, program: Program[Any], ends: Mapping[str, Connection]) -> Any:
    """Run a program over pipes. Sending never waits: a thread a peer writes what is queued
    (PPMF-WIR-005, PPMF-ERR-005).
    """
    writers = {peer: _Writer(end) for peer, end in ends.items()}
    reply: Message | None = None
    try:
        while True:
            try:
                effect = program.send(reply)
            except StopIteration as end:
                return end.value
            reply = None
            match effect:
                case Send(to, message):
                    writers[to].put(party.outgoing(to, message))
                case Receive(sender):
                    try:
                        received = ends[sender].recv_bytes()
                    except (EOFError, OSError) as error:
                        raise PeerError(f"{party.name}: {sender} disappeared") from error
                    reply = party.incoming(effect, received)
                case Phase():
                    party.enter(effect)
                case Refuse(_, error):
                    raise error  # the users are this machine's: nobody would send it again
                case Keep(name, iteration, data):
                    party.keep(name, iteration, data)
    finally:
        for writer in writers.values():
            writer.close()


class _Writer:
    """Writes queued messages to a pipe from a thread of its own."""

    def __init__(self, end: Connection) -> None:
        self._end = end
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def put(self, data: bytes) -> None:
        self._queue.put(data)

    def close(self) -> None:
        """Write out what is queued, then hang up."""
        self._queue.put(None)
        self._thread.join()

    def _write(self) -> None:
        # a peer that is gone is noticed by whoever waits for its next message
        with suppress(OSError):
            while (data := self._queue.get()) is not None:
                self._end.send_bytes(data)
