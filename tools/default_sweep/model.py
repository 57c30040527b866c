# SPDX-License-Identifier: Apache-2.0
"""F_fix in arrays of int64, fast enough to try hundreds of parameter sets on MovieLens-100K.

It is a tool of the sweep and no reading of the specification: the tests hold it against the oracle,
bit for bit. A row needs its counterparts only through sums that a half-step fixes: the Gram matrix
sum y y^T over its counterparts, and the sums of y times the counterpart's target. With these sums
an inner step costs nothing, and the sums themselves are one product with a sparse matrix.

All arithmetic is modulo 2^64, as NumPy's int64 is. A parameter set that passes `bounds` reaches no
number before the shift outside [-2^63, 2^63), so that the wrapping on the way is harmless
(chapter 3, "Bound"); `bounds` is asked first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import shake_256

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ppmf_spec.bounds import bounds
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings, check_scale

Integers = NDArray[np.int64]


@dataclass(slots=True)
class _Side:
    """One side's rows (size, row_rank) and p, what they were before the last inner step on them.

    `rated` (size, others) has a 1 for each rating, `values` the ratings, `counts` (size,) their
    number in each row.
    """

    rated: sparse.csr_array
    values: sparse.csr_array
    counts: Integers
    rows: Integers
    before: Integers


def trajectory(ratings: Ratings, params: Parameters) -> Iterator[Integers]:
    """V after each iteration 1, 2, .. T: (m, row_rank) words at scale f, the bias last.

    Raises ParametersError for a set that could leave the ring, and RangeError for ratings of
    another scale than the parameters'.
    """
    check_scale(ratings, params)
    bounds(params, ratings.n_users, ratings.n_items)
    users, items = _sides(ratings, params)
    for _ in range(params.iterations):
        _half_step(users, items.rows, params)
        _half_step(items, users.rows, params)
        yield items.rows


def profiles(rows: Integers, ratings: Ratings, params: Parameters) -> ItemProfiles:
    """The published profiles of the items' rows (m, row_rank)."""
    bias = rows[:, params.rank] if params.bias else None
    return ItemProfiles.of(ratings.items, rows[:, : params.rank], bias, params)


def _sides(ratings: Ratings, params: Parameters) -> tuple[_Side, _Side]:
    n, m, d = ratings.n_users, ratings.n_items, params.rank
    stream = shake_256(b"ppmf/v1/init/" + params.seed.encode()).digest((n + m) * d)
    factors = np.frombuffer(stream, np.uint8).reshape(n + m, d).astype(np.int64) - 128
    rows = np.zeros((n + m, params.row_rank), np.int64)
    rows[:, :d] = factors << (params.frac_bits - 8)

    def side(row: Integers, column: Integers, shape: tuple[int, int], start: Integers) -> _Side:
        ones = np.ones(len(ratings), np.int64)
        rated = sparse.csr_array((ones, (row, column)), shape=shape)
        values = sparse.csr_array((ratings.value, (row, column)), shape=shape)
        counts = np.bincount(row, minlength=shape[0])
        return _Side(rated, values, counts, start.copy(), start.copy())

    return (
        side(ratings.user, ratings.item, (n, m), rows[:n]),
        side(ratings.item, ratings.user, (m, n), rows[n:]),
    )


def _half_step(side: _Side, other: Integers, params: Parameters) -> None:
    """Move every row of `side`, which holds the other side's rows fixed."""
    f, q, d = params.frac_bits, params.step_bits, params.rank
    width = params.row_rank
    own, pull = other.copy(), np.zeros(len(other), np.int64)  # y~, and a bias at scale 2f
    if params.bias:
        own[:, d], pull = 1 << f, other[:, d] << f

    upper = np.triu_indices(width)
    products = side.rated @ (own[:, upper[0]] * own[:, upper[1]])
    gram = np.empty((len(side.rows), width, width), np.int64)
    gram[:, upper[0], upper[1]] = gram[:, upper[1], upper[0]] = products
    sums = (side.values @ own) << (2 * f - params.rating_frac_bits)
    sums -= side.rated @ (own * pull[:, None])

    squares = np.trace(gram[:, :d, :d], axis1=1, axis2=2)
    steps, tau, theta = _steps(side.counts, squares, params)
    scale = 2 * f + q
    half = np.int64(1 << (scale - 1))
    ridge, inertia = _wrapped(params.ridge_int), _wrapped(params.inertia_int)
    x, before = side.rows, side.before
    for _ in range(params.inner_steps):
        slope = np.einsum("rkl,rl->rk", gram, x) - sums + ridge * x
        z = ((x << scale) + inertia * (x - before) - steps * slope + half) >> scale
        z[:, :d] = _prox(z[:, :d], tau, theta, params)
        edge = 1 << (params.box_bits + f)
        x, before = np.clip(z, -edge, edge - 1), x
    side.rows, side.before = x, before


def _steps(
    counts: Integers, squares: Integers, params: Parameters
) -> tuple[Integers, Integers, Integers]:
    """H for each coordinate (size, row_rank) at scale q, tau and theta (size, 1) at scale f."""
    f, q, g = params.frac_bits, params.step_bits, params.step_guard_bits
    s, damping = params.curvature_shift, params.damping << g
    if params.step_rule == "lipschitz":
        curvature = squares >> min(2 * f - g + s, 63)
    else:
        curvature = counts << (g - s)
    factors = (1 << (q + g)) // (curvature + damping)
    steps = np.repeat(factors[:, None], params.row_rank, axis=1)
    if params.bias:
        steps[:, params.rank] = (1 << (q + g)) // ((counts << (g - min(s, 0))) + damping)
    found = [_threshold(factors, weight, params) for weight in (params.l1_int, params.ridge_int)]
    return steps, found[0], found[1]


def _threshold(steps: Integers, weight: int, params: Parameters) -> Integers:
    """The thresholds of the distinct steps in Python's integers: their products may be long."""
    shift = params.frac_bits + params.step_bits + 1
    distinct, place = np.unique(steps, return_inverse=True)
    found = [(2 * int(h) * weight + (1 << shift)) >> (shift + 1) for h in distinct]
    return np.array(found, np.int64)[place.reshape(-1)][:, None]


def _prox(z: Integers, tau: Integers, theta: Integers, params: Parameters) -> Integers:
    if params.regulariser == "elastic-net":
        return _soft(z, tau)
    one = np.int64(1 << params.frac_bits)
    branch_of_one = one + _soft(z + 2 * theta - one, tau)
    return np.where(z <= one // 2 - theta, _soft(z, tau), branch_of_one)


def _soft(z: Integers, t: Integers) -> Integers:
    return np.sign(z) * np.maximum(np.abs(z) - t, 0)


def _wrapped(value: int) -> np.int64:
    """The int64 that is `value` modulo 2^64."""
    return np.int64((value + (1 << 63)) % (1 << 64) - (1 << 63))
