# SPDX-License-Identifier: Apache-2.0
"""A tally: counters of bytes and of work, by phase."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ppmf_secure.protocols.operations import PlannedMessage
from ppmf_spec.roles import USERS, Role


@dataclass(slots=True)
class Tally:
    """The bytes and the work of a run.

    sent: bytes, by party and phase. work: units of a primitive, by phase and primitive.
    """

    sent: Counter[tuple[Role, str]] = field(default_factory=Counter)
    work: Counter[tuple[str, str]] = field(default_factory=Counter)
    _numbers: Counter[tuple[Role, Role]] = field(default_factory=Counter)

    def send(self, phase: str, due: PlannedMessage) -> None:
        """Count one message of epoch 0."""
        way = due.sender, due.receiver
        # every user is a sender of their own, and sends one message
        number = 0 if due.sender is USERS else self._numbers[way]
        self._numbers[way] += 1
        self.sent[due.sender, phase] += due.encoded(0, number)
        self.work[phase, "messages"] += 1

    def do(self, phase: str, **work: int) -> None:
        """Count units of primitives in a phase."""
        for primitive, amount in work.items():
            self.work[phase, primitive] += amount
