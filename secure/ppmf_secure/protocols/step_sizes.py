# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps: one garbled reciprocal a row, and the thresholds of the prox on its wires.

H = floor(2^(q+g) / (curvature + c0 2^g)). Under `lipschitz` a row's curvature is its q2 with the
low bits dropped, new in every half-step; under `count`, and always for the bias, it is the row's
number of ratings, so those steps are made once. (PROTOCOL.md, section 2.3 and 5, step 4.)
"""

from __future__ import annotations

from functools import cache

import numpy as np

from ppmf_secure.effects import Program
from ppmf_secure.primitives.circuits.netlist import Circuit
from ppmf_secure.primitives.circuits.training_circuits import reciprocal
from ppmf_secure.primitives.shares import Words
from ppmf_secure.protocols.server_state import Server, Steps
from ppmf_secure.protocols.shared_circuits import run_circuit, share_outputs
from ppmf_secure.protocols.transfers import Site
from ppmf_spec.parameters import Parameters


def lipschitz_steps(server: Server, squares: Words, terms: int, site: Site) -> Program[Steps]:
    """Steps and thresholds of n rows from shares of q2 (n,), each over at most `terms` ratings
    (PPMF-STP-001, -002, PPMF-FIX-023).
    """
    params = server.session.parameters
    damping = params.damping << (2 * params.frac_bits + params.curvature_shift)
    damped = squares + server.of_csp(damping)
    return (yield from _run(server, lipschitz_circuit(params, terms), damped, site))


def count_steps(
    server: Server, counts: Words, terms: int, site: Site, *, factors: bool
) -> Program[Steps]:
    """Steps of n rows from shares of their counts (n,): of the factors (rule `count`) or biases
    (PPMF-STP-001, -002, PPMF-FIX-023).
    """
    params = server.session.parameters
    shift = _count_shift(params, factors)
    damping = params.damping << params.step_guard_bits
    damped = (counts << np.uint64(shift)) + server.of_csp(damping)
    return (yield from _run(server, count_circuit(params, terms, factors=factors), damped, site))


def lipschitz_circuit(params: Parameters, terms: int) -> Circuit:
    """The circuit of a row's steps from its damped q2 over at most `terms` ratings."""
    f, s = params.frac_bits, params.curvature_shift
    largest = terms * params.rank << (2 * (params.box_bits + f))
    largest += params.damping << (2 * f + s)
    return _reciprocal(params, largest, 2 * f - params.step_guard_bits + s, _thresholds(params))


def count_circuit(params: Parameters, terms: int, *, factors: bool) -> Circuit:
    """The circuit of a row's steps from its damped count of at most `terms` ratings."""
    largest = (terms << _count_shift(params, factors)) + (params.damping << params.step_guard_bits)
    return _reciprocal(params, largest, 0, _thresholds(params) if factors else ())


def _count_shift(params: Parameters, factors: bool) -> int:
    """By how many bits a count is lifted to the scale of a curvature."""
    s = params.curvature_shift if factors else min(params.curvature_shift, 0)
    return params.step_guard_bits - s


def _thresholds(params: Parameters) -> tuple[str, ...]:
    """The thresholds the factors' prox asks for (PPMF-STP-002)."""
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
