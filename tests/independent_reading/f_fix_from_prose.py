# SPDX-License-Identifier: Apache-2.0
"""F_fix, written from the prose of the specification and from nothing else.

Whoever wrote the files *_from_prose.py had not seen the project's code: they stand on the standard
library alone, share nothing with the oracle, and follow chapters 2 and 3 sentence by sentence. So
every number is an unbounded `int` or a `Fraction`, and no loop is clever. The letters are the
chapters'.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import shake_256
from typing import Protocol

from tests.independent_reading.parameters_from_prose import (
    Parameters,
    RefusedError,
    bound,
    curvature_of_bias,
    curvature_of_factors,
    step,
    thresholds,
)

Row = list[int]  # d factors, then the bias if there is one; words at scale f
Side = list[Row]
Rated = list[list[tuple[int, int]]]  # for each row its counterparts p and the integers rho_p

NEVER = (  # PPMF-FIX-005; D800 to DFFF are no Unicode scalar values
    "0-1F 7F-A0 AD 600-605 61C 6DD 70F 890 891 8E2 1680 180E 2000-200F 2028-202F 205F-2064 "
    "2066-206F 3000 D800-DFFF E000-F8FF FEFF FFF9-FFFB 110BD 110CD 13430-1343F 1BCA0-1BCA3 "
    "1D173-1D17A E0001 E0020-E007F F0000-FFFFD 100000-10FFFD"
)
NEVER_IN_AN_ID = frozenset(
    point
    for ends in NEVER.split(" ")
    for point in range(int(ends.partition("-")[0], 16), int(ends.rpartition("-")[2], 16) + 1)
)
CANONICAL_INTEGER = re.compile(r"0|-?[1-9][0-9]*")


@dataclass(frozen=True)
class Ratings:
    """Ids in row order, and (user row, item row, x) of every rating, by row, then by column."""

    users: tuple[str, ...]
    items: tuple[str, ...]
    entries: tuple[tuple[int, int, int], ...]


def in_order(ids: Iterable[str]) -> tuple[str, ...]:
    """The ids in ascending order (PPMF-FIX-003), each well formed and occurring once (-005)."""
    listed = tuple(ids)
    if not listed:
        raise RefusedError("range", "a list of ids is empty")
    for number, text in enumerate(listed):
        inner = text.strip(" ") == text != ""
        if not inner or any(ord(c) in NEVER_IN_AN_ID for c in text):
            raise RefusedError("encoding", f"id number {number} of the list is malformed")
    if len(set(listed)) != len(listed):
        raise RefusedError("range", "an id occurs more than once in its list")
    if all(CANONICAL_INTEGER.fullmatch(text) for text in listed):
        return tuple(sorted(listed, key=integer_order))
    return tuple(sorted(listed, key=str.encode))


def integer_order(text: str) -> tuple[int, int, str]:
    """A key that puts canonical decimals in the order of the integers, of any length."""
    if not text.startswith("-"):
        return (0, len(text), text)
    flipped = text[1:].translate(str.maketrans("0123456789", "9876543210"))
    return (-1, -len(text), flipped)


class Scale(Protocol):
    """What parameters and item profiles both say of ratings."""

    @property
    def rating_min(self) -> Fraction: ...
    @property
    def rating_max(self) -> Fraction: ...
    @property
    def rating_offset(self) -> Fraction: ...
    @property
    def rating_frac_bits(self) -> int: ...


def scaled(rating: Fraction, p: Scale, place: str) -> int:
    """The integer of PPMF-FIX-006 for a rating on the scale; a refusal names its place alone."""
    if not p.rating_min <= rating <= p.rating_max:
        raise RefusedError("range", f"{place} is off the scale")
    x = (rating - p.rating_offset) * (1 << p.rating_frac_bits)
    if x.denominator != 1:
        raise RefusedError("range", f"{place} has too many fractional bits")
    return x.numerator


def read_ratings(
    p: Parameters,
    users: Iterable[str],
    items: Iterable[str],
    ratings: Iterable[tuple[str, str, Fraction]],
) -> Ratings:
    """The inputs of F_fix, rows numbered and ratings scaled (PPMF-FIX-003 to PPMF-FIX-009)."""
    user_ids, item_ids = in_order(users), in_order(items)
    user_row = {text: row for row, text in enumerate(user_ids)}
    item_row = {text: row for row, text in enumerate(item_ids)}
    entries: dict[tuple[int, int], int] = {}
    for number, (user, item, rating) in enumerate(ratings):
        place = f"rating number {number}"
        if user not in user_row or item not in item_row:
            raise RefusedError("range", f"{place} is by a user or of an item that is not listed")
        pair = (user_row[user], item_row[item])
        if pair in entries:
            raise RefusedError("range", f"{place} is a second one of its pair")
        entries[pair] = scaled(rating, p, place)
    return Ratings(user_ids, item_ids, tuple((i, j, x) for (i, j), x in sorted(entries.items())))


def start(p: Parameters, n: int, m: int) -> tuple[Side, Side]:
    """The starting U and V (PPMF-FIX-010, PPMF-FIX-011)."""
    d = p.rank
    stream = shake_256(b"ppmf/v1/init/" + p.seed.encode()).digest((n + m) * d)
    words = [(byte - 128) << (p.frac_bits - 8) for byte in stream]
    rows = [words[at : at + d] + [0] * p.bias for at in range(0, len(words), d)]
    return rows[:n], rows[n:]


def soft(z: int, t: int) -> int:
    """sign(z) max(|z| - t, 0)."""
    size = max(abs(z) - t, 0)
    return size if z >= 0 else -size


def prox(p: Parameters, z: int, tau: int, theta: int) -> int:
    """The prox of a factor (PPMF-FIX-032, PPMF-FIX-033)."""
    one = 1 << p.frac_bits
    if p.regulariser == "elastic-net" or z <= one // 2 - theta:
        return soft(z, tau)
    return one + soft(z + 2 * theta - one, tau)


def saturate(p: Parameters, z: int) -> int:
    """The nearest word of 1 + b + f bits (PPMF-FIX-034)."""
    end = 1 << (p.box_bits + p.frac_bits)
    return max(-end, min(end - 1, z))


def descend(p: Parameters, x: int, x_before: int, G: int, H: int) -> int:
    """Z, with the only rounding of a step (PPMF-FIX-030)."""
    t = 2 * p.frac_bits + p.step_bits
    A = p.inertia * 2**t
    return ((x << t) + int(A) * (x - x_before) - H * G + (1 << (t - 1))) >> t


@dataclass
class HalfStep:
    """The new rows, and by row what they were computed with; z is by inner step, then by row.

    previous: the rows as they were before the last inner step (PPMF-FIX-036).
    """

    rows: Side
    previous: Side
    counts: list[int]
    squares: list[int]
    factor_steps: list[int]
    bias_steps: list[int | None]
    taus: list[int]
    thetas: list[int]
    z: list[Side]


def half_step(p: Parameters, rows: Side, previous: Side, other: Side, rated: Rated) -> HalfStep:
    """Move every row against the other side, which is held (PPMF-FIX-020 to PPMF-FIX-035)."""
    z: list[Side] = [[] for _ in range(p.inner_steps)]
    done = HalfStep([], [], [], [], [], [], [], [], z)
    for old, older, ratings in zip(rows, previous, rated, strict=True):
        c = len(ratings)
        q2 = sum(y * y for row, _ in ratings for y in other[row][: p.rank])
        H = step(p, curvature_of_factors(p, c, q2))
        H_bias = step(p, curvature_of_bias(p, c))
        tau, theta = thresholds(p, H)
        counterparts = [(other[row], x) for row, x in ratings]
        before, new = older, old
        for inner in range(p.inner_steps):
            Z = unrounded(p, new, before, counterparts, H, H_bias)
            z[inner].append(Z)
            factors = [prox(p, word, tau, theta) for word in Z[: p.rank]]
            before, new = new, [saturate(p, word) for word in factors + Z[p.rank :]]
        done.rows.append(new)
        done.previous.append(before)
        done.counts.append(c)
        done.squares.append(q2)
        done.factor_steps.append(H)
        done.bias_steps.append(H_bias if p.bias else None)
        done.taus.append(tau)
        done.thetas.append(theta)
    return done


def unrounded(
    p: Parameters,
    x: Row,
    before: Row,
    counterparts: Sequence[tuple[Row, int]],
    H: int,
    H_bias: int,
) -> Row:
    """Z of every coordinate of the row x (PPMF-FIX-027 to PPMF-FIX-031)."""
    d, f, _, _, _, _, _ = p.letters
    ridge = int(p.ridge * 2 ** (2 * f))
    residuals = []
    for y, rho_p in counterparts:
        e = sum(x[k] * y[k] for k in range(d)) - rho_p * 2 ** (2 * f - p.rating_frac_bits)
        residuals.append(e + 2**f * (x[d] + y[d]) if p.bias else e)
    z = []
    for k in range(d):
        G = sum(e * y[k] for e, (y, _) in zip(residuals, counterparts, strict=True))
        z.append(descend(p, x[k], before[k], G + ridge * x[k], H))
    if p.bias:
        z.append(descend(p, x[d], before[d], 2**f * sum(residuals) + ridge * x[d], H_bias))
    return z


def run(p: Parameters, ratings: Ratings) -> Iterator[HalfStep]:
    """Every half-step of a run, users and items in turn (PPMF-FIX-040)."""
    n, m = len(ratings.users), len(ratings.items)
    bound(p, n, m)
    by_user: Rated = [[] for _ in range(n)]
    by_item: Rated = [[] for _ in range(m)]
    for i, j, x in ratings.entries:
        by_user[i].append((j, x))
        by_item[j].append((i, x))
    U, V = start(p, n, m)
    U_before, V_before = U, V
    for _ in range(p.iterations):
        users = half_step(p, U, U_before, V, by_user)
        yield users
        U, U_before = users.rows, users.previous
        items = half_step(p, V, V_before, U, by_item)
        yield items
        V, V_before = items.rows, items.previous


def train(p: Parameters, ratings: Ratings) -> Side:
    """V after the last iteration, in the order of the items' rows (PPMF-FIX-041)."""
    *_, last = run(p, ratings)
    return last.rows
