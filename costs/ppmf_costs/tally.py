# SPDX-License-Identifier: Apache-2.0
"""A tally: counters of bytes and of work, by phase."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from ppmf_secure.protocols.operations import PlannedMessage, head, heads_below
from ppmf_spec.roles import USERS, Role


@dataclass(slots=True)
class Tally:
    """The bytes and the work of a run.

    sent: bytes, by party and phase. work: units of a primitive, by phase and primitive.
    link: bytes between the servers, by phase, of the busier direction of each operation. rounds:
    rounds, by phase. windows: how often, by phase, a server that is ahead would wait for an answer
    if the line took no time for bytes and everything for distance. shared: of the work, what
    workers would do. asked: bytes, by phase, that a server would divide among its workers. given:
    those that they would give back, all together. answered: those that each would.
    """

    sent: Counter[tuple[Role, str]] = field(default_factory=Counter)
    work: Counter[tuple[str, str]] = field(default_factory=Counter)
    link: Counter[str] = field(default_factory=Counter)
    rounds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    windows: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    shared: Counter[tuple[str, str]] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    given: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    _numbers: Counter[tuple[Role, Role]] = field(default_factory=Counter)

    def send(self, phase: str, due: PlannedMessage, times: int = 1) -> None:
        """Count so many messages of epoch 0 that differ in their numbers alone."""
        way = due.sender, due.receiver
        if due.sender is USERS:  # every user is a sender of their own, and sends one message
            heads = times * head(0)
        else:
            first = self._numbers[way]
            self._numbers[way] += times
            heads = heads_below(first + times) - heads_below(first)
        self.sent[due.sender, phase] += times * (due.encoded(0, 0) - head(0)) + heads
        self.work[phase, "messages"] += times

    def do(self, phase: str, **work: int) -> None:
        """Count units of primitives in a phase."""
        for primitive, amount in work.items():
            self.work[phase, primitive] += amount

    def share(self, phase: str, **work: int) -> None:
        """Note that workers would do so many of the units of primitives in a phase."""
        for primitive, amount in work.items():
            self.shared[phase, primitive] += amount
