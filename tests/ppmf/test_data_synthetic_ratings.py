# SPDX-License-Identifier: Apache-2.0
"""The made-up ratings: the same on every machine, shaped like real ones, of any size."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from ppmf.data import synthetic_ratings
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import quantise, write_csv
from tests.support.toy_wheel import sha256


def test_the_synthetic_set_is_the_same_everywhere(tmp_path: Path) -> None:
    raw = synthetic_ratings.ratings()
    write_csv(tmp_path / "a.csv", raw)
    digest = sha256((tmp_path / "a.csv").read_bytes())
    assert digest == "b45bfa1b0ab9c2c4573d0e8561aeca371c781c0548efb9bc31585e9dab162f2f"
    assert synthetic_ratings.ratings(label="other") != raw


def test_the_synthetic_set_looks_like_ratings() -> None:
    raw = synthetic_ratings.ratings()
    ratings = quantise(raw, Parameters())
    assert (ratings.n_users, ratings.n_items) == (200, 200)
    assert 5_000 < len(ratings) < 8_000
    assert {value.denominator for value in raw.values} == {1, 2}
    assert (min(raw.values), max(raw.values)) == (Fraction(1, 2), Fraction(5))
    for rows in (ratings.by_user(), ratings.by_item()):
        counts = sorted(len(rated) for rated, _ in rows)
        assert counts[0] >= 3
        assert sum(counts[-40:]) > 1.5 * sum(counts[:100])  # the top fifth, the lower half


def test_the_synthetic_set_takes_any_size() -> None:
    raw = synthetic_ratings.ratings(users=30, items=7)
    assert len(raw) > 0
    assert {int(user) for user in raw.users} <= set(range(1, 31))
    assert {int(item) for item in raw.items} <= set(range(1, 8))
