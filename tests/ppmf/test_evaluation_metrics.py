# SPDX-License-Identifier: Apache-2.0
"""The measures of `ppmf evaluate`: values computed by hand, and a slow plain implementation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ppmf.evaluation import metrics
from ppmf_spec.errors import RangeError
from ppmf_spec.ratings import Ratings

Cells = set[tuple[int, int]]


def ratings_at(cells: Cells, users: int, items: int) -> Ratings:
    """Ratings at these cells; their values do not matter here."""
    user = np.array([cell[0] for cell in cells], np.int64)
    item = np.array([cell[1] for cell in cells], np.int64)
    people, things = (
        tuple(str(number) for number in range(1, size + 1)) for size in (users, items)
    )
    return Ratings(people, things, user, item, np.zeros(len(cells), np.int64))


def lists_of(
    table: NDArray[np.float64], training: Cells, relevant: Cells, k: int
) -> metrics.Lists | None:
    users, items = table.shape
    return metrics.lists(
        lambda rows: table[rows],
        ratings_at(training, users, items),
        ratings_at(relevant, users, items),
        k,
    )


def test_errors_by_hand() -> None:
    found = metrics.errors(np.array([4.0, 3.0, 1.0]), np.array([5.0, 3.0, 3.0]))
    assert found.rmse == pytest.approx(math.sqrt(5 / 3))
    assert found.mae == pytest.approx(1.0)


def test_errors_of_nothing_are_refused() -> None:
    for count in (0, 2):
        with pytest.raises(RangeError, match="at least one"):
            metrics.errors(np.zeros(count), np.zeros(0))


def test_lists_by_hand() -> None:
    # User 0 rated item 0 in training and is shown 1, 2: item 2 is a hit at place 2, item 4 is not
    # shown. User 1 is shown 3, 1: a hit at place 1. User 2 has nothing relevant and counts nowhere.
    table = np.array([[9.0, 8, 7, 6, 5], [0, 2, 1, 3, 0], [5, 4, 3, 2, 1]])
    found = lists_of(table, {(0, 0), (2, 1)}, {(0, 2), (0, 4), (1, 3)}, k=2)
    assert found is not None
    second = 1 / math.log2(3)
    assert found.precision == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert found.recall == pytest.approx((1 / 2 + 1) / 2)
    assert found.ndcg == pytest.approx((second / (1 + second) + 1) / 2)
    assert found.coverage == pytest.approx(3 / 5)  # items 1, 2, 3


def test_ties_go_by_the_order_of_the_items_and_what_was_rated_is_no_candidate() -> None:
    table = np.zeros((1, 4))
    for hit, ndcg in ((1, 1.0), (2, 1 / math.log2(3)), (3, 0.0)):
        found = lists_of(table, {(0, 0)}, {(0, hit)}, k=2)
        assert found is not None
        assert found.ndcg == pytest.approx(ndcg)


def test_fewer_candidates_than_places() -> None:
    found = lists_of(np.array([[3.0, 2.0, 1.0]]), {(0, 0), (0, 1)}, {(0, 2)}, k=10)
    assert found == metrics.Lists(precision=0.1, recall=1.0, ndcg=1.0, coverage=1 / 3)


def test_more_hits_than_places_are_a_perfect_list() -> None:
    found = lists_of(np.array([[3.0, 2.0, 1.0]]), set(), {(0, 0), (0, 1), (0, 2)}, k=2)
    assert found is not None
    assert found.ndcg == found.precision == 1
    assert found.recall == pytest.approx(2 / 3)


def test_nothing_relevant_has_no_figures_and_a_list_has_an_item() -> None:
    assert lists_of(np.zeros((2, 2)), {(0, 0)}, set(), k=1) is None
    with pytest.raises(RangeError, match="lists of 0 items"):
        lists_of(np.zeros((2, 2)), {(0, 0)}, {(1, 1)}, k=0)


def plain(table: list[list[int]], training: Cells, relevant: Cells, k: int) -> list[float]:
    """Precision, recall, NDCG and coverage, as a textbook writes them."""
    rows = []
    shown: set[int] = set()
    for user, scores in enumerate(table):
        wanted = {item for row, item in relevant if row == user}
        if not wanted:
            continue
        candidates = [item for item in range(len(scores)) if (user, item) not in training]
        best = sorted(candidates, key=lambda item: (-scores[item], item))[:k]
        shown |= set(best)
        hits = [place for place, item in enumerate(best, start=1) if item in wanted]
        gain = sum(1 / math.log2(place + 1) for place in hits)
        most = sum(1 / math.log2(place + 1) for place in range(1, min(k, len(wanted)) + 1))
        rows.append((len(hits) / k, len(hits) / len(wanted), gain / most))
    means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    return [*means, len(shown) / len(table[0])]


@st.composite
def judged(draw: st.DrawFn) -> tuple[list[list[int]], Cells, Cells, int]:
    users, items = draw(st.integers(1, 6)), draw(st.integers(1, 7))
    row = st.lists(st.integers(-2, 2), min_size=items, max_size=items)  # so that ties are common
    table = draw(st.lists(row, min_size=users, max_size=users))
    cells = st.tuples(st.integers(0, users - 1), st.integers(0, items - 1))
    relevant = draw(st.sets(cells, min_size=1))
    training = draw(st.sets(cells)) - relevant
    return table, training, relevant, draw(st.integers(1, 9))


@given(judged(), st.integers(1, 12))
def test_lists_are_those_of_the_plain_implementation(
    case: tuple[list[list[int]], Cells, Cells, int], cells: int
) -> None:
    table, training, relevant, k = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "_CELLS", cells)  # blocks of few users, and one block of all
        found = lists_of(np.array(table, np.float64), training, relevant, k)
    assert found is not None
    seen = [found.precision, found.recall, found.ndcg, found.coverage]
    assert seen == pytest.approx(plain(table, training, relevant, k))


@given(st.lists(st.tuples(st.integers(1, 10), st.integers(1, 10)), min_size=1, max_size=20))
def test_errors_are_those_of_the_plain_implementation(pairs: list[tuple[int, int]]) -> None:
    off = [one - other for one, other in pairs]
    found = metrics.errors(*np.array(pairs, np.float64).T)
    assert found.rmse == pytest.approx(math.sqrt(sum(x * x for x in off) / len(off)))
    assert found.mae == pytest.approx(sum(map(abs, off)) / len(off))
