# SPDX-License-Identifier: Apache-2.0
"""The training as both servers run it: their keys, its phases, and later epochs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ppmf_reference import fixed
from ppmf_secure.effects import Begin, Phase, Program, Receive, Send
from ppmf_secure.parties.csp import csp
from ppmf_secure.parties.recsys import recsys
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.paillier.keys import SecretKey
from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.protocols.admission import Decision
from ppmf_secure.protocols.ratings_product import orientations
from ppmf_secure.protocols.upload import (
    upload,
)
from ppmf_secure.session.checkpoint import (
    Kept,
    RatingBits,
    write_admission,
    write_closing,
    write_ratings,
)
from ppmf_secure.session.cipher_suites import CipherSuite, cipher_suite
from ppmf_secure.transport.recorded_ends import Progress
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError, ParametersError, RangeError, StateError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, USERS
from tests.support.ideal import ideal_suite
from tests.support.messages import message_of
from tests.support.ratings import ratings_of
from tests.support.sessions import SEALING, consent_keys, session_of
from tests.support.three_parties import run_epoch
from tests.support.toy_runs import run_toy, toy_session

RATINGS = ratings_of(2, 2, {(0, 0): 4, (1, 1): -3})
PARAMS = Parameters(rank=1, iterations=4)
HALF_STEP = ("products", "steps", "updates")

LATTICE, PAILLIER = cipher_suite("rlwe-64-insecure"), cipher_suite("paillier-512-insecure")
SMALLEST = orientations(Parameters(rank=1), 1, 3)
LATTICE_KEY = (
    LATTICE.products.fit([each.layout for each in SMALLEST]).generate(Coins.seeded("key")).public
)
NOTHING = Row(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
MODULUS = SecretKey.generate(512, Coins.seeded("test modulus")).public.to_bytes()


# -- keys ------------------------------------------------------------------------------------------


def _csp_that_waits_for_a_key(chosen: CipherSuite) -> Program[None]:
    """CSP's program for one user, up to where RecSys' key is due."""
    session = session_of(Parameters(rank=1), ("1",), ("7", "8", "9"), chosen.name, bytes(16))
    keys = consent_keys(session)
    program = csp(session, chosen, Coins.seeded("csp"), sealing=SEALING, consent_keys=keys)
    sealed = upload(session, "1", 1, NOTHING, keys["1"], Coins.seeded("u")).sealed
    while not isinstance(next(program), Receive):
        pass
    seals = (1).to_bytes(8, "little") + sealed
    effect = program.send(message_of(wire.Closing, presence=b"\1", seals=seals))
    while not (isinstance(effect, Send) and isinstance(effect.message, wire.ServerKey)):
        effect = next(program)
    next(program)
    return program


@pytest.mark.req("PPMF-PRD-001", "PPMF-ERR-006")
def test_a_key_under_another_suites_name_is_refused() -> None:
    program = _csp_that_waits_for_a_key(ideal_suite())
    other = message_of(wire.ServerKey, suite="paillier-3072")
    with pytest.raises(StateError, match="recsys runs suite 'paillier-3072', this server ideal"):
        program.send(other)


@pytest.mark.req("PPMF-PRD-001", "PPMF-RLW-013", "PPMF-AHE-004", "PPMF-ERR-002")
@pytest.mark.parametrize(
    ("chosen", "key", "error", "message"),
    [
        (LATTICE, MODULUS, EncodingError, "lattice public key: 64 bytes where 2496"),
        (LATTICE, b"\xff" * 2496, RangeError, "lattice public key: a residue is outside"),
        (PAILLIER, LATTICE_KEY, EncodingError, "Paillier public key: 2496 bytes instead of"),
        (PAILLIER, b"\xff" * 64, RangeError, "Paillier public key: the modulus has a"),
    ],
)
def test_a_key_that_does_not_fit_the_named_suite_is_refused(
    chosen: CipherSuite, key: bytes, error: type[Exception], message: str
) -> None:
    """The name of the suite is right, the key is not."""
    program = _csp_that_waits_for_a_key(chosen)
    with pytest.raises(error, match=message):
        program.send(message_of(wire.ServerKey, suite=chosen.name, product_key=key))


@pytest.mark.req("PPMF-PRD-001")
@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((PAILLIER, LATTICE), "csp to recsys: more than the 144 bytes that are due at most"),
        ((LATTICE, PAILLIER), "lattice public key: 64 bytes where 2496 are due"),
    ],
)
def test_a_run_ends_when_the_servers_mean_different_suites_by_one_name(
    names: tuple[CipherSuite, CipherSuite], message: str
) -> None:
    """RecSys and CSP agree on the name, and disagree on what it stands for."""
    ratings = ratings_of(1, 3, {(0, 0): 4})
    session = session_of(Parameters(rank=1), ratings.users, ("1", "2", "3"), "any", bytes(16))
    suites = dict(zip((RECSYS, CSP), names, strict=True))
    with pytest.raises(EncodingError, match=message):
        run_epoch(session, suites, Coins.seeded, ratings=ratings)


@pytest.mark.req("PPMF-SES-003")
@pytest.mark.parametrize("server", [csp, recsys])
def test_a_session_beyond_a_suites_budget_is_refused_before_anything_is_sent(
    server: Callable[..., Program[object]],
) -> None:
    many = tuple(str(number) for number in range(1, 60_001))
    session = session_of(Parameters(ring_bits=64), many, ("1",), "rlwe-8192", bytes(16))
    with pytest.raises(ParametersError, match="flood"):
        next(server(session, cipher_suite("rlwe-8192"), Coins.seeded("x")))


# -- phases and epochs -----------------------------------------------------------------------------


def halves(first: int) -> list[tuple[str, int, int]]:
    return [(phase, done, 8) for done in range(first, 8) for phase in HALF_STEP]


@pytest.mark.req("PPMF-RUN-005")
def test_a_run_names_its_phases() -> None:
    seen: list[Progress] = []
    found = run_toy(RATINGS, PARAMS, ideal_suite(), on_progress=seen.append)
    assert found == fixed.train(RATINGS, PARAMS)
    beginning = [("keys", 0, 8), ("upload", 0, 8), ("set-up", 0, 8)]
    for party in (RECSYS, CSP):
        mine = [(step.phase, step.done, step.total) for step in seen if step.party == party]
        assert mine == [*beginning, *halves(0), ("output", 8, 8)]
    assert [step for step in seen if step.party == USERS] == [Progress(USERS, "upload", 0, 8)]


@pytest.mark.req("PPMF-RES-001", "PPMF-RES-002", "PPMF-RES-005")
def test_a_later_epoch_goes_on_after_the_last_iteration_kept(tmp_path: Path) -> None:
    run_toy(RATINGS, PARAMS, ideal_suite(), checkpoints=tmp_path)
    for name in (RECSYS, CSP):
        names = sorted(path.name for path in (tmp_path / name).iterdir())
        once = ["admission.state", "closing.state"]
        assert names == [*once, "model-2.state", "model-3.state", "ratings.state"]
    session = toy_session(RATINGS, PARAMS, ideal_suite(), "toy")
    seen: list[Progress] = []
    found = run_epoch(
        session,
        ideal_suite(),
        lambda role: Coins.seeded(f"later/{role}"),
        epoch=1,
        checkpoints=tmp_path,
        on_progress=seen.append,
    )
    assert found[RECSYS] == fixed.train(RATINGS, PARAMS)
    for name in (RECSYS, CSP):
        mine = [(step.phase, step.done, step.total) for step in seen if step.party == name]
        assert mine == [("keys", 0, 8), ("set-up", 6, 8), *halves(6), ("output", 8, 8)]


@pytest.mark.req("PPMF-ERR-006")
def test_a_long_name_of_another_suite_is_cut() -> None:
    session = toy_session(RATINGS, PARAMS, ideal_suite(), "toy")
    nothing = RatingBits(np.zeros((5, 2, 1), dtype=np.uint8))
    closing, admission = wire.Closing(b"\0", b""), wire.Admission(b"\0")
    once = write_closing(session, closing, None), write_admission(session, admission)
    decision = Decision(closing, admission).digest(session)
    kept = Kept(write_ratings(session, nothing), *once, ())
    program = recsys(session, ideal_suite(), Coins.seeded("recsys"), epoch=1, kept=kept)
    assert [type(next(program)) for _ in range(4)] == [Phase, Begin, Send, Receive]
    assert type(program.send(message_of(wire.Resume, decision=decision))) is Phase
    assert [type(next(program)) for _ in range(2)] == [Send, Receive]
    with pytest.raises(StateError, match=r"^csp runs suite 'x{40}', this server ideal: use"):
        program.send(message_of(wire.ServerKey, suite="x" * 50))


@pytest.mark.req("PPMF-ADM-005")
def test_csp_does_not_begin_without_the_consent_key_of_every_user() -> None:
    chosen = ideal_suite()
    session = session_of(Parameters(rank=1), ("1", "2"), ("7",), chosen.name, bytes(16))
    keys = dict(list(consent_keys(session).items())[1:])
    program = csp(session, chosen, Coins.seeded("csp"), sealing=SEALING, consent_keys=keys)
    with pytest.raises(StateError, match="lacks the consent keys of 1 users"):
        list(program)
