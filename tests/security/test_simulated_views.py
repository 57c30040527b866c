# SPDX-License-Identifier: Apache-2.0
"""A simulated view has the shape of the real one and passes the same battery (PPMF-SEC-002)."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields, replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest

from ppmf_audit.opened_values import Secrets
from ppmf_audit.view_battery import battery, shape
from ppmf_reference import fixed
from ppmf_secure.effects import Receive, ReceiveUntil, Send
from ppmf_secure.parties.recsys import recsys
from ppmf_secure.parties.users import users
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.protocols.upload import user_rows
from ppmf_secure.simulator import Leakage, simulate_csp, simulate_recsys, simulate_user
from ppmf_spec import wire
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.roles import CSP, RECSYS, USERS, Role
from tests.support.parameter_sets import OTHER_STEP_RULES
from tests.support.ratings import Table, ratings_of
from tests.support.recorded_views import (
    FINE_LATTICE,
    LATTICE,
    PAILLIER,
    Case,
    Run,
    examine,
    failed,
    record,
    simulate,
)
from tests.support.sessions import consent_keys

N_USERS, N_ITEMS = 7, 4
SUITES = {"paillier": PAILLIER, "lattice": LATTICE, "fine lattice": FINE_LATTICE}
SOME: Table = {(0, 0): 4, (0, 3): -5, (2, 1): 1, (4, 3): -2}
EVERYTHING: Table = {(i, j): (4, -5)[(i + j) % 2] for i in range(7) for j in range(4)}

SETS = {
    "default": Parameters(rank=2, iterations=2),
    "no bias": Parameters(rank=2, iterations=1, bias=False),
    "l1": Parameters(rank=2, iterations=1, l1=Fraction(3, 4)),
    **OTHER_STEP_RULES,
    "count, l1, no bias": Parameters(
        rank=1, iterations=1, step_rule="count", bias=False, l1=Fraction(1, 2)
    ),
    "binary, inner steps": Parameters(
        rank=1,
        iterations=1,
        inner_steps=2,
        regulariser="binary-elastic-net",
        ridge=Fraction(2),
        l1=Fraction(1, 2),
    ),
    "binary, count": Parameters(
        rank=1,
        iterations=1,
        step_rule="count",
        regulariser="binary-elastic-net",
        ridge=Fraction(2),
    ),
}

RUNS = [(name, suite) for name in SETS for suite in ("paillier", "lattice")]
RUNS.append(("default", "fine lattice"))


@cache
def both(name: str, suite: str, cuts: tuple[int, ...] = (), forgetful: str = "") -> tuple[Run, Run]:
    real = record(Case(SETS[name], N_USERS, N_ITEMS, SUITES[suite], SOME, cuts, forgetful))
    return real, simulate(real.leakage, real.output)


@pytest.mark.req("PPMF-SEC-005", "PPMF-SEC-002", "PPMF-RUN-011")
@pytest.mark.parametrize("party", [RECSYS, CSP])
@pytest.mark.parametrize(("name", "suite"), RUNS)
def test_real_and_simulated_views_have_one_shape_and_pass_one_battery(
    name: str, suite: str, party: Role
) -> None:
    real, imagined = both(name, suite)
    assert shape(real.views[party]) == shape(imagined.views[party])
    assert failed(examine(real, party, imagined)) == set()
    assert failed(examine(imagined, party, imagined)) == set()


@pytest.mark.req("PPMF-SEC-005", "PPMF-SEC-002", "PPMF-RES-005")
@pytest.mark.parametrize("suite", ["paillier", "lattice"])
@pytest.mark.parametrize("cuts", [(1,), pytest.param((0, 3, 3), marks=pytest.mark.no_cover)])
def test_views_of_interrupted_runs_and_their_simulations_pass_one_battery(
    suite: str, cuts: tuple[int, ...]
) -> None:
    real, imagined = both("default", suite, cuts)
    ratings = ratings_of(N_USERS, N_ITEMS, SOME)
    assert real.output == fixed.train(ratings, SETS["default"])
    assert len(real.leakage.interruptions) == len(cuts)
    for party in (RECSYS, CSP):
        assert shape(real.views[party]) == shape(imagined.views[party])
        for run in (real, imagined):
            assert failed(examine(run, party, imagined)) == set()


@pytest.mark.req("PPMF-SEC-005", "PPMF-RES-003")
@pytest.mark.parametrize("forgetful", [RECSYS, CSP])
def test_which_checkpoints_each_server_held_is_leakage(forgetful: str) -> None:
    """One server has lost the only one: the run begins again, and the names show who has it."""
    real, imagined = both("default", "paillier", (3,), forgetful)
    held = real.leakage.interruptions[0].held
    assert {server: len(names) for server, names in held.items()} == {
        server: int(server != forgetful) for server in (RECSYS, CSP)
    }
    for party in (RECSYS, CSP):
        assert shape(real.views[party]) == shape(imagined.views[party])
        assert failed(examine(imagined, party, imagined)) == set()


@pytest.mark.req("PPMF-SEC-005", "PPMF-RUN-011")
@pytest.mark.parametrize("table", [{}, EVERYTHING])
@pytest.mark.parametrize("party", [RECSYS, CSP])
def test_one_simulated_shape_is_that_of_runs_on_all_ratings(table: Table, party: Role) -> None:
    _, imagined = both("default", "paillier")
    other = record(Case(SETS["default"], N_USERS, N_ITEMS, PAILLIER, table), "other coins")
    assert shape(other.views[party]) == shape(imagined.views[party])


@pytest.mark.req("PPMF-SEC-005")
def test_the_order_of_uploads_is_leakage_for_recsys() -> None:
    real, imagined = both("default", "paillier")
    order = real.leakage.session.users[::-1]
    told = replace(real.leakage, uploads=tuple((user, 1) for user in order))
    other = simulate(told, real.output)
    assert [shape(run.views[CSP]) for run in (other, imagined)] == [shape(real.views[CSP])] * 2
    uploads = [wire.decode(record.message).message for record in other.views[RECSYS][: len(order)]]
    assert [upload.user for upload in uploads if isinstance(upload, wire.Upload)] == list(order)


@pytest.mark.req("PPMF-SEC-005")
def test_simulators_take_the_leakage_and_the_partys_own_input_and_output() -> None:
    given = {
        simulate: set(inspect.signature(simulate).parameters)
        for simulate in (simulate_user, simulate_recsys, simulate_csp)
    }
    assert given == {
        simulate_user: {"leakage", "user", "row", "consent_key", "coins"},
        simulate_recsys: {"leakage", "output", "coins"},
        simulate_csp: {"leakage", "sealing", "consent_keys", "coins"},
    }
    assert [field.name for field in fields(Leakage)] == [
        "session",
        "suite",
        "interruptions",
        "uploads",
        "admitted",
    ]


@pytest.mark.req("PPMF-SEC-002", "PPMF-SEC-005", "PPMF-RUN-011")
@pytest.mark.parametrize("cuts", [(), (3,)])
def test_runs_with_users_who_are_absent_or_not_admitted(cuts: tuple[int, ...]) -> None:
    case = Case(
        SETS["default"],
        N_USERS,
        N_ITEMS,
        LATTICE,
        SOME,
        cuts=cuts,
        absent=frozenset({1}),
        spoiled=frozenset({0, N_USERS - 1}),
    )
    real = record(case)
    users = real.leakage.session.users
    assert [user for user, _ in real.leakage.uploads] == [users[0], *users[2:]]
    assert real.leakage.admitted == frozenset(users[2:-1])
    imagined = simulate(real.leakage, real.output)
    for party in (RECSYS, CSP):
        assert shape(real.views[party]) == shape(imagined.views[party])
        assert failed(examine(real, party, imagined)) == set()
    without = {(user, item): x for (user, item), x in SOME.items() if 1 < user < N_USERS - 1}
    alone = fixed.train(ratings_of(N_USERS, N_ITEMS, without), case.parameters)
    assert real.output == alone


def lowest(profiles: ItemProfiles) -> ItemProfiles:
    """A V that no training gives: the lowest and the highest word in turn."""
    bound = 1 << (profiles.box_bits + profiles.frac_bits)
    factors = np.where(np.indices(profiles.factors.shape).sum(axis=0) % 2, -bound, bound - 1)
    bias = None if profiles.bias is None else np.full_like(profiles.bias, -bound)
    return replace(profiles, factors=factors, bias=bias)


def replayed(program: Any, received: Iterator[wire.Message]) -> tuple[list[wire.Message], Any]:
    """What a program sends, and returns, when these messages come in."""
    sent: list[wire.Message] = []
    reply = None
    try:
        while True:
            effect = program.send(reply)
            waits = isinstance(effect, Receive | ReceiveUntil)
            reply = next(received) if waits else None
            if isinstance(effect, Send):
                sent.append(effect.message)
    except StopIteration as end:
        return sent, end.value


@pytest.mark.req("PPMF-SEC-002", "PPMF-OUT-003")
@pytest.mark.parametrize("name", ["default", "no bias"])
def test_a_simulated_view_is_a_run_of_recsys_that_ends_in_the_given_v(name: str) -> None:
    """Fed with what it received, under the same coins, the program sends the same and opens V."""
    real, _ = both(name, "paillier")
    output, coins = lowest(real.output), Coins.seeded("any V")
    view = simulate_recsys(real.leakage, output, coins)
    session, suite = real.leakage.session, real.leakage.suite
    program: Any = recsys(session, suite, Coins(coins.child("recsys/0").bytes(32)))
    received = (wire.decode(r.message).message for r in view if r.direction == "received")
    sent = [wire.decode(r.message).message for r in view if r.direction == "sent"]
    again, opened = replayed(program, received)
    assert opened == output
    assert again == sent
    assert list(received) == []


@pytest.mark.req("PPMF-SEC-005", "PPMF-SEC-002")
def test_the_view_of_a_user_is_an_upload() -> None:
    real, _ = both("default", "paillier")
    uploads = real.views[USERS]
    rows = dict(user_rows(ratings_of(N_USERS, N_ITEMS, SOME)))
    keys = consent_keys(real.leakage.session)
    for user, upload in zip(real.leakage.session.users, uploads, strict=True):
        coins = Coins.seeded(f"user {user}")
        imagined = simulate_user(real.leakage, user, rows[user], keys[user], coins)
        assert shape(imagined) == shape([upload])
        for view in ([upload], imagined):
            assert failed(battery(USERS, view, real.leakage, Secrets(), imagined)) == set()


def test_a_simulated_user_runs_the_users_program() -> None:
    real, _ = both("default", "paillier")
    row, coins = Row(np.array([1]), np.array([4])), Coins.seeded("user")
    (upload,) = simulate_user(real.leakage, "2", row, bytes(32), coins)
    program = users(real.leakage.session, [("2", row)], {"2": bytes(32)}, coins.child("user"))
    next(program)
    sent = next(program)
    assert isinstance(sent, Send)
    assert sent.message == wire.decode(upload.message).message


@pytest.mark.req("PPMF-SEC-002")
def test_simulated_views_under_other_coins_have_nothing_in_common() -> None:
    real, one = both("default", "lattice")
    other = simulate(real.leakage, real.output, "other coins")
    for party in (RECSYS, CSP):
        messages = [
            {
                r.message
                for r in run.views[party]
                if r.direction == "received"
                and not isinstance(wire.decode(r.message).message, wire.Admission)
            }
            for run in (one, other, real)
        ]
        assert not messages[0] & messages[1]
        assert not messages[0] & messages[2]
