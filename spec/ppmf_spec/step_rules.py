# SPDX-License-Identifier: Apache-2.0
"""The step rules of chapter 3, with one object for each rule.

A rule says which shifts it allows, the largest integer that its reciprocal is taken of, the largest
move of a factor, and which rows may have step 0. `RULES` names them as the parameter does, and
`BIAS` stands for the biases' steps, which come from counts under either rule. A new rule is a class
here, one in `ppmf_secure.protocols.step_sizes`, and its curvature in `ppmf_reference`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import isqrt
from typing import TYPE_CHECKING, Final, Literal

from ppmf_spec import words

if TYPE_CHECKING:
    from ppmf_spec.parameters import Parameters

StepRuleName = Literal["lipschitz", "count"]
"""The values of the parameter `step_rule`: the names in `RULES`."""

Levels = Iterator[tuple[int, int]]
"""Steps other than 0, from the longest to the shortest, each with its largest argument."""


class StepRule(ABC):
    """The bounds of one kind of step; `params` are checked parameters where they are asked for."""

    def refused(self, frac_bits: int, step_guard_bits: int, curvature_shift: int) -> str | None:
        """The rule that a curvature_shift breaks, in words; None if it breaks none."""
        return None

    @abstractmethod
    def largest_denominator(self, params: Parameters, rows: int) -> int:
        """The largest integer that the reciprocal is taken of, before any bits are dropped
        (PPMF-PAR-018).
        """

    @abstractmethod
    def largest_move(
        self, params: Parameters, rows: int, error: Fraction, pull: Fraction
    ) -> Fraction:
        """The maximum over c and Q of H(c, Q) (|G|(c, Q) + pull) of a factor, with H the integer at
        scale q and |G| <= min(c B, sqrt(c Q)) times `error` (PPMF-PAR-016).
        """

    @abstractmethod
    def levels_at_start(self, params: Parameters, rows: int) -> tuple[Levels, int]:
        """The steps that rows can have at the public start, and how much a rating adds to their
        argument (PPMF-PAR-019).
        """

    @abstractmethod
    def shortest_at_start(self, params: Parameters, rows: int) -> int:
        """The last of these steps, that of a row of so many ratings; perhaps 0."""


class LipschitzRule(StepRule):
    """`lipschitz`: the curvature is q2, the sum of the counterparts' squared factors, scaled."""

    def refused(self, frac_bits: int, step_guard_bits: int, curvature_shift: int) -> str | None:
        """The shift from q2 to the curvature must not be to the left (PPMF-PAR-012)."""
        least = step_guard_bits - 2 * frac_bits
        if curvature_shift >= least:
            return None
        return (
            f"must be at least step_guard_bits - 2 frac_bits = {least} under the step rule "
            "lipschitz"
        )

    def largest_denominator(self, params: Parameters, rows: int) -> int:
        """q2 + c0 2^(2f+s), at scale 2f + s."""
        f, s = params.frac_bits, params.curvature_shift
        return self._largest_squares(params, rows) + (params.damping << (2 * f + s))

    def largest_move(
        self, params: Parameters, rows: int, error: Fraction, pull: Fraction
    ) -> Fraction:
        """The maximum over q2, with c = N, in integers because there may be 2^17 levels."""
        unit = error.denominator * pull.denominator
        slope, offset = int(error * unit), int(pull * unit) << params.frac_bits
        steepest = rows << (params.box_bits + params.frac_bits)  # c B at scale f
        best = 0
        for step, q2 in levels(params, self._shift(params), self._largest_squares(params, rows)):
            root = min(ceil_root(rows * q2), steepest)  # |G| / E at scale f
            best = max(best, step * (root * slope + offset))
            if root == steepest:
                break  # from here on |G| grows no more, while H falls
        return Fraction(best, unit << params.frac_bits)

    def levels_at_start(self, params: Parameters, rows: int) -> tuple[Levels, int]:
        """The steps over the largest squares that the start can hold, since a count alone does not
        give the step: c d / 4, because every factor starts in [-1/2, 1/2).
        """
        per_count = params.rank << (2 * params.frac_bits - 2)
        return levels(params, self._shift(params), rows * per_count), per_count

    def shortest_at_start(self, params: Parameters, rows: int) -> int:
        """The step over the largest squares that the start can hold."""
        squares = rows * params.rank << (2 * params.frac_bits - 2)
        return _step(params, self._shift(params), squares)

    def _shift(self, params: Parameters) -> int:
        return params.step_guard_bits - 2 * params.frac_bits - params.curvature_shift

    def _largest_squares(self, params: Parameters, rows: int) -> int:
        return rows * params.rank << 2 * (params.box_bits + params.frac_bits)


class CountRule(StepRule):
    """`count`: the curvature is the number of ratings, scaled."""

    def refused(self, frac_bits: int, step_guard_bits: int, curvature_shift: int) -> str | None:
        """The shift from a count to the curvature must not be to the right (PPMF-PAR-011)."""
        if curvature_shift <= step_guard_bits:
            return None
        return f"must be at most step_guard_bits = {step_guard_bits} under the step rule count"

    def largest_denominator(self, params: Parameters, rows: int) -> int:
        """C 2^shift + c0 2^g, at scale g."""
        return (rows << self._shift(params)) + (params.damping << params.step_guard_bits)

    def largest_move(
        self, params: Parameters, rows: int, error: Fraction, pull: Fraction
    ) -> Fraction:
        """The maximum over the counts, in integers; of those with equal steps the largest count
        matters.
        """
        unit = error.denominator * pull.denominator
        slope, offset = int(error * unit) << params.box_bits, int(pull * unit)
        found, _ = self.levels_at_start(params, rows)
        return Fraction(max((step * (c * slope + offset) for step, c in found), default=0), unit)

    def levels_at_start(self, params: Parameters, rows: int) -> tuple[Levels, int]:
        """The steps over c = 0..N, at the start as at any time."""
        return levels(params, self._shift(params), rows), 1

    def shortest_at_start(self, params: Parameters, rows: int) -> int:
        """The step of the largest count."""
        return _step(params, self._shift(params), rows)

    def _shift(self, params: Parameters) -> int:
        return params.step_guard_bits - params.curvature_shift


class BiasRule(CountRule):
    """The biases' steps: from counts, with a shift of at most 0."""

    def _shift(self, params: Parameters) -> int:
        return params.step_guard_bits - min(params.curvature_shift, 0)


BIAS: Final[StepRule] = BiasRule()

RULES: Final[Mapping[StepRuleName, StepRule]] = {"lipschitz": LipschitzRule(), "count": CountRule()}


def levels(params: Parameters, shift: int, largest: int) -> Levels:
    """Every nonzero H over x = 0..largest of curvature floor(x 2^shift), with the largest such x.

    From the longest step to the shortest. A step of 0 moves nothing and bounds nothing: it ends
    the walk.
    """
    q, g, damping = params.step_bits, params.step_guard_bits, params.damping
    x = 0
    while x <= largest:
        step = _step(params, shift, x)
        if step == 0:
            return
        steepest = (1 << (q + g)) // step - (damping << g)  # the largest curvature of this step
        last = steepest >> shift if shift >= 0 else ((steepest + 1) << -shift) - 1
        yield step, min(last, largest)
        x = last + 1


def _step(params: Parameters, shift: int, x: int) -> int:
    """H at the curvature floor(x 2^shift)."""
    curvature = x << shift if shift >= 0 else x >> -shift
    return words.reciprocal(curvature, params.step_bits, params.step_guard_bits, params.damping)


def ceil_root(square: int) -> int:
    """The least integer whose square is at least `square`."""
    return isqrt(square - 1) + 1 if square else 0
