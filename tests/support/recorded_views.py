# SPDX-License-Identifier: Apache-2.0
"""Views to be examined: recorded in toy runs, or simulated, with the secrets of their owners."""

from __future__ import annotations

import hashlib
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ppmf_audit.base_points import PointSecrets
from ppmf_audit.finding import Finding
from ppmf_audit.opened_values import Secrets
from ppmf_audit.view_battery import battery
from ppmf_secure.arrays import Words
from ppmf_secure.effects import Program, Send
from ppmf_secure.parties import training as server_module
from ppmf_secure.parties.csp import csp
from ppmf_secure.parties.recsys import recsys
from ppmf_secure.primitives import base_transfers
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.lattice.owner import RlweOwner
from ppmf_secure.primitives.encryption.lattice.params import TOY
from ppmf_secure.primitives.encryption.lattice.scheme import FittedRlwe, RlweScheme
from ppmf_secure.primitives.encryption.paillier.keys import SecretKey
from ppmf_secure.primitives.hashing import BatchKeys
from ppmf_secure.primitives.workers import Workers
from ppmf_secure.protocols import transfers as transfers_module
from ppmf_secure.protocols.conversion import Conversion
from ppmf_secure.session.cipher_suites import CipherSuite, cipher_suite
from ppmf_secure.session.session import Session
from ppmf_secure.session.transcript import Record, read
from ppmf_secure.simulator import Interruption, Leakage, simulate_csp, simulate_recsys
from ppmf_spec import wire
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.roles import CSP, RECSYS, USERS, Role
from tests.support.lattice_schemes import secrets_of
from tests.support.power_cuts import PowerCutError, cut_at
from tests.support.ratings import ratings_of
from tests.support.sessions import SEALING, consent_keys, session_of
from tests.support.three_parties import run_epoch

PAILLIER = cipher_suite("paillier-512-insecure")
LATTICE = cipher_suite("rlwe-64-insecure")
FINE_LATTICE = CipherSuite(RlweScheme(TOY, keep_most=True))
"""The lattice suite for tests, but all primes but one kept: the rounding hides next to nothing, and
what is before it can be seen."""

SERVERS = {RECSYS: recsys, CSP: csp}
Views = dict[Role, list[Record]]
"""By party, of whom all users are one."""


@dataclass(frozen=True)
class Case:
    """A toy run: its public session, the ratings, and in which half-steps CSP loses power.

    forgetful: the server that then loses its newest checkpoint too.
    absent: the rows of users who send nothing. spoiled: of those whose seal does not open.
    """

    parameters: Parameters
    users: int
    items: int
    suite: CipherSuite
    ratings: Mapping[tuple[int, int], int]
    cuts: tuple[int, ...] = ()
    forgetful: str = ""
    absent: frozenset[int] = frozenset()
    spoiled: frozenset[int] = frozenset()

    @property
    def session(self) -> Session:
        numbered = ratings_of(self.users, self.items, {})
        nonce = hashlib.sha256(b"views").digest()[:16]  # whatever is wrong with the coins
        lists = numbered.users, numbered.items
        least = min(self.users, max(2, self.users - len(self.absent | self.spoiled)))
        return session_of(self.parameters, *lists, self.suite.name, nonce, least=least)

    def of_users(self, program: Program[Any]) -> Program[Any]:
        """The users' program, without those who are absent, and with seals that are spoiled."""
        ids = self.session.users
        reply: Any = None
        while True:
            try:
                effect = program.send(reply)
            except StopIteration as end:
                return end.value
            reply = None
            if isinstance(effect, Send) and isinstance(effect.message, wire.Upload):
                row, sealed = ids.index(effect.message.user), effect.message.sealed
                if row in self.absent:
                    continue
                if row in self.spoiled:
                    sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
                    effect = Send(effect.to, replace(effect.message, sealed=sealed))
            reply = yield effect


@dataclass
class Run:
    """What a run left: V, the views, and each server's secrets."""

    output: ItemProfiles
    views: Views
    secrets: dict[Role, Secrets]
    leakage: Leakage


def record(case: Case, coins: str = "real") -> Run:
    """Run the protocol as it now is (it may be broken), in an epoch more than there are cuts."""
    session, ratings = case.session, ratings_of(case.users, case.items, case.ratings)
    with tempfile.TemporaryDirectory() as name, taps() as secrets:
        folder = Path(name)

        def epoch(number: int, cut: int | None) -> Any:
            return run_epoch(
                session,
                case.suite,
                lambda role: (
                    Coins.seeded(f"{coins}/{USERS}")
                    if role is USERS
                    else server_coins(coins, role, number)
                ),
                ratings=None if number else ratings,
                epoch=number,
                transcripts=folder,
                checkpoints=folder,
                change=lambda role, program: (
                    case.of_users(program)
                    if role is USERS
                    else cut_at(program, cut if role is CSP else None)
                ),
            )[RECSYS]

        kept_by = _Checkpoints(folder)
        interruptions = []
        for number, cut in enumerate(case.cuts):
            with pytest.raises(PowerCutError):
                epoch(number, cut)
            if case.forgetful:
                sorted((folder / case.forgetful).glob("model-*.state"))[-1].unlink()
            interruptions.append(Interruption(_exchanged(folder, number), kept_by.after(number)))
        output = epoch(len(interruptions), None)
        views = {
            party: list(read(folder / party / f"{party}.cborseq")) for party in (RECSYS, CSP, USERS)
        }
    ids = dict(enumerate(session.users))
    uploads = tuple((user, 1) for row, user in ids.items() if row not in case.absent)
    admitted = frozenset(ids[row] for row in ids.keys() - case.absent - case.spoiled)
    leakage = Leakage(session, case.suite, tuple(interruptions), uploads, admitted)
    return Run(output, views, secrets, leakage)


def server_coins(label: str, server: Role, epoch: int) -> Coins:
    """The coins of a server in an epoch: a leak may give them out twice."""
    return Coins.seeded(f"{label}/{server}/{epoch}")


def simulate(leakage: Leakage, output: ItemProfiles, coins: str = "simulated") -> Run:
    """The servers' views from what they may know."""
    with taps() as secrets:
        views = {
            RECSYS: simulate_recsys(leakage, output, Coins.seeded(f"{coins}/{RECSYS}")),
            CSP: simulate_csp(
                leakage,
                SEALING,
                consent_keys(leakage.session),
                Coins.seeded(f"{coins}/{CSP}"),
            ),
        }
    return Run(output, views, secrets, leakage)


def examine(run: Run, party: Role, imagined: Run) -> list[Finding]:
    """The battery's findings on a server's view."""
    view, secrets = run.views[party], run.secrets[party]
    return battery(party, view, run.leakage, secrets, imagined.views[party])


def failed(findings: list[Finding]) -> set[str]:
    return {one.check for one in findings if not one.ok}


@dataclass
class _Taps:
    """The keys of everybody, by public key; what is behind points, by their encodings; batch keys
    and shares of the values of ratings by the object that derives the keys.
    """

    primes: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    polynomials: dict[bytes, np.ndarray[Any, np.dtype[np.int64]]] = field(default_factory=dict)
    secrets: dict[bytes, int] = field(default_factory=dict)
    candidates: dict[bytes, list[bytes]] = field(default_factory=dict)
    batches: dict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    transfers: list[transfers_module.Transfers] = field(default_factory=list)
    values: dict[int, list[Words]] = field(default_factory=lambda: defaultdict(list))


@contextmanager
def taps() -> Iterator[dict[Role, Secrets]]:
    """Within, every key that is made is noted; filled in at the end, for both servers."""
    secrets: dict[Role, Secrets] = {}
    noted = _Taps()
    make_paillier, make_lattice = SecretKey.generate, FittedRlwe.generate
    derive, open_transfers = BatchKeys.key, transfers_module.open_transfers
    weigh = Conversion._weighed
    make_secret, choose_point = base_transfers.fresh_secret, base_transfers.first_point

    def paillier(bits: int, coins: Coins) -> SecretKey:
        made = make_paillier(bits, coins)
        noted.primes[made.public.to_bytes()] = int(made._p), int(made._q)
        return made

    def lattice(self: FittedRlwe, coins: Coins, workers: Workers | None = None) -> RlweOwner:
        made = make_lattice(self, coins, workers)
        noted.polynomials[made.public] = secrets_of(made)
        return made

    def secret(coins: Coins) -> ec.EllipticCurvePrivateKey:
        made = make_secret(coins)
        encoded = base_transfers.write_point(made.public_key())
        noted.secrets[encoded] = made.private_numbers().private_value
        return made

    def point(candidates: Iterable[bytes]) -> bytes:
        drawn: list[bytes] = []

        def watched() -> Iterator[bytes]:
            for each in candidates:
                drawn.append(each)
                yield each

        made = choose_point(watched())
        noted.candidates[made] = drawn
        return made

    def key(self: BatchKeys, purpose: str, *indices: int) -> bytes:
        made = derive(self, purpose, *indices)
        noted.batches[id(self)].append(made)
        return made

    def opened(*arguments: Any) -> Program[transfers_module.Transfers]:
        made = yield from open_transfers(*arguments)
        noted.transfers.append(made)
        return made

    def value(self: Conversion, numbers: Words) -> Words:
        made = weigh(self, numbers)
        noted.values[id(self.transfers.keys)].append(made)
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Conversion, "_weighed", value)
        patch.setattr(SecretKey, "generate", paillier)
        patch.setattr(FittedRlwe, "generate", lattice)
        patch.setattr(base_transfers, "fresh_secret", secret)
        patch.setattr(base_transfers, "first_point", point)
        patch.setattr(BatchKeys, "key", key)
        patch.setattr(server_module, "open_transfers", opened)
        yield secrets
    for party in SERVERS:
        mine = [each for each in noted.transfers if each.me == party]
        batches = [name for each in mine for name in noted.batches[id(each.keys)]]
        points = PointSecrets(noted.secrets, noted.candidates)
        seals = {SEALING.public: SEALING} if party is CSP else {}
        values = {} if party is CSP else dict(enumerate(noted.values[id(t.keys)] for t in mine))
        secrets[party] = Secrets(noted.primes, noted.polynomials, seals, points, batches, values)


def _exchanged(folder: Path, epoch: int) -> dict[Role, int]:
    """How many messages each server's transcript has of that epoch."""
    return {
        server: sum(
            wire.decode(record.message).epoch == epoch
            for record in read(folder / server / f"{server}.cborseq")
        )
        for server in SERVERS
    }


class _Checkpoints:
    """Which checkpoints lie in the servers' folders, and in which epoch each was made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[bytes, int] = {}

    def after(self, epoch: int) -> dict[Role, frozenset[tuple[int, int]]]:
        return {server: frozenset(self._held(server, epoch)) for server in SERVERS}

    def _held(self, server: Role, epoch: int) -> Iterator[tuple[int, int]]:
        for path in (self._folder / server).glob("model-*.state"):
            made = self._made.setdefault(path.read_bytes(), epoch)
            yield int(path.stem.removeprefix("model-")), made
