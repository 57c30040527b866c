# SPDX-License-Identifier: Apache-2.0
"""The parties' programs in the smallest run there is: phases, what is kept, later epochs."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ppmf_reference import fixed
from ppmf_secure.effects import Phase, Receive, Send
from ppmf_secure.parties.csp import csp
from ppmf_secure.parties.recsys import recsys
from ppmf_secure.parties.users import users
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.protocols import ratings_product
from ppmf_secure.protocols.ratings_product import orientations
from ppmf_secure.protocols.upload import Intake, upload
from ppmf_secure.session.checkpoint import Kept, RatingShares, write_ratings
from ppmf_secure.session.session import Session
from ppmf_secure.transport.recorded_ends import Progress
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError, RangeError, StateError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, USERS
from tests.support.ideal import ideal_suite
from tests.support.ratings import ratings_of
from tests.support.three_parties import run_epoch
from tests.support.toy_runs import run_toy, toy_session

RATINGS = ratings_of(2, 2, {(0, 0): 4, (1, 1): -3})
PARAMS = Parameters(rank=1, iterations=4)
HALF_STEP = ("products", "steps", "updates")


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
        assert names == ["model-2.state", "model-3.state", "ratings.state"]
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


@pytest.mark.req("PPMF-UPL-009", "PPMF-ERR-003")
def test_csp_refuses_sealed_seeds_of_another_length() -> None:
    session = toy_session(RATINGS, PARAMS, ideal_suite(), "toy")
    program = csp(session, ideal_suite(), Coins.seeded("csp"))
    effects = [next(program) for _ in range(4)]
    assert [type(effect) for effect in effects[:3]] == [Phase, Send, Phase]
    with pytest.raises(EncodingError, match="^sealed seeds: 159 bytes where 160 are due$"):
        program.send(wire.SealedSeeds(bytes(159)))


@pytest.mark.req("PPMF-ERR-006")
def test_a_long_name_of_another_suite_is_cut() -> None:
    session = toy_session(RATINGS, PARAMS, ideal_suite(), "toy")
    zeros = np.zeros((2, 2), dtype=np.uint64)
    kept = Kept(write_ratings(session, RatingShares(zeros, zeros)), ())
    program = recsys(session, ideal_suite(), Coins.seeded("recsys"), epoch=1, kept=kept)
    assert [type(next(program)) for _ in range(3)] == [Phase, Send, Receive]
    assert type(program.send(wire.Resume(b""))) is Phase
    assert [type(next(program)) for _ in range(2)] == [Send, Receive]
    with pytest.raises(StateError, match=f"^csp runs suite {'x' * 40}, this server ideal: use"):
        program.send(wire.ServerKey("x" * 50, b"", b""))


@pytest.mark.req("PPMF-UPL-006")
@pytest.mark.parametrize("changed", ["masked", "sealed"])
def test_a_second_upload_may_differ_in_neither_part(changed: str) -> None:
    session = toy_session(RATINGS, PARAMS, ideal_suite(), "toy")
    rows, key = np.zeros((2, 2), dtype=np.uint64), SealingKey.generate(Coins.seeded("csp")).public
    first = upload(session, "1", rows, key, Coins.seeded("first"))
    other = upload(session, "1", rows, key, Coins.seeded("other"))
    intake = Intake(session)
    intake.take(first)
    with pytest.raises(StateError, match="user 1: a second upload, and not the bytes of the first"):
        intake.take(dataclasses.replace(first, **{changed: getattr(other, changed)}))


@pytest.mark.req("PPMF-PRD-003")
def test_rows_longer_than_a_batch_go_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratings_product, "BATCH_BYTES", 1)
    (users_packed, _) = orientations(PARAMS, 2, 3)
    batches = list(ratings_product.row_batches(ideal_suite().products, users_packed.layout))
    assert batches == [range(0, 1), range(1, 2), range(2, 3)]


@pytest.mark.req("PPMF-UPL-006")
def test_a_long_name_of_an_unknown_user_is_cut() -> None:
    intake = Intake(toy_session(RATINGS, PARAMS, ideal_suite(), "toy"))
    with pytest.raises(RangeError, match=f"^upload of '{'x' * 40}': not on the user list$"):
        intake.take(wire.Upload("x" * 50, b"", b""))


@pytest.mark.req("PPMF-SES-002")
@pytest.mark.parametrize("items", [(), ("9", "7")])
def test_a_session_names_the_list_that_is_wrong(items: tuple[str, ...]) -> None:
    with pytest.raises(RangeError) as caught:
        Session(PARAMS, ("1",), items, "ideal", bytes(16))
    assert str(caught.value) == "the item catalogue is empty or not in canonical order"


@pytest.mark.req("PPMF-ERR-003")
def test_users_refuse_a_key_that_is_none() -> None:
    session = toy_session(RATINGS, PARAMS, ideal_suite(), "toy")
    program = users(session, [], Coins.seeded("users"))
    assert [type(next(program)) for _ in range(2)] == [Phase, Receive]
    with pytest.raises(EncodingError, match="^CSP's key for seals: 31 bytes"):
        program.send(wire.UserKey(bytes(31)))


@pytest.mark.req("PPMF-HST-003", "PPMF-FIX-024")
def test_a_step_may_use_its_highest_bit() -> None:
    """With c0 = 3 a row of one rating has the bias's step 2^14, of as many bits as the longest."""
    params = Parameters(rank=1, iterations=2, damping=3, ridge=Fraction(0))
    one_each = ratings_of(2, 2, {(0, 0): 4, (1, 1): -3})
    bias_steps = [
        step.bias for state in fixed.iterate(one_each, params) for step in state.half_step.steps
    ]
    assert set(bias_steps) == {2**14}
    assert params.max_step.bit_length() == 15
    assert run_toy(one_each, params, ideal_suite()) == fixed.train(one_each, params)
