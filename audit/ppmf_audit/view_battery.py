# SPDX-License-Identifier: Apache-2.0
"""The battery: all checks of one party's transcript that the party's keys allow (PPMF-SEC-003).

A real view and a simulated one pass the same battery, and a protocol that is broken in one place
does not (`tests/security`). The battery makes the checks of `audit`, which need no key, and more:
the party's keys open the values it received (`opened_values`) and test the randomness of answers
(`answer_randomness`); the batch keys of its hashes must all be different; and the sequence of types
and lengths must be that of a view simulated from the leakage, which contains no rating.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import singledispatch

from ppmf_audit import base_points, converted_bits, masked_guesses, message_order, opened_values
from ppmf_audit.answer_randomness import Characters, Combinations
from ppmf_audit.base_points import BasePoints
from ppmf_audit.ciphertext_pieces import Seals
from ppmf_audit.ciphertexts import Ciphertexts
from ppmf_audit.finding import Finding
from ppmf_audit.masked_fields import Masks
from ppmf_audit.opened_values import Secrets
from ppmf_audit.repetition import Repetition
from ppmf_audit.transcript_outline import Direction, direction_of, entries
from ppmf_secure.primitives.encryption.interface import FittedScheme
from ppmf_secure.primitives.encryption.lattice.scheme import FittedRlwe
from ppmf_secure.primitives.encryption.paillier.keys import SecretKey
from ppmf_secure.primitives.encryption.paillier.scheme import PaillierScheme
from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_secure.protocols.admission import read_closing
from ppmf_secure.protocols.ratings_product import Orientation, fitted_scheme, orientations
from ppmf_secure.protocols.upload import keystream, open_seal
from ppmf_secure.session.transcript import Record
from ppmf_secure.simulator import Leakage
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError, PpmfError
from ppmf_spec.roles import SIDES, Role

Shape = list[tuple[str, str, str, tuple[int | str, ...]]]


def battery(
    party: Role,
    records: Sequence[Record],
    leakage: Leakage,
    secrets: Secrets,
    simulated: Sequence[Record],
) -> list[Finding]:
    """The findings on one party's transcript; `secrets` are the party's, `simulated` is a simulated
    view.

    party: "users" for the transcript of one user or several.
    """
    messages = [(direction_of(party, record), envelope) for record, envelope in _decoded(records)]
    session = leakage.session
    ciphertexts, points = Ciphertexts(session, suite=leakage.suite), BasePoints()
    masks, repetition = Masks(), Repetition()
    for direction, envelope in messages:
        ciphertexts.learn(direction, envelope)
    # a server may never see the key of the seals, nor CSP an upload
    ciphertexts.keys["key", Role.USERS, 0] = Seals()
    for direction, envelope in messages:
        ciphertexts.add(direction, envelope)
        points.add(direction, envelope.message)
        masks.add(direction, envelope.message)
        repetition.add(direction, envelope.message)
    found = message_order.check_view(party, list(entries(party, records)), session.id)
    found.append(_same_shape(records, simulated))
    found += ciphertexts.findings()[: 3 if party == Role.RECSYS else 2]
    found += points.findings() + masks.findings() + repetition.findings()
    if party != "users":
        received = [record.message for record in records if record.direction == "received"]
        found += _Owner(party, leakage, secrets, received).findings(messages)
        twice = len(secrets.batches) - len(set(secrets.batches))
        seen = f"{len(secrets.batches):,} keys, {twice} repeated"
        found.append(Finding("no batch key twice", not twice, seen))
    return found


def shape(records: Sequence[Record]) -> Shape:
    """Direction, peer, type and fields of every message: bytes by their length."""
    return [
        (
            record.direction,
            record.peer,
            f"{envelope.message.name} {envelope.epoch}/{envelope.number}",
            tuple(
                len(value) if isinstance(value, bytes | memoryview) else value
                for value in (getattr(envelope.message, f.name) for f in fields(envelope.message))
            ),
        )
        for record, envelope in _decoded(records)
    ]


def _same_shape(records: Sequence[Record], simulated: Sequence[Record]) -> Finding:
    check, ours, other = "shape of a simulated view", shape(records), shape(simulated)
    for number, (one, imagined) in enumerate(zip(ours, other, strict=False)):
        if one != imagined:
            seen = f"message {number}: {one[2]} {one[3]}, imagined {imagined[2]} {imagined[3]}"
            return Finding(check, False, seen)
    same = len(ours) == len(other)
    return Finding(check, same, f"{len(ours)} messages, {len(other)} imagined")


def _decoded(records: Sequence[Record]) -> Iterator[tuple[Record, wire.Envelope]]:
    for record in records:
        try:
            yield record, wire.decode(record.message)
        except EncodingError:
            continue  # the checks of order report it


@dataclass
class _Owner:
    """The checks that need a server's own keys, epoch after epoch."""

    party: Role
    leakage: Leakage
    secrets: Secrets
    received: Sequence[bytes]

    def findings(self, messages: Sequence[tuple[Direction, wire.Envelope]]) -> list[Finding]:
        """The findings on all values that the keys open."""
        found: list[Finding] = []
        for epoch in range(self.leakage.epochs):
            here = [(way, e.message) for way, e in messages if e.epoch == epoch]
            sent = [message for way, message in here if way[0] == self.party]
            got = [message for way, message in here if way[0] != self.party]
            try:
                found += self._epoch(epoch, sent, got)
            except PpmfError as error:
                found.append(Finding("what is received can be opened", False, str(error)))
        return found

    def _epoch(
        self, epoch: int, sent: Sequence[wire.Message], got: Sequence[wire.Message]
    ) -> Iterator[Finding]:
        yield from self._users(got)
        yield from self._base(sent)
        yield from self._conversion(epoch, got)
        keys = [message for message in sent if isinstance(message, wire.ServerKey)]
        if not keys:
            return
        session = self.leakage.session
        sizes = len(session.users), len(session.items)
        both = dict(zip(SIDES, orientations(session.parameters, *sizes), strict=True))
        scheme = fitted_scheme(session, self.leakage.suite)
        first = max(1, 2 * self.leakage.done(epoch))  # the first half-step with an answer
        answers = [message.answer for message in got if isinstance(message, wire.ProductAnswer)]
        for side, orientation in both.items():
            here = [a for at, a in enumerate(answers, start=first) if SIDES[at % 2] == side]
            rows = [
                message
                for message in sent
                if isinstance(message, wire.EncryptedRows) and message.packing == side
            ]
            if here:
                yield from _answer_findings(
                    scheme, self.secrets, keys[0].product_key, orientation, rows, here
                )

    def _users(self, got: Sequence[wire.Message]) -> Iterator[Finding]:
        session = self.leakage.session
        for message in got:
            if isinstance(message, wire.Closing):
                key, users = self.secrets.seals[session.sealing_key], session.users
                admitted = set(self.leakage.admitted_rows)
                seeds = {
                    users[one.row]: open_seal(session, users[one.row], key, one.sealed)[0]
                    for one in read_closing(session, message)
                    if one.row in admitted
                }
                yield opened_values.seed_finding("users' seeds", list(seeds.values()))
                masks = [keystream(session, user, seed) for user, seed in seeds.items()]
                code, items = RatingCode.of(session.parameters), len(session.items)
                yield masked_guesses.finding(code, items, masks, self.received)

    def _conversion(self, epoch: int, got: Sequence[wire.Message]) -> Iterator[Finding]:
        values = self.secrets.values.get(epoch, [])
        if values:
            session = self.leakage.session
            payloads = [each.payload for each in got if isinstance(each, wire.TransferPayload)]
            code, ring_bits = RatingCode.of(session.parameters), session.bounds.ring_bits
            # they come before all other corrections
            yield converted_bits.finding(code, ring_bits, payloads[: len(values)], values)

    def _base(self, sent: Sequence[wire.Message]) -> Iterator[Finding]:
        behind = self.secrets.points
        yield base_points.origin_finding(sent, behind)
        drawn = base_points.coins_behind(sent, behind)
        yield opened_values.seed_finding("secrets and candidates of base transfers", drawn)


@singledispatch
def _answer_findings(
    scheme: FittedScheme,
    secrets: Secrets,
    key: bytes,
    orientation: Orientation,
    rows: Sequence[wire.EncryptedRows],
    answers: Sequence[bytes],
) -> Iterator[Finding]:
    """The findings on the answers that an owner's key opens, in one orientation.

    key: the public one. rows: the encrypted rows that its owner sent.
    """
    raise NotImplementedError(f"no checks of the answers of {type(scheme).__name__}")


@_answer_findings.register
def _(
    scheme: PaillierScheme,
    secrets: Secrets,
    key: bytes,
    orientation: Orientation,
    rows: Sequence[wire.EncryptedRows],
    answers: Sequence[bytes],
) -> Iterator[Finding]:
    primes = secrets.primes[key]
    values, trace = (
        opened_values.slot_values(scheme.bits, orientation),
        Characters(primes, orientation),
    )
    for answer in answers:
        opened_values.slots(SecretKey(*primes), answer, orientation, values)
    yield values.finding()
    for message in rows:
        trace.learn(message.rows)
    for answer in answers:
        trace.add(answer)
    yield trace.finding()


@_answer_findings.register
def _(
    scheme: FittedRlwe,
    secrets: Secrets,
    key: bytes,
    orientation: Orientation,
    rows: Sequence[wire.EncryptedRows],
    answers: Sequence[bytes],
) -> Iterator[Finding]:
    found = opened_values.error_values(scheme.lattice, orientation)
    for answer in answers:
        opened_values.errors(scheme, secrets.polynomials[key], answer, orientation, found)
    shown = 2 if opened_values.flood_shows(scheme.lattice, orientation) else 1
    yield from (each.finding() for each in found[:shown])
    trace = Combinations(scheme.context, orientation)
    for message in rows:
        trace.learn(message.first, message.rows)
    for answer in answers:
        trace.add(answer)
    yield trace.finding()
