# SPDX-License-Identifier: Apache-2.0
"""A secure training of toy size, recorded when the site is built and shown by diagrams and
examples.

The training has three users and three items. All parties run in one thread, with keys far too short
for use and with coins from a label, so that every build records the same bytes.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ppmf_audit import Finding, audit
from ppmf_reference import ratings_from
from ppmf_secure.effects import Program
from ppmf_secure.parties.csp import csp
from ppmf_secure.parties.recsys import recsys
from ppmf_secure.parties.users import users
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.message_plan import limits
from ppmf_secure.protocols.upload import user_rows
from ppmf_secure.session.checkpoint import (
    Checkpoint,
    RatingBits,
    read_checkpoint,
    read_ratings,
)
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.session import Session
from ppmf_secure.session.set_up import agree, write
from ppmf_secure.session.transcript import Record, Recorder, read, record_session, transcript_file
from ppmf_secure.transport.recorded_ends import Account, Progress
from ppmf_secure.transport.stepper import run_together
from ppmf_secure.transport.store import Store
from ppmf_spec import wire
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.roles import CSP, RECSYS, USERS, Role

SUITE = "rlwe-64-insecure"
LABEL = "docs"
PARTIES = (CSP, USERS, RECSYS)

PARAMETERS = Parameters(
    rank=2,
    iterations=2,
    inner_steps=1,
    curvature_shift=0,
    ridge=Fraction("0.5"),
    l1=Fraction("0.125"),
    damping=1,
    box_bits=0,
    seed="example",
)
STARS = np.array([[5, 4.5, np.nan], [4, np.nan, 1.5], [np.nan, 2, 3.5]])
RATINGS = ratings_from(
    STARS, PARAMETERS, users=("ann", "bob", "cyd"), items=("alien", "brazil", "casablanca")
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message as it was sent: in which phase and half-step of its sender, and its bytes.

    fields: name, class and length in bytes of every field; an integer field has length 0.
    number: how many messages went this way before; seen: how many came the other way.
    """

    sender: Role
    receiver: Role
    phase: str
    half_step: int
    data: bytes
    name: str
    fields: tuple[tuple[str, str, int], ...]
    number: int
    seen: int


@dataclass(frozen=True)
class Training:
    """The result of a recorded training.

    ratings: each server's share of the users' bits. models: each server's last checkpoints.
    findings: what `ppmf audit` says of its transcripts.
    """

    parameters: Parameters
    sent: tuple[Sent, ...]
    profiles: ItemProfiles
    ratings: Mapping[Role, RatingBits]
    models: Mapping[Role, Mapping[int, Checkpoint]]
    findings: tuple[Finding, ...]


@cache
def recorded(iterations: int) -> Training:
    """The toy training with that many iterations."""
    params = Parameters.from_toml(
        PARAMETERS.to_toml().replace("iterations = 2\n", f"iterations = {iterations}\n")
    )
    marks: dict[Role, list[tuple[int, str, int]]] = {party: [] for party in PARTIES}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def transcript(party: Role) -> list[Record]:
            return list(read(transcript_file(folder, party)))

        def mark(now: Progress) -> None:
            marks[now.party].append((len(transcript(now.party)), now.phase, now.done))

        session, profiles = _trained(params, folder, mark)
        ratings, models = {}, {}
        for party in (RECSYS, CSP):
            kept = Store(folder / party).kept()
            ratings[party] = read_ratings(session, kept.ratings)
            saved = (read_checkpoint(session, state) for state in kept.checkpoints)
            models[party] = {checkpoint.iteration: checkpoint for checkpoint in saved}
        sent = tuple(merged({party: transcript(party) for party in PARTIES}, marks))
        findings = tuple(audit(folder))
    return Training(params, sent, profiles, ratings, models, findings)


def _trained(
    params: Parameters, folder: Path, on_progress: Callable[[Progress], None]
) -> tuple[Session, ItemProfiles]:
    """Run the three parties, with transcripts and checkpoints in the folder."""
    chosen = cipher_suite(SUITE)
    coins = {name: Coins.seeded(f"{LABEL}/{name}") for name in ("session", *PARTIES)}
    agreed = agree(
        params,
        RATINGS.users,
        RATINGS.items,
        chosen.name,
        recsys=coins["session"],
        csp=coins["session"],
        trial=True,
    )
    session, keys = agreed.session, agreed.consent_keys
    programs: dict[Role, Program[Any]] = {
        USERS: users(session, user_rows(RATINGS), keys, coins[USERS]),
        RECSYS: recsys(session, chosen, coins[RECSYS]),
        CSP: csp(session, chosen, coins[CSP], sealing=agreed.sealing, consent_keys=keys),
    }
    record_session(folder, write(agreed.signed))
    with ExitStack() as stack:
        accounts = {}
        for party in programs:
            recorder = stack.enter_context(Recorder(folder, party))
            store = Store(None if party is USERS else folder / party)
            accounts[party] = Account(party, recorder, on_progress, store)
        bounded = limits(session, chosen, epoch=0)
        results = run_together(programs, session.id, limits=bounded, accounts=accounts)
    profiles = results[RECSYS]
    assert isinstance(profiles, ItemProfiles)
    return session, profiles


def merged(
    transcripts: Mapping[Role, Sequence[Record]],
    marks: Mapping[Role, Sequence[tuple[int, str, int]]],
) -> Iterator[Sent]:
    """All messages of a run in an order in which they can have been sent.

    Each party goes on as far as it can: a message is received only after it was sent, and must be
    the one that was sent. marks: by party, before which record a phase and half-step began.
    """
    next_record = dict.fromkeys(transcripts, 0)
    ways = [(sender, receiver) for sender in transcripts for receiver in transcripts]
    under_way: dict[tuple[Role, Role], deque[bytes]] = {way: deque() for way in ways}
    sent, received = dict.fromkeys(ways, 0), dict.fromkeys(ways, 0)
    moved = True
    while moved:
        moved = False
        for party, records in transcripts.items():
            while next_record[party] < len(records):
                number = next_record[party]
                record = records[number]
                way, back = (party, record.peer), (record.peer, party)
                if record.direction == "sent":
                    begun = [mark for mark in marks[party] if mark[0] <= number]
                    yield _sent(party, record, begun[-1], sent[way], received[back])
                    under_way[way].append(record.message)
                    sent[way] += 1
                else:
                    if not under_way[back]:
                        break
                    if under_way[back].popleft() != record.message:
                        raise ValueError(f"{party} received what {record.peer} did not send")
                    received[back] += 1
                next_record[party] += 1
                moved = True
    if any(under_way.values()) or any(next_record[p] < len(r) for p, r in transcripts.items()):
        raise ValueError("the transcripts are not of one run")


def _sent(sender: Role, record: Record, mark: tuple[int, str, int], number: int, seen: int) -> Sent:
    message = wire.decode(record.message).message
    fields = tuple(
        (name, str(field_class), len(value) if isinstance(value, bytes | str) else 0)
        for name, field_class, value in message.fields_with_class()
    )
    _, phase, half_step = mark
    return Sent(
        sender, record.peer, phase, half_step, record.message, message.name, fields, number, seen
    )
