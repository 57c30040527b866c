# SPDX-License-Identifier: GPL-3.0-or-later
"""The inner steps of a half-step, on shares (chapter 4, "A half-step").

Every row of one side takes K proximal gradient steps while the other side is fixed:

    G = S x~ - B + lambda x          bit times vector over the bits of x
    Z = x 2^(2f+q) + A (x - p) - H G + half
                                     bit times vector over the bits of H; the inertia is local
    x = saturate(prox(Z >> (2f+q)))  one garbled circuit an element

Every row takes part, rated or not (PPMF-FIX-020), and the number of messages, their order and their
lengths depend on public sizes alone. Chapter 2, "Inner steps", defines the numbers.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from ppmf_secure.arrays import Labels, Words
from ppmf_secure.effects import Program
from ppmf_secure.primitives.circuits.netlist import Circuit
from ppmf_secure.primitives.circuits.training_circuits import update
from ppmf_secure.protocols.bit_products import (
    Factors,
    each_times_vectors,
    times_vectors,
    to_arithmetic,
)
from ppmf_secure.protocols.server_state import Server, SharedSide, Steps
from ppmf_secure.protocols.shared_circuits import WordLabels, run_circuit, share_outputs
from ppmf_secure.protocols.sub_problem import SubProblem
from ppmf_secure.protocols.transfers import Site
from ppmf_spec.parameters import Parameters, Regulariser


def inner_step(
    server: Server,
    side: SharedSide,
    gradient: Words,
    factor_steps: Steps,
    bias_steps: Steps | None,
    site: Site,
) -> Program[Labels]:
    """The labels (word_bits, D n, 2) of all new words after one proximal gradient step, from this
    server's shares of the `gradient` (PPMF-FIX-030, -031, -036).
    """
    server.observer("G", site.indices, gradient)
    moved = yield from _moves(server, gradient, factor_steps, bias_steps, site)
    server.observer("HG", site.indices, moved)
    params = server.session.parameters
    shift = 2 * params.frac_bits + params.step_bits
    inertia = np.uint64(params.inertia_int) * (side.share - side.previous)
    z = (side.share << np.uint64(shift)) + inertia - moved + server.of_csp(1 << (shift - 1))
    server.observer("Z", site.indices, z)
    labels = yield from _update(server, z, factor_steps.thresholds, site)
    server.observer("words", site.indices, labels)
    return labels


def shared_side(
    server: Server, before: SharedSide, labels: Labels, site: Site
) -> Program[SharedSide]:
    """The side after an inner step, whose words have these labels: Boolean shares, transfers and
    arithmetic shares (PPMF-HST-005).
    """
    words = yield from share_outputs(server.transfers, labels)
    share = yield from to_arithmetic(server.transfers, words, Site("to-arithmetic", site.indices))
    server.observer("shares", site.indices, share.reshape(-1, before.rows))
    return SharedSide(before.name, share.reshape(-1, before.rows), before.share, words, None)


def half_gradient(
    server: Server, side: SharedSide, problem: SubProblem, site: Site
) -> Program[Words]:
    """This server's shares of G (D, n) at scale 3f (PPMF-HST-002, PPMF-FIX-027 to -029)."""
    size, rows = side.share.shape
    if side.public is not None:
        curved = (problem.gram * side.public).sum(axis=1, dtype=np.uint64)
    else:
        assert side.words is not None, "a side is public or shared"
        # element (l, r) multiplies column l of row r's Gram matrix
        columns = problem.gram.transpose(1, 2, 0).reshape(size * rows, size)
        product = yield from times_vectors(server.transfers, side.words, columns, site, signed=True)
        curved = product.reshape(size, rows, size).sum(axis=0, dtype=np.uint64).T
    ridge = np.uint64(server.session.parameters.ridge_int)
    gradient: Words = curved + problem.gradient_at_zero + ridge * side.share
    return gradient


def _moves(
    server: Server, gradient: Words, factor_steps: Steps, bias_steps: Steps | None, site: Site
) -> Program[Words]:
    """This server's shares of H G (D, n) at scale 3f + q (PPMF-HST-003)."""
    rank = server.session.parameters.rank
    here = Site("factor-moves", site.indices)
    pairs = [Factors(factor_steps.words, gradient[:rank].T, here)]
    if bias_steps is not None:
        here = Site("bias-moves", site.indices)
        pairs.append(Factors(bias_steps.words, gradient[rank:].T, here))
    moves = yield from each_times_vectors(server.transfers, pairs, signed=False)
    return np.concatenate([move.T for move in moves])


def _update(server: Server, z: Words, thresholds: WordLabels, site: Site) -> Program[Labels]:
    """The labels of the new words, from shares of Z before its shift (D, n)
    (PPMF-HST-004, PPMF-STP-004).
    """
    params, transfers = server.session.parameters, server.transfers
    width, rank = server.session.bounds.z_bits, params.rank
    prox = proximal(params)
    bits = {name: int(word.shape[0]) for name, word in thresholds.items()}
    here = Site("update", site.indices)
    circuit = update_circuit(params, width, prox, bits.get("tau", 0), bits.get("theta", 0))
    if prox is None:
        labels = yield from run_circuit(transfers, circuit, z.ravel(), {}, here)
        return labels["word"]
    # a row's thresholds serve all its factors: one set of labels, under other batch keys or tweaks
    tiled = {name: np.tile(word, (1, rank, 1)) for name, word in thresholds.items()}
    labels = yield from run_circuit(transfers, circuit, z[:rank].ravel(), tiled, here)
    if not params.bias:
        return labels["word"]
    plain = update_circuit(params, width, None, 0, 0)
    here = Site("update-bias", site.indices)
    bias_labels = yield from run_circuit(transfers, plain, z[rank], {}, here)
    return np.concatenate([labels["word"], bias_labels["word"]], axis=1)


def proximal(params: Parameters) -> Regulariser | None:
    """The prox in the circuit of the factors, or None where it would be the identity."""
    if params.regulariser == "elastic-net" and not params.l1:
        return None
    return params.regulariser


@cache
def update_circuit(
    params: Parameters, width: int, prox: Regulariser | None, tau_bits: int, theta_bits: int
) -> Circuit:
    """The circuit of a new word, from shares of Z (width) and the thresholds of the prox."""
    return update(
        width=width,
        drop=2 * params.frac_bits + params.step_bits,
        frac_bits=params.frac_bits,
        box_bits=params.box_bits,
        prox=prox,
        tau_bits=tau_bits,
        theta_bits=theta_bits,
    )
