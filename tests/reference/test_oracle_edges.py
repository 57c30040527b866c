# SPDX-License-Identifier: Apache-2.0
"""Where the oracle's last unit, its states and its refusals are looked at one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from ppmf_reference import certified, fixed, ridge
from ppmf_spec.errors import EncodingError, ParametersError, RangeError
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings

RatingsOf = Callable[[int, int, Mapping[tuple[int, int], int]], Ratings]
ONE = Parameters(rank=1, iterations=2, bias=False, frac_bits=8)


@pytest.mark.req("PPMF-FIX-028", "PPMF-FIX-030")
@pytest.mark.parametrize(("value", "moved"), [(32768, 128), (32767, 127)])
def test_one_unit_of_a_rating_at_the_rounding(value: int, moved: int) -> None:
    # f = 8, q = g = 0, c0 = 1, fr = 16: x = 0, y = 255, e = -value; curvature 0, so H = 1.
    # Z = (255 value + 2^15) >> 16, and 255 * 2^15 + 2^15 = 128 * 2^16.
    params = replace(ONE, step_bits=0, step_guard_bits=0, damping=1, rating_frac_bits=16)
    assert fixed.half_step([[0]], [([0], [value])], [[255]], params).z == [[[moved]]]


def test_every_state_of_a_run_is_whole(ratings_of: RatingsOf) -> None:
    ratings = ratings_of(2, 3, {(0, 0): 2, (1, 2): -3, (1, 0): 1})
    users, items = fixed.start(ONE, 2, 3)
    expected: list[fixed.State] = []
    for iteration in (1, 2):
        on_users = fixed.half_step(users, ratings.by_user(), items, ONE)
        users = on_users.rows
        expected.append(fixed.State(iteration, "users", on_users, users, items))
        on_items = fixed.half_step(items, ratings.by_item(), users, ONE)
        items = on_items.rows
        expected.append(fixed.State(iteration, "items", on_items, users, items))
    assert list(fixed.iterate(ratings, ONE)) == expected


def profiles_of(factors: list[list[int]]) -> ItemProfiles:
    items = tuple(str(row) for row in range(1, len(factors) + 1))
    params = replace(ONE, rank=len(factors[0]))
    return ItemProfiles.of(items, np.array(factors, dtype=np.int64), None, params)


@pytest.mark.req("PPMF-RDG-008")
def test_similar_items_of_an_item_that_is_not_at_the_origin() -> None:
    # From (1, 2): (2, 0) is 1 + 4 away, (-1, -2) is 4 + 16, (4, 6) is 9 + 16.
    profiles = profiles_of([[-1, -2], [1, 2], [4, 6], [2, 0]])
    assert ridge.similar(profiles, 1, 3) == [
        ridge.Neighbour(3, 5),
        ridge.Neighbour(0, 20),
        ridge.Neighbour(2, 25),
    ]


@pytest.mark.req("PPMF-RDG-004")
def test_the_grid_of_a_users_ratings_begins_at_the_offset() -> None:
    # Eighths from 1/32: 5/32 is on the grid, 1/8 is not.
    profiles = replace(profiles_of([[1]]), rating_offset=Fraction(1, 32), rating_frac_bits=3)
    profiles = replace(profiles, rating_min=Fraction(0))
    ridge.check_rating(profiles, 0, Fraction(5, 32))
    with pytest.raises(RangeError, match="item row 0: the rating is not on the grid of ratings$"):
        ridge.check_rating(profiles, 0, Fraction(1, 8))


@pytest.mark.req("PPMF-RDG-003")
def test_the_refusal_of_a_profile_that_does_not_exist() -> None:
    with pytest.raises(ParametersError) as caught:
        ridge.profile({}, replace(profiles_of([[1]]), ridge=Fraction(0)))
    assert str(caught.value) == "ridge: 0, and these ratings do not determine a profile"


def test_profiles_and_enclosures_of_other_items_are_not_compared(ratings_of: RatingsOf) -> None:
    enclosure = certified.train(ratings_of(1, 2, {(0, 0): 1}), ONE)
    for profiles in (profiles_of([[1], [2], [3]]), profiles_of([[1, 1], [2, 2]])):
        with pytest.raises(EncodingError) as caught:
            certified.distance(profiles, enclosure)
        expected = "the profiles and the enclosure are not of the same items and rank"
        assert str(caught.value) == expected
    assert certified.distance(profiles_of([[1], [2]]), enclosure).radius < Fraction(1, 2**60)
