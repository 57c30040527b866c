# SPDX-License-Identifier: Apache-2.0
"""Uploads as users make them, as RecSys takes them and as CSP opens them; sessions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.effects import Program, Receive, Refuse, Send
from ppmf_secure.parties.csp import csp
from ppmf_secure.parties.recsys import recsys
from ppmf_secure.parties.users import users
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.paillier.keys import SecretKey
from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.protocols.public_start import public_start
from ppmf_secure.protocols.upload import (
    SEALED_BYTES,
    Intake,
    expand_seed,
    open_seed,
    upload,
    user_rows,
)
from ppmf_secure.session.cipher_suites import CipherSuite, cipher_suite
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError, ParametersError, RangeError, StateError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS
from tests.support.ideal import ideal_suite
from tests.support.three_parties import run_epoch
from tests.support.toy_runs import ratings_of

KEY = SealingKey.generate(Coins.seeded("test key"))


def _session(users: tuple[str, ...] = ("1", "2"), nonce: int = 0) -> Session:
    return Session(Parameters(rank=1), users, ("7", "8", "9"), "ideal", bytes([nonce] * 16))


def _upload(session: Session, user: str, rows: np.ndarray, coins: str = "coins") -> wire.Upload:
    return upload(session, user, rows, KEY.public, Coins.seeded(coins))


@pytest.mark.req("PPMF-UPL-001", "PPMF-UPL-003")
@given(
    w=st.lists(st.integers(0, 1), min_size=3, max_size=3),
    x=st.lists(st.integers(-5, 4), min_size=3, max_size=3),
    coins=st.text("uv", max_size=5),
)
def test_the_two_servers_shares_are_the_rows(w: list[int], x: list[int], coins: str) -> None:
    session = _session()
    rows = np.array([w, x], dtype=np.int64).astype(np.uint64)
    intake = Intake(session)
    for user in session.users:
        intake.take(_upload(session, user, rows, coins + user))
    assert intake.missing == 0
    shares = intake.shares()
    sealed = intake.sealed_seeds()
    for row, user in enumerate(session.users):
        seed = open_seed(session, user, KEY, sealed[row * SEALED_BYTES : (row + 1) * SEALED_BYTES])
        mask = expand_seed(session, user, seed)
        assert (shares.rated[row] + mask[0]).tolist() == w
        assert (shares.rating[row] + mask[1]).astype(np.int64).tolist() == x


@pytest.mark.req("PPMF-UPL-006")
def test_a_retry_is_taken_and_a_second_upload_refused() -> None:
    session = _session()
    intake = Intake(session)
    rows = np.zeros((2, 3), dtype=np.uint64)
    first = _upload(session, "1", rows)
    intake.take(first)
    intake.take(first)
    assert intake.missing == 1
    with pytest.raises(StateError, match="user 1: a second upload"):
        intake.take(_upload(session, "1", rows, "other coins"))
    intake.take(_upload(session, "2", rows))
    assert intake.missing == 0, "what was taken before stays taken"


@pytest.mark.req("PPMF-UPL-008")
def test_a_seed_is_bound_to_its_session_and_user() -> None:
    session = _session()
    sealed = _upload(session, "1", np.zeros((2, 3), dtype=np.uint64)).sealed
    open_seed(session, "1", KEY, sealed)
    with pytest.raises(StateError, match="user 2: it was made for another key, session or user"):
        open_seed(session, "2", KEY, sealed)
    with pytest.raises(StateError, match="user 1: it was made for another key, session or user"):
        open_seed(_session(nonce=1), "1", KEY, sealed)


@pytest.mark.req("PPMF-UPL-006", "PPMF-ERR-003")
def test_malformed_uploads_name_the_user() -> None:
    session = _session()
    intake = Intake(session)
    good = _upload(session, "1", np.zeros((2, 3), dtype=np.uint64))
    with pytest.raises(RangeError, match="'3': not on the user list"):
        intake.take(wire.Upload("3", good.masked, good.sealed))
    with pytest.raises(EncodingError, match="user 1: masked rows: 47 bytes where 48"):
        intake.take(wire.Upload("1", good.masked[:-1], good.sealed))
    with pytest.raises(EncodingError, match="seed of user 1: 79 bytes instead of 80"):
        intake.take(wire.Upload("1", good.masked, good.sealed[1:]))
    with pytest.raises(RangeError, match="seed of user 1: a point of small order"):
        intake.take(wire.Upload("1", good.masked, bytes(SEALED_BYTES)))
    assert intake.missing == 2


@pytest.mark.req("PPMF-SES-001")
def test_a_sessions_id_names_all_that_is_public() -> None:
    base = _session()
    others = [
        _session(nonce=1),
        _session(users=("1", "3")),
        Session(Parameters(rank=2), base.users, base.items, "ideal", base.nonce),
        Session(base.parameters, base.users, ("7", "8"), "ideal", base.nonce),
        Session(base.parameters, base.users, base.items, "other", base.nonce),
    ]
    assert len({base.id, *(other.id for other in others)}) == len(others) + 1
    assert _session().id == base.id


@pytest.mark.req("PPMF-SES-002")
def test_a_session_that_cannot_be_correct_is_refused() -> None:
    with pytest.raises(RangeError, match="user list is empty or not in canonical order"):
        _session(users=("2", "1"))
    with pytest.raises(RangeError, match="user list"):
        _session(users=())
    with pytest.raises(ParametersError, match="nonce"):
        Session(Parameters(), ("1",), ("1",), "ideal", b"short")
    with pytest.raises(ParametersError):
        Session(Parameters(step_bits=30), ("1",), ("1",), "ideal", bytes(16))


def test_the_public_start_is_the_oracles() -> None:
    from ppmf_reference import fixed

    params = Parameters(rank=3, frac_bits=9)
    ours = public_start(params, 2, 4)
    for side, theirs in zip(ours, fixed.start(params, 2, 4), strict=True):
        assert side.astype(np.int64).T.tolist() == [list(row) for row in theirs]


@pytest.mark.req("PPMF-UPL-001")
def test_rows_of_users_with_and_without_ratings() -> None:
    ratings = ratings_of(3, 2, {(0, 1): -5, (2, 0): 4})
    rows = dict(user_rows(ratings))
    assert list(rows) == ["1", "2", "3"]
    assert rows["1"].astype(np.int64).tolist() == [[0, 1], [0, -5]]
    assert rows["2"].tolist() == [[0, 0], [0, 0]]
    assert rows["3"].astype(np.int64).tolist() == [[1, 0], [4, 0]]


@pytest.mark.req("PPMF-PRD-001", "PPMF-ERR-006")
def test_servers_of_different_suites_say_so() -> None:
    program = _csp_that_waits_for_a_key(ideal_suite())
    other = wire.ServerKey("paillier-3072", b"", b"")
    with pytest.raises(StateError, match="recsys runs suite paillier-3072, this server ideal"):
        program.send(other)


def _csp_that_waits_for_a_key(chosen: CipherSuite) -> Program[None]:
    """CSP's program for one user, up to where RecSys' key is due."""
    session = Session(Parameters(rank=1), ("1",), ("7", "8", "9"), chosen.name, bytes(16))
    program = csp(session, chosen, Coins.seeded("csp"))
    effect = next(program)
    while not (isinstance(effect, Send) and isinstance(effect.message, wire.UserKey)):
        effect = next(program)
    rows = np.zeros((2, 3), dtype=np.uint64)
    sealed = upload(session, "1", rows, effect.message.key, Coins.seeded("u")).sealed
    while not isinstance(next(program), Receive):
        pass
    effect = program.send(wire.SealedSeeds(sealed))
    while not isinstance(effect, Send):
        effect = next(program)
    next(program)
    return program


LATTICE, PAILLIER = cipher_suite("rlwe-64-insecure"), cipher_suite("paillier-512-insecure")
LATTICE_KEY = LATTICE.products.generate(Coins.seeded("lattice key")).public
MODULUS = SecretKey.generate(512, Coins.seeded("test modulus")).public.to_bytes()


@pytest.mark.req("PPMF-PRD-001", "PPMF-RLW-013", "PPMF-AHE-004", "PPMF-ERR-002")
@pytest.mark.parametrize(
    ("chosen", "keys", "error", "message"),
    [
        (LATTICE, (MODULUS, MODULUS), EncodingError, "lattice public key: 64 bytes where 1792"),
        (LATTICE, (b"\xff" * 1792, MODULUS), RangeError, "lattice public key: a residue is outs"),
        (LATTICE, (LATTICE_KEY,) * 2, EncodingError, "Paillier public key: 1792 bytes instead of"),
        (PAILLIER, (LATTICE_KEY, MODULUS), EncodingError, "Paillier public key: 1792 bytes inste"),
        (PAILLIER, (b"\xff" * 64, MODULUS), RangeError, "Paillier public key: the modulus has a"),
    ],
)
def test_a_key_of_another_suite_is_named(
    chosen: CipherSuite, keys: tuple[bytes, bytes], error: type[Exception], message: str
) -> None:
    """The name of the suite is right, the key is not."""
    program = _csp_that_waits_for_a_key(chosen)
    with pytest.raises(error, match=message):
        program.send(wire.ServerKey(chosen.name, *keys))


@pytest.mark.req("PPMF-PRD-001")
@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((PAILLIER, LATTICE), "lattice public key: 64 bytes where 1792 are due"),
        ((LATTICE, PAILLIER), "Paillier public key: 1792 bytes instead of 64"),
    ],
)
def test_a_run_of_servers_with_keys_of_different_suites_says_so(
    names: tuple[CipherSuite, CipherSuite], message: str
) -> None:
    """RecSys and CSP agree on the name, and disagree on what it stands for."""
    ratings = ratings_of(1, 3, {(0, 0): 4})
    session = Session(Parameters(rank=1), ratings.users, ("1", "2", "3"), "any", bytes(16))
    suites = dict(zip((RECSYS, CSP), names, strict=True))
    with pytest.raises(EncodingError, match=message):
        run_epoch(session, suites, Coins.seeded, ratings=ratings)


@pytest.mark.req("PPMF-UPL-009")
def test_a_user_refuses_what_is_no_key_for_seals() -> None:
    rows = [("1", np.zeros((2, 3), dtype=np.uint64))]
    for key, error in ((bytes(31), EncodingError), (bytes(32), RangeError)):
        program = users(_session(), rows, Coins.seeded("u"))
        while not isinstance(next(program), Receive):
            pass
        with pytest.raises(error, match="CSP's key for seals"):
            program.send(wire.UserKey(key))


@pytest.mark.req("PPMF-UPL-007")
def test_recsys_waits_for_every_user() -> None:
    session = _session()
    program = recsys(session, ideal_suite(), Coins.seeded("recsys"))
    while not isinstance(next(program), Receive):
        pass
    rows = np.zeros((2, 3), dtype=np.uint64)
    effect = program.send(_upload(session, "2", rows))
    assert isinstance(effect, Receive)
    effect = program.send(_upload(session, "2", rows, "again"))
    assert isinstance(effect, Refuse), "a bad upload is refused,"
    effect = next(program)
    assert isinstance(effect, Receive), "and costs nobody else's"
    effect = program.send(_upload(session, "1", rows))
    assert isinstance(effect, Send)
    assert effect.to == CSP != RECSYS


@pytest.mark.req("PPMF-SES-003")
@pytest.mark.parametrize("server", [csp, recsys])
def test_a_session_beyond_a_suites_budget_is_refused_before_anything_is_sent(
    server: Callable[..., Program[object]],
) -> None:
    many = tuple(str(number) for number in range(1, 60_001))
    session = Session(Parameters(), many, ("1",), "rlwe-8192", bytes(16))
    with pytest.raises(ParametersError, match="flood"):
        next(server(session, cipher_suite("rlwe-8192"), Coins.seeded("x")))
