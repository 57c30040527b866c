# SPDX-License-Identifier: GPL-3.0-or-later
"""All parties in one thread, in turn: the transport of tests, vectors and toy runs.

Every message still becomes bytes and is parsed again. The order is a function of the programs
alone: each party runs until it waits for a message that is not there yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from ppmf_secure.effects import Keep, Phase, Program, Receive, Refuse, Send
from ppmf_secure.transport.drive import Party
from ppmf_spec.errors import PeerError
from ppmf_spec.wire import Message


def run_together(programs: Mapping[str, tuple[Party, Program[Any]]]) -> dict[str, Any]:
    """Run all programs to their ends; the results by party (PPMF-WIR-005, PPMF-ERR-005).

    Raises what a party raises, and PeerError when all wait for messages nobody will send.
    """
    running = {name: _Running(party, program) for name, (party, program) in programs.items()}
    queues: dict[tuple[str, str], deque[bytes]] = {}
    results: dict[str, Any] = {}
    while running:
        moved = False
        for name in list(running):
            moved |= running[name].advance(queues)
            if running[name].finished:
                results[name] = running.pop(name).result
        if not moved:
            waiting = ", ".join(f"{name} for {run.waits_for}" for name, run in running.items())
            raise PeerError(f"nobody will send what the parties wait for: {waiting}")
    return results


class _Running:
    """A program that has begun, and what it waits for."""

    def __init__(self, party: Party, program: Program[Any]) -> None:
        self._party = party
        self._program = program
        self._awaited: Receive | None = None
        self._started = False
        self.finished = False
        self.result: Any = None

    @property
    def waits_for(self) -> str:
        return "" if self._awaited is None else self._awaited.sender

    def advance(self, queues: dict[tuple[str, str], deque[bytes]]) -> bool:
        """Go on as far as the messages allow; whether anything happened."""
        moved = False
        while not self.finished:
            reply: Message | None = None
            if self._awaited is not None:
                queue = queues.get((self._awaited.sender, self._party.name))
                if not queue:
                    return moved
                reply = self._party.incoming(self._awaited, queue.popleft())
            self._awaited = None
            moved = True
            self._resume(reply, queues)
        return moved

    def _resume(self, reply: Message | None, queues: dict[tuple[str, str], deque[bytes]]) -> None:
        try:
            effect = self._program.send(reply) if self._started else next(self._program)
        except StopIteration as end:
            self.finished, self.result = True, end.value
            return
        finally:
            self._started = True
        match effect:
            case Send(to, message):
                data = self._party.outgoing(to, message)
                queues.setdefault((self._party.name, to), deque()).append(data)
            case Receive():
                self._awaited = effect
            case Phase():
                self._party.enter(effect)
            case Refuse(_, error):
                raise error  # all parties are the caller's: nobody would send it again
            case Keep(name, iteration, data):
                self._party.keep(name, iteration, data)
