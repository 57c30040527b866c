# SPDX-License-Identifier: Apache-2.0
"""What a user computes from V alone: a profile, predictions, lists; by hand and by sympy."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from ppmf_reference import ridge
from ppmf_spec.errors import ParametersError, RangeError
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles


def profiles_of(
    factors: list[list[int]], bias: list[int] | None, weight: Fraction = Fraction(1)
) -> ItemProfiles:
    """Item profiles at f = 8, r0 = 3, half stars from 0.5 to 5."""
    params = Parameters(rank=len(factors[0]), frac_bits=8, bias=bias is not None, ridge=weight)
    items = tuple(str(row) for row in range(1, len(factors) + 1))
    own = None if bias is None else np.array(bias, dtype=np.int64)
    return ItemProfiles.of(items, np.array(factors, dtype=np.int64), own, params)


# v = 1, -1/2, 1, 0 and b = 0, 1/4, 1/2, 0.
FOUR = profiles_of([[256], [-128], [256], [0]], [0, 64, 128, 0])
BARE = profiles_of([[256], [-128], [256], [0]], None)


@pytest.mark.req("PPMF-RDG-002", "PPMF-RDG-005")
def test_profile_by_hand_without_bias() -> None:
    # Five stars for v = 1, four for v = -1/2: (1 + 1/4 + 1) u = 2 - 1/2, so u = 2/3.
    user = ridge.profile({0: Fraction(5), 1: Fraction(4)}, BARE)
    assert user == ridge.UserProfile((Fraction(2, 3),), Fraction(0))
    assert ridge.predict(user, BARE, 2) == 3 + Fraction(2, 3)


@pytest.mark.req("PPMF-RDG-001", "PPMF-RDG-005")
def test_profile_by_hand_with_bias() -> None:
    # t = 2 and 1 - 1/4 = 3/4; Y has rows (1, 1) and (-1/2, 1).
    # (9/4, 1/2; 1/2, 3) (u, a) = (2 - 3/8, 2 + 3/4): det 13/2, u = 7/13, a = 43/52.
    user = ridge.profile({0: Fraction(5), 1: Fraction(4)}, FOUR)
    assert user == ridge.UserProfile((Fraction(7, 13),), Fraction(43, 52))
    assert ridge.predict(user, FOUR, 2) == 3 + Fraction(7, 13) + Fraction(43, 52) + Fraction(1, 2)


@pytest.mark.req("PPMF-RDG-001")
def test_a_user_without_ratings_gets_the_items_biases() -> None:
    user = ridge.profile({}, FOUR)
    assert user == ridge.UserProfile((Fraction(0),), Fraction(0))
    assert [prediction.row for prediction in ridge.top_n(user, FOUR, {}, 4)] == [2, 1, 0, 3]


words = st.integers(-512, 511)


@pytest.mark.req("PPMF-RDG-001", "PPMF-RDG-002", "PPMF-RDG-009")
@settings(max_examples=40)
@given(st.data(), st.integers(1, 3), st.integers(1, 5), st.booleans(), st.integers(1, 9))
def test_profile_solves_the_normal_equations_by_sympy(
    data: st.DataObject, rank: int, items: int, with_bias: bool, weight: int
) -> None:
    row = st.lists(words, min_size=rank, max_size=rank)
    factors = data.draw(st.lists(row, min_size=items, max_size=items))
    bias = data.draw(st.lists(words, min_size=items, max_size=items)) if with_bias else None
    profiles = profiles_of(factors, bias, Fraction(weight, 2))
    half_stars = data.draw(st.dictionaries(st.integers(0, items - 1), st.integers(1, 10)))
    user = ridge.profile({j: Fraction(r, 2) for j, r in half_stars.items()}, profiles)

    # The gradient of the loss as it is written, at the user's profile.
    names = sympy.symbols(f"u:{rank}")
    a = sympy.Symbol("a")
    loss = sympy.Rational(weight, 2) * (sum(u**2 for u in names) + a**2)
    for j, r in half_stars.items():
        inner = sum(u * sympy.Rational(v, 256) for u, v in zip(names, factors[j], strict=True))
        inner += a + sympy.Rational(bias[j], 256) if bias is not None else 0
        loss += (sympy.Rational(r, 2) - 3 - inner) ** 2
    at = {
        name: sympy.Rational(value.numerator, value.denominator)
        for name, value in zip((*names, a), (*user.factors, user.bias), strict=True)
    }
    assert [sympy.diff(loss, name).subs(at) for name in (*names, a)] == [0] * (rank + 1)


@pytest.mark.req("PPMF-RDG-006")
def test_predictions_are_clipped_for_display_only() -> None:
    # v = 1, b = 1.99 and v = 1, b = 1.5: both above five stars, still ranked.
    profiles = profiles_of([[256], [256], [-512]], [384, 510, 0])
    user = ridge.UserProfile((Fraction(2),), Fraction(0))
    ranked = ridge.top_n(user, profiles, (), 3)
    assert [prediction.row for prediction in ranked] == [1, 0, 2]
    assert ranked[1].rating == Fraction(13, 2)
    assert [ridge.clip(prediction.rating, profiles) for prediction in ranked] == [
        Fraction(5),
        Fraction(5),
        Fraction(1, 2),
    ]


@pytest.mark.req("PPMF-RDG-007")
def test_top_n_leaves_out_rated_items_and_breaks_ties_by_row() -> None:
    user = ridge.UserProfile((Fraction(1),), Fraction(0))
    assert [prediction.row for prediction in ridge.top_n(user, BARE, (), 4)] == [0, 2, 3, 1]
    assert [prediction.row for prediction in ridge.top_n(user, BARE, {0}, 2)] == [2, 3]
    assert ridge.top_n(user, BARE, {0, 1, 2, 3}, 2) == []


@pytest.mark.req("PPMF-RDG-008")
def test_similar_items_by_distance_ties_by_row() -> None:
    # (0, 0), (3, 4), (-5, 0), (0, 5), (1, 1): squared distances 25, 25, 25, 2 from the first.
    profiles = profiles_of([[0, 0], [3, 4], [-5, 0], [0, 5], [1, 1]], [0, 9, 9, 9, 9])
    assert ridge.similar(profiles, 0, 3) == [
        ridge.Neighbour(4, 2),
        ridge.Neighbour(1, 25),
        ridge.Neighbour(2, 25),
    ]
    assert len(ridge.similar(profiles, 0, 9)) == 4


@pytest.mark.req("PPMF-RDG-003")
def test_without_ridge_a_profile_may_not_exist() -> None:
    free = profiles_of([[256, 0], [0, 128]], None, Fraction(0))
    with pytest.raises(ParametersError, match="ridge"):
        ridge.profile({0: Fraction(5)}, free)
    with pytest.raises(ParametersError, match="ridge"):
        ridge.profile({}, free)
    user = ridge.profile({0: Fraction(5), 1: Fraction(4)}, free)
    assert user.factors == (Fraction(2), Fraction(2))


@pytest.mark.req("PPMF-RDG-004")
@pytest.mark.parametrize(
    ("ratings", "where"),
    [
        ({4: Fraction(3)}, "item row 4"),
        ({-1: Fraction(3)}, "item row -1"),
        ({1: Fraction(11, 2)}, "item row 1: the rating is off the scale"),
        ({1: Fraction(0)}, "item row 1: the rating is off the scale"),
        ({1: Fraction(13, 4)}, "item row 1: the rating is not on the grid"),
    ],
)
def test_bad_ratings_are_refused_by_row(ratings: dict[int, Fraction], where: str) -> None:
    with pytest.raises(RangeError, match=where):
        ridge.profile(ratings, FOUR)


def test_bad_questions_are_refused() -> None:
    user = ridge.UserProfile((Fraction(1),), Fraction(0))
    with pytest.raises(RangeError, match="item row 4"):
        ridge.predict(user, FOUR, 4)
    with pytest.raises(RangeError, match="item row 4"):
        ridge.similar(FOUR, 4, 1)
    with pytest.raises(RangeError, match="a list of 0 items"):
        ridge.top_n(user, FOUR, (), 0)
    with pytest.raises(RangeError, match="a list of 0 items"):
        ridge.similar(FOUR, 0, 0)
