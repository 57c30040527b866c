# SPDX-License-Identifier: Apache-2.0
"""The counting in chapter 6's lemma on the hash, on ciphers small enough to look at every place."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from math import perm

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

Blocks = NDArray[np.int64]


def entries(pi: Blocks, labels: Blocks, tweaks: Blocks) -> tuple[Blocks, Blocks]:
    """The left ends of the first and of the second entries of calls on labels that are lacking."""
    return labels, pi[labels] ^ tweaks


def hashes(pi: Blocks, labels: Blocks, tweaks: Blocks) -> Blocks:
    found: Blocks = pi[pi[labels] ^ tweaks] ^ pi[labels]
    return found


def toys(size: int, count: int, calls: int) -> Iterator[tuple[np.random.Generator, Blocks, Blocks]]:
    """Random permutations of so many blocks, each with different held labels of even colour."""
    rng = np.random.default_rng(size)
    for _ in range(count):
        held = 2 * rng.choice(size // 2, calls, replace=False)
        yield rng, rng.permutation(size), held


def test_a_query_meets_two_entries_of_a_call_and_each_from_both_ends() -> None:
    """Forwards at X = L and X = a ^ i, backwards at Y = a and Y = a ^ r: the same entries."""
    size, calls = 1 << 14, 8
    tweaks = np.arange(calls)
    met = []
    for rng, pi, held in toys(size, 50, calls):
        labels = held ^ rng.integers(size)
        a, r = pi[labels], hashes(pi, labels, tweaks)
        forwards = {x for place in entries(pi, labels, tweaks) for x in place.tolist()}
        backwards = {*a.tolist(), *(a ^ r).tolist()}
        assert {int(pi[x]) for x in forwards} == backwards
        met.append(len(forwards))
    assert max(met) == 2 * calls
    assert sum(met) >= 50 * 2 * calls - 5  # but for coincidences


@pytest.mark.parametrize(
    ("known", "mixed", "places"),
    [(False, False, 2), (True, False, 3), (True, True, 2)],
    ids=["RecSys' offset", "CSP's offset, one colour", "CSP's offset, both colours"],
)
def test_how_often_a_query_meets_an_entry(known: bool, mixed: bool, places: int) -> None:
    """In units of calls / N: two places for a uniform offset; three where its bit 0 is 1 and every
    query asks for a label of the right colour; again two where held labels have both colours.
    """
    size, calls, rounds = 1 << 10, 16, 400
    tweaks = np.arange(calls)
    total = 0
    for rng, pi, held in toys(size, rounds, calls):
        offset = 2 * rng.integers(size // 2) + 1 if known else rng.integers(size)
        if mixed:
            held = held ^ (np.arange(calls) & 1)
        for place in entries(pi, held ^ offset, tweaks):
            total += int(np.count_nonzero(place & 1)) if known else calls
    asked = size // 2 if known else size  # by one who asks for every X of that colour
    assert total / rounds / asked == pytest.approx(places * calls / size, rel=0.02)


def choices(size: int, known: dict[int, int], labels: list[int], calls: list[list[int]],
            answers: list[list[int]]) -> int:  # fmt: skip
    """How many (a_1, a_2) make entries of which no ends meet each other or a known entry, for the
    tweaks and answers of the calls on one or two labels.
    """
    a = np.indices((size,) * len(labels)).reshape(len(labels), -1)
    left = [np.full(a.shape[1], label) for label in labels]
    right = list(a)
    for images, tweaks, hashed in zip(a, calls, answers, strict=True):
        left += [images ^ tweak for tweak in tweaks]
        right += [images ^ one for one in hashed]
    good = np.ones(a.shape[1], dtype=bool)
    for ends, taken in ((left, list(known)), (right, list(known.values()))):
        for place, end in enumerate(ends):
            good &= ~np.isin(end, taken)
            for other in ends[:place]:
                good &= end != other
    return int(np.count_nonzero(good))


@given(st.integers(0, 2**32), st.integers(1, 2), st.integers(1, 3), st.integers(0, 30))
def test_a_good_transcript_is_about_as_likely_as_the_proof_says(
    seed: int, count: int, beta: int, queries: int
) -> None:
    """Choices times the chance of each, over N^-mu, against the proof's quotient and its c_s."""
    size, mu = 256, count * beta
    rng = np.random.default_rng(seed)
    labels = rng.choice(size, count, replace=False)
    outside = np.setdiff1d(np.arange(size), labels)
    known = dict(
        zip(
            rng.choice(outside, queries, replace=False).tolist(),
            rng.choice(size, queries, replace=False).tolist(),
            strict=True,
        )
    )
    calls = [rng.choice(size, beta, replace=False).tolist() for _ in labels]
    answers = [rng.choice(np.arange(1, size), beta, replace=False).tolist() for _ in labels]
    found = choices(size, known, labels.tolist(), calls, answers)
    avoided = count * (1 + 2 * beta) * queries + 3.5 * mu**2
    assert found >= size**count * (1 - avoided / size)
    quotient = found * float(size) ** mu / perm(size - queries, count + mu)
    u = queries / size
    assert (1 + beta) * u <= 1 / 2
    assert quotient >= 1 - mu * u * (1 + 6 * beta * u) - 7 * mu**2 / size


def test_choices_are_a_lower_bound_of_the_chance_over_all_permutations() -> None:
    """Eight blocks, every permutation with one known entry, one call: each of its answers."""
    size, x, label, tweak = 8, 5, 2, 3
    for y in range(size):
        free = [block for block in range(size) if block != y]
        seen = np.zeros(size, dtype=int)
        for rest in permutations(free):
            pi = np.array([*rest[:x], y, *rest[x:]])
            seen[int(hashes(pi, np.array([label]), np.array([tweak]))[0])] += 1
        for answer in range(1, size):
            made = choices(size, {x: y}, [label], [[tweak]], [[answer]])
            assert 0 < made * perm(size - 3, size - 3) <= seen[answer]


def test_the_known_attack_is_within_the_lemma() -> None:
    """Second entries alone: X ^ Y ^ i = r, checked by one query more. It meets mu q / N of them."""
    size, calls, queries, rounds = 1 << 12, 16, 40, 600
    tweaks = np.arange(calls)
    found = 0
    for rng, pi, held in toys(size, rounds, calls):
        offset = int(rng.integers(size))
        answers = hashes(pi, held ^ offset, tweaks)
        inverse = np.argsort(pi)
        x = rng.choice(size, queries, replace=False)
        fits = (x ^ pi[x])[:, None] ^ tweaks == answers
        candidates = (inverse[x[:, None] ^ tweaks] ^ held)[fits]
        found += offset in candidates
    per_query = calls * queries / size
    assert found / rounds == pytest.approx(per_query, abs=0.05)
    assert found / rounds < 2 * per_query
