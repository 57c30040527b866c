# SPDX-License-Identifier: Apache-2.0
"""F_real one number at a time: balls at their edges, states in order, the precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from flint import arb, fmpq

from ppmf_reference import certified, exact, real
from ppmf_reference.arrays import ratings_from
from ppmf_reference.certified import BALLS
from ppmf_spec.errors import RangeError
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings

RatingsOf = Callable[[int, int, Mapping[tuple[int, int], int]], Ratings]
TOY = Parameters(rank=1, iterations=2, frac_bits=8)


def ball(low: str, high: str) -> arb:
    return arb(low).union(arb(high))


# Mantissas and exponents of midpoint and radius: 1 and 1/2, nothing rounded.
HALF_TO_THREE_HALVES = arb((1, 0), (1, -1))


def test_a_ball_that_touches_the_box_from_inside_is_left_alone() -> None:
    z = HALF_TO_THREE_HALVES
    assert (z.lower(), z.upper()) == (arb(0.5), arb(1.5))
    for low, high in ((0.5, 9), (-9, 1.5)):
        assert BALLS.clamp(z, arb(low), arb(high)).rad() == z.rad()


def test_a_soft_threshold_of_one() -> None:
    assert [BALLS.soft(arb(z), arb(1)) for z in (-3, 0, 3)] == [-2, 0, 2]


def test_no_threshold_leaves_a_ball_as_it_is() -> None:
    z = ball("-1", "1")
    assert BALLS.soft(z, arb(0)).rad() == z.rad()


def test_a_ball_that_touches_the_jump_is_undecided() -> None:
    """Its lowest point goes to the branch of 0, all others to that of 1."""
    moved, decided = BALLS.prox_binary(HALF_TO_THREE_HALVES, arb(0), arb(0))
    assert not decided
    assert moved.contains(arb("0.5"))
    assert BALLS.prox_binary(ball("0.75", "1.25"), arb(0), arb(0))[1]


@pytest.mark.req("PPMF-FIX-060")
@pytest.mark.parametrize("box_bits", [0, 1, 2, 3, 5])
def test_the_box_of_the_reals(box_bits: int) -> None:
    constants = real.Constants.of(replace(TOY, box_bits=box_bits), exact.RATIONALS)
    assert constants.low == -(2**box_bits)
    assert constants.high == 2**box_bits - fmpq(1, 256)


def test_states_say_where_they_stand(
    ratings_of: RatingsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unclear(rows: Any, *_: Any) -> real.HalfStep[Any]:
        return real.HalfStep(rows, [(0, 1)])

    monkeypatch.setattr(real, "half_step", unclear)
    states = list(exact.iterate(ratings_of(1, 1, {}), TOY))
    places = [(1, "users"), (1, "items"), (2, "users"), (2, "items")]
    assert [(state.iteration, state.side) for state in states] == places
    assert [state.undecided for state in states] == [
        [real.Undecided(iteration, side, 0, 1)]  # type: ignore[arg-type]
        for iteration, side in places
    ]


def test_an_iteration_is_told_when_its_items_are_done(
    ratings_of: RatingsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[object] = []
    iterate = real.iterate

    def watched(*arguments: Any) -> Any:
        for state in iterate(*arguments):
            events.append(state.side)
            yield state

    monkeypatch.setattr(real, "iterate", watched)
    certified.enclose(ratings_of(1, 1, {(0, 0): 1}), TOY, 100, events.append)
    assert events == ["users", "items", 1, "users", "items", 2]


def test_the_first_guess_of_the_precision_counts_inner_steps(ratings_of: RatingsOf) -> None:
    params = replace(TOY, inner_steps=3)
    enclosure = certified.train(ratings_of(1, 1, {(0, 0): 1}), params, radius_bits=20)
    assert enclosure.precision == 20 + 8 * 2 * 3 + 32


@pytest.mark.req("PPMF-FIX-060")
@pytest.mark.parametrize(
    ("radius", "runs"), [(Fraction(3, 4), 1), (Fraction(1), 2), (Fraction(3, 2), 2)]
)
def test_a_radius_is_small_enough_below_its_bound(
    ratings_of: RatingsOf, monkeypatch: pytest.MonkeyPatch, radius: Fraction, runs: int
) -> None:
    """The first run ends with that many 2^-60; every later one exactly."""
    precisions: list[int] = []

    def enclose(_: Any, __: Any, precision: int, ___: Any) -> Any:
        precisions.append(precision)
        found = radius / 2**60 if len(precisions) == 1 else Fraction(0)
        return SimpleNamespace(radius=found, undecided=())

    monkeypatch.setattr(certified, "enclose", enclose)
    certified.train(ratings_of(1, 1, {}), TOY)
    assert precisions == [108, 216][:runs]


def test_item_ids_of_a_matrix_are_counted_by_column() -> None:
    with pytest.raises(RangeError) as caught:
        ratings_from(np.array([[4.0, np.nan]]), Parameters(), items=["a"])
    assert str(caught.value) == "ratings matrix: 1 item ids for a side of 2"
