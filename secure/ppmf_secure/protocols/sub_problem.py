# SPDX-License-Identifier: GPL-3.0-or-later
"""The sub-problem of a half-step: a least-squares problem for each row of the side that is updated.

Let y~ = (y, 1, bias) for each row of the fixed side. A row x of the side that is updated needs

    S = sum of w y~ y~^T   and   B = sum of r y~,

where the sums run over the rows of the fixed side, w in {0, 1} and r = w x_ij. Of S it needs the
coordinates that are trained in x, and the column of the constant 1. S is quadratic in y, so its
columns y_k y_l come from bit times vector. The columns that are linear in y, where the other factor
is the constant, need a local shift only. Those without y, which are the counts and the sums of
ratings, never change. (Chapter 4, "A half-step".)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ppmf_secure.arrays import Words
from ppmf_secure.effects import Program
from ppmf_secure.protocols.bit_products import Factors, each_times_vectors
from ppmf_secure.protocols.ratings_product import column_pairs
from ppmf_secure.protocols.server_state import Server, SharedSide
from ppmf_secure.protocols.transfers import Site
from ppmf_spec.roles import Side


@dataclass(frozen=True, slots=True, repr=False)
class SubProblem:
    """This server's shares of the sub-problems of n rows of D trainable numbers.

    gram (D, D, n): the Gram matrix S, at scale 2f.
    gradient_at_zero (D, n): the half gradient at x = 0 (`o` in chapter 4): the column of
        S that belongs to the constant, times the constant, less B, at scale 3f.
    squares (n,): q2, at scale 2f.
    """

    gram: Words
    gradient_at_zero: Words
    squares: Words


def make_sub_problem(
    server: Server, fixed: SharedSide, updated: Side, site: Site
) -> Program[SubProblem]:
    """The sub-problem of the side `updated`, from the fixed side (PPMF-FIX-021)."""
    params = server.session.parameters
    product = server.products[updated]
    if fixed.public is not None:
        y = fixed.public
        over_w, over_r = product.of_public(
            np.stack([*y, *(y[k] * y[l] for k, l in column_pairs(params))])
        )
    else:
        quadratic = yield from _shared_products(server, fixed, site)
        columns = np.concatenate([fixed.share, *quadratic])
        server.observer("Phi", site.indices, columns)
        over_w, over_r = yield from product.of_shares(columns)
    problem = _assemble(server, updated, over_w, over_r)
    server.observer("S", site.indices, problem.gram)
    server.observer("o", site.indices, problem.gradient_at_zero)
    server.observer("q2", site.indices, problem.squares)
    return problem


def _shared_products(server: Server, side: SharedSide, site: Site) -> Program[list[Words]]:
    """This server's shares of the products of `column_pairs`, a block (D - k, n) for each factor k
    (PPMF-PRD-005).
    """
    assert side.words is not None, "a side is public or shared"
    pairs = [
        Factors(
            side.words.take(slice(k * side.rows, (k + 1) * side.rows)),
            side.share[k:].T,
            site.within(k),
        )
        for k in range(server.session.parameters.rank)
    ]
    products = yield from each_times_vectors(server.transfers, pairs, signed=True)
    return [product.T for product in products]


def _assemble(server: Server, updated: Side, over_w: Words, over_r: Words) -> SubProblem:
    """The sub-problem, from the products over W and over R, and what is computed locally
    (PPMF-HST-001, PPMF-FIX-022).
    """
    params = server.session.parameters
    rank, size, rows = params.rank, params.row_rank, over_r.shape[1]
    one = np.uint64(params.frac_bits)
    gram = np.zeros((size, size, rows), dtype=np.uint64)
    at_zero = np.zeros((size, rows), dtype=np.uint64)
    linear, quadratic = np.split(over_w, [size if params.bias else 0])
    for (k, l), column in zip(column_pairs(params), quadratic, strict=True):
        if l < rank:
            gram[k, l] = gram[l, k] = column
        else:
            at_zero[k] = column << one
    squares = sum((gram[k, k] for k in range(rank)), start=np.zeros(rows, dtype=np.uint64))
    lift = np.uint64(2 * params.frac_bits - params.rating_frac_bits)
    at_zero[:rank] -= over_r << lift
    if params.bias:
        sums = server.sums[updated]
        gram[rank, :rank] = gram[:rank, rank] = linear[:rank] << one
        gram[rank, rank] = sums.count << np.uint64(2 * params.frac_bits)
        at_zero[rank] = (linear[rank] << (one + one)) - (sums.total << (lift + one))
    return SubProblem(gram, at_zero, squares)
