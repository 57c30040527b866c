# SPDX-License-Identifier: GPL-3.0-or-later
"""What a party learns beyond its own input and output (PPMF-SEC-001): the simulators' argument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ppmf_secure.session.cipher_suites import CipherSuite
from ppmf_secure.session.session import Session
from ppmf_spec.roles import CSP, RECSYS, Role

Held = frozenset[tuple[int, int]]
"""Checkpoints, each as (iterations finished, epoch in which it was made)."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """How an epoch ended before its time, as both servers know it.

    messages: by server, how many it had sent and received in that epoch.
    held: by server, the checkpoints it had when the next epoch began.
    """

    messages: Mapping[Role, int]
    held: Mapping[Role, Held]


@dataclass(frozen=True, slots=True)
class Leakage:
    """The public session, its suite, and the interruptions: an epoch more than these.

    uploads: the users as their uploads came to RecSys; empty stands for the order of the list.

    From it follow number, order, types and lengths of all messages (PPMF-SEC-001, PPMF-RUN-004).
    Ratings, counts and values of the model are not in it.
    """

    session: Session
    suite: CipherSuite
    interruptions: tuple[Interruption, ...] = ()
    uploads: tuple[str, ...] = ()

    @property
    def epochs(self) -> int:
        """How many epochs the run had."""
        return len(self.interruptions) + 1

    def done(self, epoch: int) -> int:
        """After how many iterations that epoch goes on: 0 is the public start."""
        if epoch == 0:
            return 0
        held = self.interruptions[epoch - 1].held
        return max((iteration for iteration, _ in held[RECSYS] & held[CSP]), default=0)
