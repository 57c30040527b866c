# SPDX-License-Identifier: Apache-2.0
"""The message plan is chapter 4's order and chapter 5's lengths, read once more by `lengths`."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppmf_secure.effects import Phase, Program, Send
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.message_plan import MessagePlan, limits, most_ahead
from ppmf_secure.protocols.operations import (
    MultiplyBits,
    Numbers,
    head,
    heads_below,
    multiples_by_head,
)
from ppmf_secure.protocols.resumption import MOST_CHECKPOINTS
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings
from ppmf_spec.roles import CSP, RECSYS, USERS, Role
from ppmf_spec.step_rules import StepRuleName
from tests.support.ideal import ideal_suite
from tests.support.lengths import message_lengths
from tests.support.parameter_sets import OTHER_STEP_RULES
from tests.support.ratings import ratings_of
from tests.support.sessions import session_of
from tests.support.three_parties import run_epoch
from tests.support.toy_runs import toy_session

PLAIN = Parameters(rank=2, iterations=2)
SETS = {
    "default": PLAIN,
    "no bias": replace(PLAIN, bias=False),
    "l1": replace(PLAIN, l1=Fraction(1, 4)),
    **OTHER_STEP_RULES,
    "binary": replace(PLAIN, regulariser="binary-elastic-net"),
    "inner steps": replace(PLAIN, inner_steps=3),
}
SUITES = ("paillier-512-insecure", "rlwe-64-insecure", "rlwe-8192", "paillier-3072")


def ids(count: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(1, count + 1))


def planned(plan: MessagePlan) -> dict[tuple[str, str], list[tuple[str, int]]]:
    """Name and length of each message, by direction."""
    found: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    for due in plan.messages():
        way = due.sender, due.receiver
        number = 0 if due.sender is USERS else len(found[way])
        found[way].append((due.kind.name, due.encoded(plan.epoch, number)))
    return found


def read_from_the_chapters(
    session: Session, *, epoch: int = 0, held: int = 0, done: int = 0
) -> dict[tuple[str, str], list[tuple[str, int]]]:
    found: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    for sender, receiver, name, length in message_lengths(
        session.parameters,
        session.users,
        session.items,
        session.suite,
        epoch=epoch,
        held=held,
        done=done,
    ):
        found[sender, receiver].append((name, length))
    return found


@pytest.mark.req("PPMF-RUN-010", "PPMF-RUN-011", "PPMF-WIR-001")
@pytest.mark.parametrize("params", SETS.values(), ids=SETS.keys())
@pytest.mark.parametrize("name", SUITES)
def test_the_plan_of_a_run_is_the_chapters(params: Parameters, name: str) -> None:
    session = session_of(params, ids(5), ids(4), name, bytes(16))
    assert planned(MessagePlan.of(session, cipher_suite(name))) == read_from_the_chapters(session)


@pytest.mark.req("PPMF-RES-005", "PPMF-RUN-011")
@pytest.mark.parametrize(("epoch", "done"), [(3, 0), (24, 1), (25, 2)])  # 24 takes a byte more
def test_the_plan_of_a_later_epoch_is_the_chapters(epoch: int, done: int) -> None:
    session = session_of(replace(PLAIN, iterations=3), ids(300), ids(4), SUITES[0], bytes(16))
    plan = MessagePlan.of(session, cipher_suite(SUITES[0]), epoch=epoch, held=(2, 2), done=done)
    assert planned(plan) == read_from_the_chapters(session, epoch=epoch, held=2, done=done)


@pytest.mark.req("PPMF-RUN-011", "PPMF-ADM-004")
def test_the_plan_of_a_run_without_some_users_has_none_of_their_uploads() -> None:
    session = session_of(PLAIN, ids(12), ids(4), SUITES[0], bytes(16))
    plan = MessagePlan.of(session, cipher_suite(SUITES[0]), present=(1, 9, 11))
    first = next(plan.operations())
    assert [due.sizes[0] for due in first.messages() if due.kind is wire.Upload] == [1, 2, 2]
    rest = [list(each.messages()) for each in plan.operations()][1:]
    every = MessagePlan.of(session, cipher_suite(SUITES[0]))
    assert rest == [list(each.messages()) for each in every.operations()][1:]


@settings(max_examples=20)  # a large one takes seconds
@given(st.integers(1, 40), st.integers(1, 3000), st.integers(1, 4), st.sampled_from(SUITES))
def test_plan_and_chapters_agree_at_any_size(users: int, items: int, rank: int, name: str) -> None:
    params = Parameters(rank=rank, iterations=1)
    session = session_of(params, ids(users), tuple(sorted(ids(items), key=int)), name, bytes(16))
    assert planned(MessagePlan.of(session, cipher_suite(name))) == read_from_the_chapters(session)


@given(st.integers(1, 90), st.integers(1, 300), st.sampled_from(sorted(SETS)))
def test_messages_are_counted_as_a_walk_through_them_does(
    users: int, items: int, variant: str
) -> None:
    session = session_of(SETS[variant], ids(users), tuple(sorted(ids(items), key=int)), SUITES[1])
    for operation in MessagePlan.of(session, cipher_suite(SUITES[1]), held=(1, 2)).operations():
        walked = Counter((due.kind, due.encoded(0, 0)) for due in operation.messages())
        counted: Counter[tuple[type[wire.Message], int]] = Counter()
        for due, times in operation.counted().items():
            counted[due.kind, due.encoded(0, 0)] += times
        assert counted == walked


@given(st.integers(0, 70_000))
def test_heads_below_a_value_are_those_of_all_smaller_values(value: int) -> None:
    assert heads_below(value) == sum(map(head, range(value)))


def test_heads_below_a_large_value_grow_by_its_own_head() -> None:
    for value in (1 << 32, (1 << 32) - 1, 1 << 40):
        assert heads_below(value + 1) - heads_below(value) == head(value)


@pytest.mark.req("PPMF-WIR-009")
@pytest.mark.parametrize("epoch", [0, 2])
@pytest.mark.parametrize(("users", "iterations"), [(5, 1), (5, 2), (7000, 1)])
def test_no_message_is_longer_than_its_limit_and_some_reach_it(
    epoch: int, users: int, iterations: int
) -> None:
    """With 7000 users, transfers for a checkpoint take the longest message of all."""
    params = replace(PLAIN, iterations=iterations)
    session = session_of(params, ids(users), ids(4), SUITES[0], bytes(16))
    largest: dict[tuple[str, str, type[wire.Message]], int] = defaultdict(int)
    for done in range(2 if epoch else 1):
        plan = MessagePlan.of(session, cipher_suite(SUITES[0]), epoch=epoch, held=(2, 2), done=done)
        for way, messages in planned(plan).items():
            for name, length in messages:
                key = (*way, wire.MESSAGES[name])
                largest[key] = max(largest[key], length)
    found = limits(session, cipher_suite(SUITES[0]), epoch)
    assert found.keys() == largest.keys()
    for key, limit in found.items():
        # each takes 1 to 9 bytes: number, epoch, `last`, or the serial of an upload
        numbers = 8 * (3 if epoch else 2 if key[-1] is wire.Upload else 1)
        assert largest[key] <= limit <= largest[key] + numbers, key
    if not epoch:
        upload = USERS, RECSYS, wire.Upload  # of serial 1, which has number 0
        assert found[upload] == largest[upload] + 16


def test_every_type_of_message_has_its_place_in_the_plan() -> None:
    session = session_of(PLAIN, ids(5), ids(4), SUITES[0], bytes(16))
    kinds = {
        due.kind
        for epoch in (0, 1)
        for due in MessagePlan.of(session, cipher_suite(SUITES[0]), epoch=epoch).messages()
    }
    assert kinds == set(wire.MESSAGES.values())


def test_users_are_no_server_and_have_no_peer() -> None:
    assert RECSYS.peer.peer is RECSYS
    with pytest.raises(ValueError, match="no peer"):
        _ = Role.USERS.peer


@pytest.mark.parametrize("last", [1, 9, 10, 99, 100, 12_345])
def test_the_lengths_of_numbers_are_counted_without_being_written(last: int) -> None:
    lengths = [len(str(number)) for number in range(1, last + 1)]
    assert list(Numbers(last)) == Numbers(last)[:] == lengths
    assert Numbers(last).counted() == Counter(lengths)


@given(step=st.integers(1, 300), end=st.integers(0, 70_000))
def test_multiples_are_counted_by_the_lengths_of_their_heads(step: int, end: int) -> None:
    counted = Counter(head(number) for number in range(0, end, step))
    assert {head(least): times for least, times in multiples_by_head(step, end).items()} == counted


# -- phases ----------------------------------------------------------------------------------------


@pytest.mark.req("PPMF-RUN-005", "PPMF-RUN-010")
@pytest.mark.parametrize(("epoch", "step_rule"), [(0, "count"), (0, "lipschitz"), (1, "lipschitz")])
def test_messages_are_sent_in_the_phases_of_the_plan(
    epoch: int, step_rule: StepRuleName, tmp_path: Path
) -> None:
    """The names of checkpoints, which are sent before the set-up, are counted with it."""
    params = replace(PLAIN, rank=1, l1=Fraction(1, 64), inner_steps=2, step_rule=step_rule)
    ratings = ratings_of(2, 2, {(0, 0): 4, (1, 1): -3})
    session = toy_session(ratings, params, ideal_suite(), "toy")
    sent: list[tuple[Role, str, str]] = []

    def watched(role: Role, program: Program[Any]) -> Program[Any]:
        phase, reply = "", None
        while True:
            try:
                effect = program.send(reply)
            except StopIteration as end:
                return end.value
            if isinstance(effect, Phase):
                phase = "set-up" if effect.name == "keys" else effect.name
            if isinstance(effect, Send) and role is not USERS:
                sent.append((role, phase, effect.message.name))
            reply = yield effect

    def run(number: int, ratings: Ratings | None) -> None:
        coins = Coins.seeded
        run_epoch(
            session,
            ideal_suite(),
            lambda role: coins(f"{role}{number}"),
            ratings=ratings,
            epoch=number,
            checkpoints=tmp_path,
            change=watched,
        )

    run(0, ratings)
    if epoch:
        sent.clear()
        run(1, None)
    plan = MessagePlan.of(session, ideal_suite(), epoch=epoch, held=(1, 1), done=epoch)
    assert Counter(sent) == Counter(
        (due.sender, operation.phase, due.kind.name)
        for operation in plan.operations()
        for due in operation.messages()
        if due.sender is not USERS
    )


# -- how far a server may be ahead ---------------------------------------------------------------


def sums_of_windows(rounds: list[dict[Role, int]], sender: Role) -> int:
    """The largest sum of what `sender` sends in operations that follow each other, of which its
    peer sends something in the first and the last alone (PPMF-LNK-017).
    """
    most = 0
    for first in range(len(rounds)):
        total = 0
        for last in range(first, len(rounds)):
            total += rounds[last][sender]
            most = max(most, total)
            if last > first and rounds[last][sender.peer]:
                break
    return most


@pytest.mark.req("PPMF-LNK-017")
@pytest.mark.parametrize("params", SETS.values(), ids=SETS.keys())
@pytest.mark.parametrize("users", [2, 400])
def test_how_far_a_server_is_ahead_is_the_largest_sum_of_operations(
    params: Parameters, users: int
) -> None:
    session = session_of(replace(params, iterations=2), ids(users), ids(4), SUITES[0], bytes(16))
    expected = dict.fromkeys((RECSYS, CSP), 0)
    for done in (0, 1, 2):
        held = (MOST_CHECKPOINTS, MOST_CHECKPOINTS)
        plan = MessagePlan.of(session, cipher_suite(SUITES[0]), epoch=1, held=held, done=done)
        rounds: list[dict[Role, int]] = []
        products = False
        for operation in plan.operations():
            sizes = {role: operation.ahead(role) for role in (RECSYS, CSP)}
            if products and isinstance(operation, MultiplyBits):
                rounds[-1] = {role: rounds[-1][role] + size for role, size in sizes.items()}
            else:
                rounds.append(sizes)
            products = isinstance(operation, MultiplyBits)
        for role in expected:
            expected[role] = max(expected[role], sums_of_windows(rounds, role))
    assert most_ahead(session, cipher_suite(SUITES[0])) == expected
