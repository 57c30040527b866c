# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: SIM300 - capitals are the mathematics' symbols here, not constants
"""The proxes of chapter 2 are minimisers: over all real numbers, and over the box.

The functions of `ppmf_spec.words` are run on real symbols at the default scale, where 1 is 2^12; a
word is a real number, so what holds for all reals holds for words. What is minimised is the cost
of chapter 2 at the end of its inner steps (`formal_costs`), which `test_objective_derived` derives
from the objective.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import z3

from ppmf_spec import words
from tests.support import formal_costs
from tests.support.formal import Number, absolute, prove, symbolically

F, BOX_BITS = 12, 1
ONE = 1 << F
Z, P, TAU, THETA = z3.Reals("Z p tau theta")
DOMAIN = [TAU >= 0, THETA >= 0, 2 * THETA < ONE]  # PPMF-PAR-014
JUMP = ONE / 2 - THETA
LOW, HIGH = -(1 << (BOX_BITS + F)), (1 << (BOX_BITS + F)) - 1
IN_BOX = z3.And(P >= LOW, P <= HIGH)

Cost = Callable[[z3.ArithRef], z3.ArithRef]


def elastic_net(p: z3.ArithRef) -> z3.ArithRef:
    return formal_costs.elastic_net(p, Z, TAU)


def binary(p: z3.ArithRef) -> z3.ArithRef:
    return formal_costs.binary(p, Z, TAU, THETA, ONE)


def soft() -> z3.ArithRef:
    return symbolically(words.prox_elastic_net, Number(Z), Number(TAU)).term


def prox_binary() -> z3.ArithRef:
    return symbolically(words.prox_binary, Number(Z), Number(TAU), Number(THETA), F).term


def saturated(p: z3.ArithRef, box_bits: int = BOX_BITS) -> z3.ArithRef:
    return symbolically(words.saturate, Number(p), box_bits, F).term


def without_dead_zone() -> z3.ArithRef:
    """ELBMF's published code: z -+ tau by the sign of z."""
    return z3.If(Z > 0, Z - TAU, Z + TAU)


def no_other(cost: Cost, best: z3.ArithRef) -> z3.BoolRef:
    """No point P costs less than `best`, and none but itself as little."""
    return z3.Or(P == best, cost(best) < cost(P))


@pytest.mark.req("PPMF-FIX-032")
def test_elastic_net_is_the_only_minimiser() -> None:
    prove(
        no_other(elastic_net, soft()),
        given=DOMAIN,
        mutants=[no_other(elastic_net, without_dead_zone()), elastic_net(soft()) < elastic_net(P)],
    )


@pytest.mark.req("PPMF-FIX-033")
def test_binary_is_a_global_minimiser() -> None:
    """Mutants: the jump at 1/2, the branch of 1 without its shift, a single branch."""
    number = Number(Z)
    high = ONE + symbolically(words.soft, number - ONE, Number(TAU)).term
    wrong = [z3.If(2 * Z <= ONE, soft(), prox_binary()), z3.If(Z <= JUMP, soft(), high), soft()]
    prove(
        binary(prox_binary()) <= binary(P),
        given=DOMAIN,
        mutants=[binary(p) <= binary(P) for p in wrong],
    )


@pytest.mark.req("PPMF-FIX-033", "PPMF-FIX-060")
def test_binary_is_the_only_minimiser_but_at_the_jump() -> None:
    """At the jump both branches are equally good, and the prox is that of 0, as at any lower Z."""
    for side, wrong in ((Z < JUMP, without_dead_zone()), (Z > JUMP, soft())):
        prove(
            no_other(binary, prox_binary()),
            given=[*DOMAIN, side],
            mutants=[no_other(binary, wrong)],
        )
    image = ONE - soft()  # the branch of 1 at the jump: the mirror image about 1/2
    prove(
        z3.And(prox_binary() == soft(), binary(image) == binary(soft())),
        given=[*DOMAIN, Z == JUMP],
        mutants=[prox_binary() == image],
    )


@pytest.mark.req("PPMF-FIX-032", "PPMF-FIX-034")
def test_saturation_after_elastic_net_minimises_over_the_box() -> None:
    """The cost is convex, so the point of the box nearest to its minimiser is the best there."""
    best = saturated(soft())
    early = symbolically(words.soft, Number(saturated(Z)), Number(TAU)).term
    prove(
        z3.And(LOW <= best, best <= HIGH, no_other(elastic_net, best)),
        given=[*DOMAIN, IN_BOX],
        mutants=[no_other(elastic_net, early), no_other(elastic_net, saturated(Z))],
    )


@pytest.mark.req("PPMF-FIX-033", "PPMF-FIX-034")
def test_saturation_after_binary_minimises_over_the_box() -> None:
    """Although the cost is not convex: the box of PPMF-PAR-013 holds both kinks with room to spare.

    Beyond 1/2 the cost is its branch of 1, up to 1/2 its branch of 0, and each is convex. A prox
    outside the box lies on the outer side of both kinks, and the cost falls all the way from the
    end of the box to it. What this needs is theta < 1/2 and an end of at least 1: with the box of
    b = 0, which ends short of 1, it is false.
    """
    best, short = saturated(prox_binary()), saturated(prox_binary(), box_bits=0)
    in_short_box = z3.And(-ONE <= P, P <= ONE - 1)
    for side in (Z <= JUMP, Z > JUMP):
        given = [*DOMAIN, IN_BOX, side]
        prove(binary(best) <= binary(P), given=given, mutants=[binary(saturated(Z)) <= binary(P)])
    prove(
        z3.And(LOW <= best, best <= HIGH),
        given=DOMAIN,
        mutants=[
            z3.And(LOW < best, best < HIGH),
            z3.Implies(z3.And(in_short_box, TAU == 0), binary(short) <= binary(P)),
        ],
    )


@pytest.mark.req("PPMF-FIX-032", "PPMF-FIX-034", "PPMF-FIX-060")
def test_prox_and_saturation_bring_points_no_farther_apart() -> None:
    """In Z and in tau together: what chapter 2 says of one step's error rests on it."""
    other, other_tau = z3.Reals("Z' tau'")
    left = saturated(soft())
    right = saturated(symbolically(words.soft, Number(other), Number(other_tau)).term)
    apart = absolute(Z - other)
    prove(
        absolute(left - right) <= apart + absolute(TAU - other_tau),
        given=[TAU >= 0, other_tau >= 0],
        mutants=[absolute(left - right) <= apart],
    )


@pytest.mark.req("PPMF-FIX-033")
def test_binary_jumps_so_it_may_bring_points_apart() -> None:
    """Why a coordinate at the jump is reported as undecided: no Lipschitz constant holds there."""
    other = z3.Real("Z'")
    right = symbolically(words.prox_binary, Number(other), Number(TAU), Number(THETA), F).term
    same_side = (Z <= JUMP) == (other <= JUMP)
    moved, apart = absolute(prox_binary() - right), absolute(Z - other)
    prove(
        z3.Implies(same_side, moved <= apart),
        given=DOMAIN,
        mutants=[z3.Implies(same_side, moved < apart), moved <= 1000 * apart],
    )
