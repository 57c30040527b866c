# SPDX-License-Identifier: GPL-3.0-or-later
"""The leakage: what a party learns beyond its own input and output (PPMF-SEC-005).

It is the public argument of the simulators (chapter 6, "Leakage").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ppmf_secure.session.cipher_suites import CipherSuite
from ppmf_secure.session.session import Session
from ppmf_spec.roles import CSP, RECSYS, Role

Held = frozenset[tuple[int, int]]
"""Checkpoints, each as its finished iterations and the epoch in which it was made."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """The end of an epoch before its time, as both servers know it.

    messages: how many messages each server had sent and received in that epoch.
    held: the checkpoints that each server had when the next epoch began.
    """

    messages: Mapping[Role, int]
    held: Mapping[Role, Held]


@dataclass(frozen=True, slots=True)
class Leakage:
    """All that a run reveals beside the parties' inputs and outputs.

    session: the public session. suite: its cipher suite.
    interruptions: those of the run, which has one epoch more than these.
    uploads: the users and the serials of their uploads, in the order in which these came to RecSys;
        if it is empty, the first of each, in the order of the user list.
    admitted: the users whom CSP admits; None for all of whom there is an upload.

    The number, order, types and lengths of all messages follow from it (PPMF-SEC-005,
    PPMF-RUN-011). It contains no rating, no count and no value of the model.
    """

    session: Session
    suite: CipherSuite
    interruptions: tuple[Interruption, ...] = ()
    uploads: tuple[tuple[str, int], ...] = ()
    admitted: frozenset[str] | None = None

    @property
    def epochs(self) -> int:
        """The number of epochs of the run."""
        return len(self.interruptions) + 1

    @property
    def came(self) -> tuple[tuple[str, int], ...]:
        """The users and the serials of their uploads, in the order in which these came."""
        return self.uploads or tuple((user, 1) for user in self.session.users)

    @property
    def serials(self) -> dict[int, int]:
        """The serial of each user who is present, by row, in the order of the rows."""
        newest = dict(self.came)
        return {row: newest[user] for row, user in enumerate(self.session.users) if user in newest}

    @property
    def admitted_rows(self) -> tuple[int, ...]:
        """The rows of the users whom CSP admits."""
        users = self.session.users
        return tuple(
            row for row in self.serials if self.admitted is None or users[row] in self.admitted
        )

    def done(self, epoch: int) -> int:
        """After how many iterations that epoch goes on; 0 is the public start."""
        if epoch == 0:
            return 0
        held = self.interruptions[epoch - 1].held
        return max((iteration for iteration, _ in held[RECSYS] & held[CSP]), default=0)
