# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps: one garbled reciprocal a row, and the thresholds of the prox on its wires.

H = floor(2^(q+g) / (curvature + c0 2^g)). Under `lipschitz` a row's curvature is its q2 with the
low bits dropped, new in every half-step; under `count`, and always for the bias, it is the row's
number of ratings, so those steps are made once. (PROTOCOL.md, section 2.3 and 5, step 4.)
"""

from __future__ import annotations

from functools import cache

import numpy as np

from ppmf_secure.circuits import reciprocal
from ppmf_secure.garbled import run_circuit, share_outputs
from ppmf_secure.netlist import Circuit
from ppmf_secure.pair import Site
from ppmf_secure.program import Program
from ppmf_secure.shares import Words
from ppmf_secure.state import Server, Steps
from ppmf_spec.parameters import Parameters


def lipschitz_steps(server: Server, squares: Words, terms: int, site: Site) -> Program[Steps]:
    """Steps and thresholds of n rows from shares of q2 (n,), each over at most `terms` ratings."""
    params = server.session.parameters
    f, s = params.frac_bits, params.curvature_shift
    damped = squares + server.of_csp(params.damping << (2 * f + s))
    largest = terms * params.rank << (2 * (params.box_bits + f))
    drop = 2 * f - params.step_guard_bits + s
    circuit = _reciprocal(
        params, largest + (params.damping << (2 * f + s)), drop, _thresholds(params)
    )
    return (yield from _run(server, circuit, damped, site))


def count_steps(
    server: Server, counts: Words, terms: int, site: Site, *, factors: bool
) -> Program[Steps]:
    """Steps of n rows from shares of their counts (n,): of the factors (rule `count`) or biases."""
    params = server.session.parameters
    g, s = params.step_guard_bits, params.curvature_shift
    shift = g - s if factors else g - min(s, 0)
    damped = (counts << np.uint64(shift)) + server.of_csp(params.damping << g)
    largest = (terms << shift) + (params.damping << g)
    circuit = _reciprocal(params, largest, 0, _thresholds(params) if factors else ())
    return (yield from _run(server, circuit, damped, site))


def _thresholds(params: Parameters) -> tuple[str, ...]:
    """The thresholds the factors' prox asks for."""
    if params.regulariser == "binary-elastic-net":
        return ("tau", "theta")
    return ("tau",) if params.l1 else ()


@cache
def _reciprocal(
    params: Parameters, largest: int, drop: int, thresholds: tuple[str, ...]
) -> Circuit:
    return reciprocal(
        width=largest.bit_length(),
        drop=drop,
        numerator_bits=params.step_bits + params.step_guard_bits,
        minimum=params.damping << params.step_guard_bits,
        l1_int=params.l1_int,
        ridge_int=params.ridge_int,
        threshold_shift=params.frac_bits + params.step_bits + 1,
        tau="tau" in thresholds,
        theta="theta" in thresholds,
    )


def _run(server: Server, circuit: Circuit, damped: Words, site: Site) -> Program[Steps]:
    labels = yield from run_circuit(server.pair, circuit, damped, {}, site)
    words = yield from share_outputs(server.pair, labels["step"])
    return Steps(words, {name: word for name, word in labels.items() if name != "step"})
