# SPDX-License-Identifier: Apache-2.0
"""The worked transcript: one toy run with all its secrets, as data, and its replay.

`python -m ppmf_conformance.adapters.transcripts [FILE]` plays each party of a transcript again, by
itself: it gets the recorded secrets for its coins and the recorded messages for its inbox, and has
to send the recorded bytes and to show the recorded shares. Nothing of it protects anybody: the
suite of the run has keys of toy length, and all of them stand in the file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppmf_conformance import json_text, worked
from ppmf_conformance.adapters import named_draws, sessions_and_uploads, values
from ppmf_conformance.adapters.lattice_blocks import ToldCoins
from ppmf_conformance.adapters.oracle import output_shown
from ppmf_conformance.adapters.party import Seat, SeatedParty, TurnEnds
from ppmf_conformance.adapters.shown_shares import ShownShares
from ppmf_secure.driver import Driver
from ppmf_secure.effects import Phase, Program, Send
from ppmf_secure.parties.csp import csp
from ppmf_secure.parties.recsys import recsys
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.protocols.upload import upload, user_rows
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.session import Session
from ppmf_spec.errors import EncodingError, PpmfError, StateError
from ppmf_spec.roles import CSP, RECSYS, USERS, Role

FORMAT = "ppmf-transcript/1"
NAME = "transcript.json"
PARTIES = (USERS, RECSYS, CSP)


class MarkedEnds(TurnEnds):
    """Ends that note in which phase and half-step each message was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.phase = Phase("keys", 0, 0)
        self.marks: list[Phase] = []

    def enter(self, phase: Phase) -> None:
        """Note the phase that begins."""
        self.phase = phase

    def send(self, to: Role, pieces: Any) -> None:
        """Into the outbox, with the phase."""
        super().send(to, pieces)
        self.marks.append(self.phase)


class PlayedParty:
    """One party of a run: its program, what it sends and what it shows."""

    def __init__(
        self, role: Role, session: Session, program: Program[Any], shares: ShownShares | None = None
    ) -> None:
        self.ends = MarkedEnds()
        driver = Driver(role, program, self.ends, session.id)
        self._seat = SeatedParty(Seat(role, session), driver, self.ends, shares)
        self._shares = shares

    @property
    def done(self) -> bool:
        """Whether its program has ended."""
        return self._seat.done

    @property
    def output(self) -> Any:
        """The result of RecSys as `train.fixed` answers it."""
        return output_shown(self._seat.result)

    def turn(self) -> list[tuple[Role, bytes, Phase]]:
        """The messages that it sends in this turn. Raises the refusal that ends it."""
        self.ends.marks = []
        sent, _ = self._seat.turn()
        return [(to, data, mark) for (to, data), mark in zip(sent, self.ends.marks, strict=True)]

    def shown(self) -> list[dict[str, Any]]:
        """The stages that it has finished since the last call."""
        return self._shares.take() if self._shares else []


def server(role: Role, session: Session, coins: Coins, given: Mapping[str, Any]) -> PlayedParty:
    """A server that shows its shares, with these coins; `given` as in a case of `party.run`."""
    shares, choice = ShownShares(session), cipher_suite(session.suite)
    if role is RECSYS:
        return PlayedParty(role, session, recsys(session, choice, coins, observer=shares), shares)
    keys = dict(zip(session.users, map(bytes.fromhex, given["consent_keys"]), strict=True))
    sealing = SealingKey(bytes.fromhex(given["sealing_secret"]))
    program = csp(session, choice, coins, sealing=sealing, consent_keys=keys, observer=shares)
    return PlayedParty(role, session, program, shares)


def users_again(session: Session, table: Mapping[str, Any]) -> Program[None]:
    """The program of all users, each with the recorded seed and the material of the seal."""
    given = {**table["session"], "ratings": table["ratings"]}
    rows = user_rows(values.ratings(given, session.parameters))
    for (user, row), key, one in zip(
        rows, table["consent_keys"], table["draws"]["users"], strict=True
    ):
        coins = ToldCoins([bytes.fromhex(one["seed"]), bytes.fromhex(one["material"])])
        yield Send(RECSYS, upload(session, user, 1, row, bytes.fromhex(key), coins))


@dataclass(frozen=True, slots=True)
class Replayed:
    """A party that was played again: how many messages it sent and stages it showed, all of them
    as recorded.
    """

    role: Role
    messages: int
    stages: int

    def __str__(self) -> str:
        stages = f" and {self.stages} stages" if self.stages else ""
        return f"{self.role}: {self.messages} messages{stages}, the same as recorded"


def shipped() -> dict[str, Any]:
    """The transcript that comes with the suite."""
    return loads(worked.read(NAME), NAME)


def loads(data: bytes, where: str) -> dict[str, Any]:
    """A transcript. Raises EncodingError for what is none."""
    table = json_text.loads(data, where)
    if not isinstance(table, dict) or table.get("format") != FORMAT:
        raise EncodingError(f"{where}: not of the format {FORMAT}")
    return table


def replay(table: Mapping[str, Any]) -> Iterator[Replayed]:
    """Play each party again, by itself.

    Raises StateError at the first message or stage that differs.
    """
    session = sessions_and_uploads.session(table["session"])
    if session.id.hex() != table["session_id"]:
        raise StateError("the session has another id than the transcript says")
    for role in PARTIES:
        yield _replayed(role, session, table)


def _replayed(role: Role, session: Session, table: Mapping[str, Any]) -> Replayed:
    coins: ToldCoins | None = None
    if role is USERS:
        party = PlayedParty(role, session, users_again(session, table))
    else:
        coins = named_draws.coins_of(table["draws"][role])
        party = server(role, session, coins, table)
    due = [one for one in table["messages"] if one["from"] == role]
    inbox = [one for one in table["messages"] if one["to"] == role]
    stages = [stage for stage in table["stages"] if role in stage]
    sent = shown = 0
    while not party.done:
        for to, data, _ in party.turn():
            wanted = due[sent] if sent < len(due) else None
            if wanted is None or (wanted["to"], wanted["bytes"]) != (to, data.hex()):
                name = wanted["name"] if wanted else "no message"
                raise StateError(f"{role}: message {sent} is not the recorded one ({name})")
            sent += 1
        for one in party.shown():
            wanted = stages[shown] if shown < len(stages) else {}
            if (wanted.get("stage"), wanted.get("at"), wanted.get(role)) != (
                one["stage"],
                one["at"],
                one["shares"],
            ):
                raise StateError(f"{role}: stage {shown}, {one['stage']}, is not the recorded one")
            shown += 1
        if inbox:
            message = inbox.pop(0)
            party.ends.take(Role(message["from"]), bytes.fromhex(message["bytes"]))
        elif role is RECSYS and not party.done:
            party.ends.take(USERS, None)
    if (sent, shown, len(inbox)) != (len(due), len(stages), 0):
        raise StateError(f"{role}: ended after {sent} of {len(due)} messages")
    if coins is not None and not coins.used_up():
        raise StateError(f"{role}: did not draw all that the transcript gives it")
    if role is RECSYS and party.output != table["output"]:
        raise StateError("recsys: V is not the recorded one")
    return Replayed(role, sent, shown)


def main(arguments: list[str]) -> int:
    """Replay a transcript, that of the suite without an argument. Returns the exit status."""
    try:
        table = loads(Path(arguments[0]).read_bytes(), arguments[0]) if arguments else shipped()
        for line in replay(table):
            print(line)
    except (PpmfError, OSError) as error:
        print(f"transcript: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
