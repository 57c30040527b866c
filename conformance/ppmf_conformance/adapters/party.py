# SPDX-License-Identifier: Apache-2.0
"""ppmf_secure's parties under the suite: one call, one turn (`party.new`, `.step`, `.free`)."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any

from ppmf_conformance.adapters import sharing, values
from ppmf_conformance.adapters.oracle import output_shown
from ppmf_conformance.adapters.serve import Given, Operation
from ppmf_secure.effects import CSP, RECSYS, USERS, Program, Receive, Refuse, Send
from ppmf_secure.parties.csp import csp
from ppmf_secure.parties.recsys import recsys
from ppmf_secure.parties.users import users
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.cipher_suites import suite
from ppmf_secure.session.transcript import Recorder
from ppmf_secure.transport.drive import Party
from ppmf_secure.transport.inputs import user_rows
from ppmf_secure.transport.store import Store
from ppmf_spec.errors import PeerError, PpmfError, StateError
from ppmf_spec.profiles import ItemProfiles


class Turns:
    """A party that runs until it waits for a message that is not there."""

    def __init__(self, role: str, session_id: bytes, program: Program[Any]) -> None:
        self._party = Party(role, session_id, Recorder(None, role), lambda _: None, Store(None))
        self._program = program
        self._inbox: dict[str, deque[bytes]] = defaultdict(deque)
        self._gone: set[str] = set()
        self._awaited: Receive | None = None
        self._started = False
        self._failure: PpmfError | None = None
        self.done = False
        self.result: Any = None

    def take(self, sender: str, message: bytes | None) -> None:
        """Put a message into the inbox; None says that its sender is gone."""
        if message is None:
            self._gone.add(sender)
        else:
            self._inbox[sender].append(message)

    def turn(self) -> tuple[list[tuple[str, bytes]], list[tuple[str, PpmfError]]]:
        """What the party sends, and what it refuses and goes on without (PPMF-CON-031).

        Raises the refusal that ends it, in this turn and in every later one (PPMF-ERR-007).
        """
        if self._failure is not None:
            raise StateError(f"this party has ended: {self._failure}")
        try:
            return self._turn()
        except PpmfError as failure:
            self._failure = failure
            raise

    def _turn(self) -> tuple[list[tuple[str, bytes]], list[tuple[str, PpmfError]]]:
        sent: list[tuple[str, bytes]] = []
        refused: list[tuple[str, PpmfError]] = []
        while not self.done:
            reply = None
            if self._awaited is not None:
                sender = self._awaited.sender
                if not self._inbox[sender]:
                    if sender in self._gone:
                        raise PeerError(f"{sender} is gone")
                    break
                reply = self._party.incoming(self._awaited, self._inbox[sender].popleft())
                self._awaited = None
            try:
                effect = self._program.send(reply) if self._started else next(self._program)
            except StopIteration as end:
                self.done, self.result = True, end.value
                break
            self._started = True
            match effect:
                case Send(to, message):
                    sent.append((to, self._party.outgoing(to, message)))
                case Receive():
                    self._awaited = effect
                case Refuse(to, error):
                    refused.append((to, error))
        return sent, refused


class House:
    """The parties of one adapter, by handle."""

    def __init__(self) -> None:
        self._parties: dict[str, Turns] = {}
        self._made = 0

    @property
    def operations(self) -> Mapping[str, Operation]:
        """The three stateful operations."""
        return {"party.new": self.new, "party.step": self.step, "party.free": self.free}

    def new(self, given: Given) -> dict[str, Any]:
        """`party.new`: a party of a session; only users get ratings (PPMF-CON-030)."""
        session = sharing.session(given["session"])
        choice = suite(session.suite)
        coins = Coins.seeded(given["coins"])
        program: Program[Any]
        match given["role"]:
            case "users":
                table = {**given["session"], "ratings": given["ratings"]}
                rows = user_rows(values.ratings(table, session.parameters))
                program = users(session, rows, coins)
            case "recsys":
                program = recsys(session, choice, coins)
            case _:
                program = csp(session, choice, coins)
        self._made += 1
        handle = str(self._made)
        self._parties[handle] = Turns(given["role"], session.id, program)
        return {"handle": handle}

    def step(self, given: Given) -> dict[str, Any]:
        """`party.step`: take what has arrived, go on as far as possible (PPMF-CON-030)."""
        party = self._at(given["handle"])
        for entry in given["inbox"]:
            message = entry["message"]
            party.take(entry["from"], None if message is None else bytes.fromhex(message))
        sent, refused = party.turn()
        return {
            "outbox": [{"to": to, "message": message.hex()} for to, message in sent],
            "refused": [{"to": to, "class": error.kind} for to, error in refused],
            "done": party.done,
            "output": output_shown(party.result)
            if isinstance(party.result, ItemProfiles)
            else None,
        }

    def free(self, given: Given) -> dict[str, Any]:
        """`party.free`: forget a party."""
        self._at(given["handle"])
        del self._parties[given["handle"]]
        return {}

    def _at(self, handle: str) -> Turns:
        if handle not in self._parties:
            raise StateError("no party of this handle")
        return self._parties[handle]


ROLES = (USERS, RECSYS, CSP)
