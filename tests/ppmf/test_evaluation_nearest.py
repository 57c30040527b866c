# SPDX-License-Identifier: Apache-2.0
"""The nearest set that works, and advice: nobody is sent from one limit to the next."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ppmf import main
from ppmf.commands import train
from ppmf.evaluation import nearest
from ppmf.evaluation.advice import advise, held_by
from ppmf_secure.protocols.suite_choice import LATTICE, PAILLIER, check_holds, suite_for
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec.bounds import _idle, bounds, every_row_moves
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters
from ppmf_spec.step_rules import BIAS, RULES
from tests.support.command_line import Capture

MILLIONS = 10**6, 10**5


def sets() -> st.SearchStrategy[Parameters]:
    """Sets from a wide range, those of their domain."""
    drawn = st.fixed_dictionaries(
        {
            "rank": st.integers(1, 60),
            "iterations": st.integers(1, 1000),
            "frac_bits": st.integers(8, 24),
            "step_bits": st.integers(0, 28),
            "step_guard_bits": st.integers(0, 8),
            "box_bits": st.integers(0, 8),
            "bias": st.booleans(),
            "ridge": st.sampled_from([0, 1, 12, 2**20]).map(Fraction),
            "l1": st.sampled_from([0, 1, 2**10]).map(Fraction),
            "regulariser": st.sampled_from(["elastic-net", "binary-elastic-net"]),
            "step_rule": st.sampled_from(["lipschitz", "count"]),
            "curvature_shift": st.integers(-4, 8),
            "damping": st.sampled_from([1, 16, 2**12, 2**24]),
            "ring_bits": st.sampled_from([0, 32, 48, 64]),
        }
    )
    return drawn.map(made).filter(lambda found: found is not None)  # type: ignore[return-value]


def made(values: dict[str, object]) -> Parameters | None:
    try:
        return replace(Parameters(), **values)  # type: ignore[arg-type]
    except ParametersError:
        return None


def assert_no_circle(params: Parameters, users: int, items: int, suite: str) -> None:
    """The nearest set passes what the set did not, and is its own nearest."""
    found = advise(params, users, items, suite).nearest
    assert found is not None
    assert bounds(found, users, items).warnings == ()
    check_holds(cipher_suite(suite), found, users, items)
    again = advise(found, users, items, suite)
    assert again.fits
    assert again.nearest == found
    assert again.remedy() == ""


ANY = {"params": sets(), "users": st.integers(1, 10**6), "items": st.integers(1, 10**5)}


@settings(max_examples=5)
@given(**ANY)
@example(params=Parameters(), users=200_000, items=30_000)
@example(params=Parameters(frac_bits=12, step_bits=16), users=200_000, items=30_000)
@example(
    params=Parameters(  # the domain refuses it with other step_bits
        step_bits=0, ridge=Fraction(2**20), regulariser="binary-elastic-net"
    ),
    users=9,
    items=9,
)
def test_the_nearest_set_of_any_size_works(params: Parameters, users: int, items: int) -> None:
    assert_no_circle(params, users, items, LATTICE)


@pytest.mark.slow
@pytest.mark.parametrize("suite", [LATTICE, PAILLIER])
@settings(max_examples=150)
@given(**ANY)
def test_the_nearest_set_of_more_sizes_works(
    suite: str, params: Parameters, users: int, items: int
) -> None:
    assert_no_circle(params, users, items, suite)


@settings(max_examples=5)
@given(params=sets(), users=st.integers(1, 10**6), items=st.integers(1, 10**5))
def test_no_parameter_is_changed_that_need_not_be(
    params: Parameters, users: int, items: int
) -> None:
    """Of the nearest set, no single value can be taken back, the steps' bits being free."""
    found = nearest.nearest(params, users, items)
    assert found is not None
    for change in nearest.changes(params, found):
        if change.name == "step_bits":
            continue
        try:
            back = replace(found, **{change.name: getattr(params, change.name)})
        except ParametersError:
            continue
        assert not any(
            nearest.works(replace(back, step_bits=bits), users, items)
            for bits in (params.step_bits, found.step_bits)
            if bits + back.step_guard_bits <= 32
        ), change


def test_a_million_users_for_a_hundred_iterations() -> None:
    """Chapter 4, "Lattice suites: parameters": one degree is enough."""
    found = advise(Parameters(iterations=100), *MILLIONS, LATTICE)
    assert [str(one) for one in found.changes] == [
        "step_bits = 20",
        "box_bits = 0",
        "curvature_shift = 2",
    ]
    others = list(
        nearest.alternatives(
            found.params, found.nearest or found.params, *MILLIONS, held_by(LATTICE, *MILLIONS)
        )
    )
    assert others
    for other in others:
        assert nearest.works(other, *MILLIONS, held_by(LATTICE, *MILLIONS))


def test_what_is_kept_stays() -> None:
    wide = Parameters(frac_bits=12, step_bits=20)
    holds = held_by(LATTICE, 1000, 1000)
    for name in ("step_bits", "frac_bits"):
        found = nearest.nearest(wide, 1000, 1000, holds, kept=(name,))
        assert found is not None
        assert getattr(found, name) == getattr(wide, name)
        assert nearest.works(found, 1000, 1000, holds)


def test_the_sweep_says_what_a_change_costs() -> None:
    box, rank, bits = (
        nearest.changes(Parameters(), other)[0]
        for other in (Parameters(box_bits=0), Parameters(rank=7), Parameters(step_bits=12))
    )
    assert box.difference is not None
    assert set(box.difference) == {"MovieLens-100K", "latest-small"}
    assert rank.difference is bits.difference is None


@settings(max_examples=30)
@given(params=sets(), rows=st.integers(1, 10**5))
def test_every_row_moves_exactly_if_no_count_has_a_step_0(params: Parameters, rows: int) -> None:
    """The step of the longest row against a walk through all steps."""
    rules = [RULES[params.step_rule], *([BIAS] if params.bias else [])]
    idle = [line for rule in rules for line in _idle("", rows, *rule.levels_at_start(params, rows))]
    assert every_row_moves(params, rows) == (not idle)


@pytest.mark.req("PPMF-AHE-014")
def test_the_suite_of_a_run_that_names_none() -> None:
    large = Parameters(step_bits=21)
    assert suite_for("auto", Parameters(), 9, 9).name == LATTICE
    assert suite_for("auto", large, *MILLIONS).name == PAILLIER
    assert suite_for(LATTICE, large, *MILLIONS).name == LATTICE, "it is asked for"
    with pytest.raises(ParametersError, match="ring_bits = 64"):
        suite_for("auto", Parameters(frac_bits=24), *MILLIONS)


def test_a_refused_training_names_the_nearest_set(capsys: Capture) -> None:
    with pytest.raises(ParametersError) as refusal:
        train.chosen_suite(LATTICE, Parameters(step_bits=21), *MILLIONS)
    assert str(refusal.value) == (
        "suite rlwe-8192: 1,000,000 users x 100,000 items need a ring of 60 bits; at that size, "
        "rank 10 and 6 iterations it holds a ring of 59 bits at most; the nearest set that works "
        "has box_bits = 0"
    )
    assert train.chosen_suite("auto", Parameters(step_bits=21), *MILLIONS).name == PAILLIER
    train.say_suite("auto", PAILLIER, Parameters(step_bits=21), *MILLIONS)
    assert "the nearest set that works has box_bits = 0" in capsys.readouterr().err


def test_the_suggestion_of_a_million_users_passes_the_check(capsys: Capture) -> None:
    size = ["--users", str(MILLIONS[0]), "--items", str(MILLIONS[1])]
    assert main.main(["params", "suggest", *size]) == 0
    suggested = Parameters.from_toml(capsys.readouterr().out)
    assert advise(suggested, *MILLIONS, LATTICE).remedy() == ""
