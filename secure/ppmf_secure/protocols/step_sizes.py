# SPDX-License-Identifier: GPL-3.0-or-later
"""The step sizes and the thresholds of the prox: a garbled reciprocal for each row (chapter 4,
"Steps").

    H = floor(2^(q+g) / (curvature + c0 2^g))

A `StepRule` says all that the protocol needs to know of a kind of step: the curvature of a row, how
large it can be, the circuit of the step, and whether steps are made once in an epoch or in every
half-step. The factors follow the rule that the parameters name (`factor_rule`). Under `lipschitz`
the curvature is the row's q2 without its low bits, under `count` it is the row's number of ratings.
The biases always follow the counts (`BIAS_RULE`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache

import numpy as np

from ppmf_secure.arrays import Words
from ppmf_secure.effects import Program
from ppmf_secure.primitives.circuits.netlist import Circuit
from ppmf_secure.primitives.circuits.training_circuits import reciprocal
from ppmf_secure.protocols.server_state import Server, Steps
from ppmf_secure.protocols.shared_circuits import run_circuit, share_outputs
from ppmf_secure.protocols.transfers import Site
from ppmf_spec.parameters import Parameters
from ppmf_spec.step_rules import StepRuleName


class StepRule(ABC):
    """A kind of step: its curvature, the bound of that, its circuit, and when it is made.

    made_once: whether the steps are made before the first half-step and serve the whole epoch, as
        they can where the curvature is a count. Otherwise it is q2, and they are made in every
        half-step.
    """

    made_once: bool

    @abstractmethod
    def lift(self, params: Parameters) -> int:
        """The bits by which a row's q2 or count is shifted left, to the scale of the curvature."""

    @abstractmethod
    def largest(self, params: Parameters, terms: int) -> int:
        """The largest damped curvature of a row of at most `terms` ratings, before `drop`."""

    @abstractmethod
    def damping(self, params: Parameters) -> int:
        """The damping c0 at the scale of the lifted curvature."""

    @abstractmethod
    def drop(self, params: Parameters) -> int:
        """The low bits of the damped curvature that do not enter the division."""

    @abstractmethod
    def thresholds(self, params: Parameters) -> tuple[str, ...]:
        """The thresholds made with the step: `tau`, `theta`, both or none (PPMF-STP-002)."""

    def circuit(self, params: Parameters, terms: int) -> Circuit:
        """The circuit of a row's step from its damped curvature over at most `terms` ratings."""
        largest = self.largest(params, terms)
        return _reciprocal(params, largest, self.drop(params), self.thresholds(params))

    def make(self, server: Server, measures: Words, terms: int, site: Site) -> Program[Steps]:
        """The steps and thresholds of n rows, of at most `terms` ratings each.

        measures (n,): this server's shares of their q2 at scale 2f, or of their counts
        (PPMF-STP-001, -002, PPMF-FIX-023).
        """
        params = server.session.parameters
        lifted = measures << np.uint64(self.lift(params))
        damped = lifted + server.of_csp(self.damping(params))
        labels = yield from run_circuit(
            server.transfers, self.circuit(params, terms), damped, {}, site
        )
        words = yield from share_outputs(server.transfers, labels["step"])
        return Steps(words, {name: word for name, word in labels.items() if name != "step"})


class LipschitzRule(StepRule):
    """The factors' steps under `lipschitz`: the curvature is q2, whose low bits are dropped."""

    made_once = False

    def lift(self, params: Parameters) -> int:
        """No bits, since q2 is at scale 2f already."""
        return 0

    def largest(self, params: Parameters, terms: int) -> int:
        """Each of `terms` rows adds at most rank times the square of the box; then the damping."""
        squares = terms * params.rank << (2 * (params.box_bits + params.frac_bits))
        return squares + self.damping(params)

    def damping(self, params: Parameters) -> int:
        """The damping c0 at scale 2f + s."""
        return params.damping << (2 * params.frac_bits + params.curvature_shift)

    def drop(self, params: Parameters) -> int:
        """The bits between scale 2f + s and scale g."""
        return 2 * params.frac_bits - params.step_guard_bits + params.curvature_shift

    def thresholds(self, params: Parameters) -> tuple[str, ...]:
        """The thresholds of the factors' prox."""
        return _thresholds_of_factors(params)


class CountRule(StepRule):
    """The factors' steps under `count`: the curvature is the number of ratings times 2^-s."""

    made_once = True

    def lift(self, params: Parameters) -> int:
        """The bits from a count to scale g, less the shift s."""
        return params.step_guard_bits - params.curvature_shift

    def largest(self, params: Parameters, terms: int) -> int:
        """The count of a row that has all its `terms` rated, and the damping."""
        return (terms << self.lift(params)) + self.damping(params)

    def damping(self, params: Parameters) -> int:
        """The damping c0 at scale g."""
        return params.damping << params.step_guard_bits

    def drop(self, params: Parameters) -> int:
        """No bits, since the curvature is at scale g."""
        return 0

    def thresholds(self, params: Parameters) -> tuple[str, ...]:
        """The thresholds of the factors' prox."""
        return _thresholds_of_factors(params)


class BiasRule(CountRule):
    """The biases' steps: from counts under either rule of the factors, without a positive shift."""

    def lift(self, params: Parameters) -> int:
        """The bits from a count to scale g, less the shift s if it is negative."""
        return params.step_guard_bits - min(params.curvature_shift, 0)

    def thresholds(self, params: Parameters) -> tuple[str, ...]:
        """No threshold, since a bias has no prox."""
        return ()


BIAS_RULE: StepRule = BiasRule()

_FACTOR_RULES: dict[StepRuleName, StepRule] = {"lipschitz": LipschitzRule(), "count": CountRule()}


def factor_rule(params: Parameters) -> StepRule:
    """The rule that the factors' steps follow under these parameters."""
    return _FACTOR_RULES[params.step_rule]


def _thresholds_of_factors(params: Parameters) -> tuple[str, ...]:
    """The thresholds that the factors' prox asks for."""
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
