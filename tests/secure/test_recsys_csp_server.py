# SPDX-License-Identifier: Apache-2.0
"""The parties' programs in the smallest run there is: phases, what is kept, later epochs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ideal import ideal_suite
from ppmf_reference import fixed
from ppmf_secure.coins import Coins
from ppmf_secure.csp import csp
from ppmf_secure.program import CSP, RECSYS, USERS, Phase, Program, Send
from ppmf_secure.recsys import recsys
from ppmf_secure.transcript import Recorder
from ppmf_secure.transport.drive import Party, Progress
from ppmf_secure.transport.stepper import run_together
from ppmf_secure.transport.store import Store
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError
from ppmf_spec.parameters import Parameters
from toy_runs import ratings_of, run_toy, toy_session

RATINGS = ratings_of(2, 2, {(0, 0): 4, (1, 1): -3})
PARAMS = Parameters(rank=1, iterations=3)
HALF_STEP = ("products", "steps", "updates")


def halves(first: int) -> list[tuple[str, int, int]]:
    return [(phase, done, 6) for done in range(first, 6) for phase in HALF_STEP]


@pytest.mark.req("PPMF-RUN-005")
def test_a_run_names_its_phases() -> None:
    seen: list[Progress] = []
    found = run_toy(RATINGS, PARAMS, ideal_suite(), on_progress=seen.append)
    assert found == fixed.train(RATINGS, PARAMS)
    beginning = [("keys", 0, 6), ("upload", 0, 6), ("set-up", 0, 6)]
    for party in (RECSYS, CSP):
        mine = [(step.phase, step.done, step.total) for step in seen if step.party == party]
        assert mine == [*beginning, *halves(0), ("output", 6, 6)]
    assert [step.phase for step in seen if step.party == USERS] == ["upload"]


@pytest.mark.req("PPMF-RES-001", "PPMF-RES-002", "PPMF-RES-005")
def test_a_later_epoch_goes_on_after_the_last_iteration_kept(tmp_path: Path) -> None:
    run_toy(RATINGS, PARAMS, ideal_suite(), checkpoints=tmp_path)
    for party in (RECSYS, CSP):
        kept = sorted(path.name for path in (tmp_path / party).iterdir())
        assert kept == ["model-1.state", "model-2.state", "ratings.state"]
    session = toy_session(RATINGS, PARAMS, ideal_suite(), "toy")
    seen: list[Progress] = []
    parties: dict[str, tuple[Party, Program[object]]] = {}
    for name, program in ((RECSYS, recsys), (CSP, csp)):
        store = Store(tmp_path / name)
        party = Party(name, session.id, Recorder(None, name), seen.append, store, epoch=1)
        coins = Coins.seeded(f"later/{name}")
        parties[name] = (
            party,
            program(session, ideal_suite(), coins, epoch=1, kept=store.kept()),
        )
    assert run_together(parties)[RECSYS] == fixed.train(RATINGS, PARAMS)
    for name in (RECSYS, CSP):
        mine = [(step.phase, step.done, step.total) for step in seen if step.party == name]
        assert mine == [("keys", 0, 6), ("set-up", 4, 6), *halves(4), ("output", 6, 6)]


@pytest.mark.req("PPMF-UPL-009", "PPMF-ERR-003")
def test_csp_refuses_sealed_seeds_of_another_length() -> None:
    session = toy_session(RATINGS, PARAMS, ideal_suite(), "toy")
    program = csp(session, ideal_suite(), Coins.seeded("csp"))
    effects = [next(program) for _ in range(4)]
    assert [type(effect) for effect in effects[:3]] == [Phase, Send, Phase]
    with pytest.raises(EncodingError, match="^sealed seeds: 159 bytes where 160 are due$"):
        program.send(wire.SealedSeeds(bytes(159)))


@pytest.mark.req("PPMF-HST-003", "PPMF-FIX-024")
def test_a_step_may_use_its_highest_bit() -> None:
    """With c0 = 3 a row of one rating has the bias's step 2^14, of as many bits as the longest."""
    params = Parameters(rank=1, iterations=2, damping=3, ridge=0 * PARAMS.ridge)
    one_each = ratings_of(2, 2, {(0, 0): 4, (1, 1): -3})
    bias_steps = [
        step.bias for state in fixed.iterate(one_each, params) for step in state.half_step.steps
    ]
    assert set(bias_steps) == {2**14}
    assert params.max_step.bit_length() == 15
    assert run_toy(one_each, params, ideal_suite()) == fixed.train(one_each, params)
