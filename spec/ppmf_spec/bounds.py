# SPDX-License-Identifier: Apache-2.0
"""The bound that decides whether a run of a given size fits the ring (chapter 3, "Bound").

Every intermediate of F_fix that the secure protocol must hold unwrapped is bounded over *all*
ratings of the public size and scale. With B = 2^b, E = d B^2 + 2B + xmax (no residual is larger)
and N = max(n, m), the largest sum before Z's shift is at most

    bound = (1 + 2 alpha) B 2^(3f+q) + 2^(2f+q-1)
            + 2^(3f) max over c and Q of H(c, Q) (|G|(c, Q) + lambda B)

where c in 0..N counts a row's ratings and Q is the sum of its counterparts' squared factors. By
Cauchy-Schwarz over the c counterparts, |G| <= min(c B E, E sqrt(c Q)).

The maximum is taken exactly, without visiting every (c, Q):

- `lipschitz`: H depends on Q alone, while |G| and the range of Q grow with c: only c = N matters.
  In q2 = Q 2^(2f), an integer, H falls and |G| grows, so among the q2 of equal H the largest (up to
  N d B^2 2^(2f)) is the worst. floor(a / x) takes at most 2 sqrt(a) values: so does H.
- `count`: H depends on c alone and falls, |G| = c B E grows: among the c of equal H the largest (up
  to N) is the worst.
- The bias, |G| = c E, adds nothing to the maximum: its shift is at most the factors', so its H is
  at most theirs, and they have |G| >= c E too (`lipschitz`: at Q = c).

The root is rounded up: 2^f sqrt(c Q) is taken as the least integer whose square is >= c q2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil, log2
from typing import Final

from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import INTEGER_DOMAIN, MIN_RING_BITS, Parameters
from ppmf_spec.step_rules import BIAS, RULES, Levels

MAX_ROWS: Final = 2**31 - 1
MAX_RING_BITS: Final = INTEGER_DOMAIN["ring_bits"][1]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The largest values that a run of one size can reach; see the module for `bound`.

    bits: log2(bound) + 1, the figure to show against k; ring_bits: k; z_bits: the smallest w with
    bound < 2^(w-1); max_step, max_tau, max_theta: H (scale q), tau and theta (scale f) at
    curvature 0; after_shift: a bound at scale f of every value between Z's shift and the
    saturation; warnings: one line each.
    """

    bound: Fraction
    bits: float
    ring_bits: int
    z_bits: int
    max_step: int
    max_tau: int
    max_theta: int
    after_shift: int
    warnings: tuple[str, ...]


def check_rows(users: int, items: int) -> None:
    """Raise `ParametersError` when a count of rows is outside 1..2^31 - 1 (PPMF-PAR-015)."""
    for name, count in (("users", users), ("items", items)):
        if not 1 <= count <= MAX_ROWS:
            raise ParametersError(f"{name} = {count}: must be between 1 and {MAX_ROWS}")


def bounds(params: Parameters, users: int, items: int) -> Bounds:
    """The bounds of a run of `users` x `items` under `params`.

    Raises `ParametersError` when a count of rows is outside 1..2^31 - 1 or when an intermediate
    could leave the ring (PPMF-PAR-015 to PPMF-PAR-018, PPMF-PAR-027).
    """
    check_rows(users, items)
    return _of_rows(params, max(users, items))


@lru_cache(maxsize=64)
def _of_rows(params: Parameters, rows: int) -> Bounds:
    """The bounds, which a search or the plan of a run asks for again and again."""
    f, q = params.frac_bits, params.step_bits
    move = largest_move(params, rows)
    half = 2 ** (2 * f + q - 1)
    word = (1 + 2 * params.inertia) * 2 ** (params.box_bits + 3 * f + q)
    bound = word + half + 2 ** (3 * f) * move
    after_shift = _ceil(bound / 2 ** (2 * f + q)) + max(params.max_tau, _binary_shift(params))
    ring_bits = _ring_bits(params, rows, bound, after_shift)
    return Bounds(
        bound=bound,
        bits=_log2(bound) + 1,
        ring_bits=ring_bits,
        z_bits=int(bound).bit_length() + 1,
        max_step=params.max_step,
        max_tau=params.max_tau,
        max_theta=params.max_theta,
        after_shift=after_shift,
        warnings=_warnings(params, rows),
    )


def _ring_bits(params: Parameters, rows: int, bound: Fraction, after_shift: int) -> int:
    """The width of the ring, k: that of the set, or the least that holds the run."""
    if params.ring_bits:
        _check_ring(params, params.ring_bits, rows, bound, after_shift)
        return params.ring_bits
    _check_ring(params, MAX_RING_BITS, rows, bound, after_shift)
    for k in range(MIN_RING_BITS, MAX_RING_BITS):
        try:
            _check_ring(params, k, rows, bound, after_shift)
        except ParametersError:
            continue
        return k
    return MAX_RING_BITS


def _check_ring(params: Parameters, k: int, rows: int, bound: Fraction, after_shift: int) -> None:
    drop = 2 * params.frac_bits + params.step_bits
    where = f"ring_bits = {k}: {rows:,} rows of rank {params.rank}"
    if bound >= 2 ** (k - 1):
        need = ceil(10 * (_log2(bound) + 1)) / 10
        raise ParametersError(f"{where} need {need} bits")
    if after_shift >= Fraction(2) ** (k - 1 - drop):
        raise ParametersError(
            f"{where} reach {after_shift} after the shift, which must be below 2^{k - 1 - drop}"
        )
    denominator = largest_denominator(params, rows)
    if denominator >= 2**k:
        raise ParametersError(
            f"{where} need {denominator.bit_length()} bits for the step's denominator"
        )


def largest_move(params: Parameters, rows: int) -> Fraction:
    """The maximum over c and Q of H(c, Q) (|G|(c, Q) + lambda B), with H the integer at scale q
    (PPMF-PAR-016).
    """
    box = 1 << params.box_bits
    error = params.rank * box**2 + 2 * box + params.xmax
    pull = params.ridge * box
    return RULES[params.step_rule].largest_move(params, rows, error, pull)


def largest_denominator(params: Parameters, rows: int) -> int:
    """The largest integer that a step's reciprocal is taken of, before any bits are dropped
    (PPMF-PAR-018).
    """
    rules = [RULES[params.step_rule], *([BIAS] if params.bias else [])]
    return max(rule.largest_denominator(params, rows) for rule in rules)


def every_row_moves(params: Parameters, rows: int) -> bool:
    """Whether no row of at most so many ratings has a step 0 at the start: whether `bounds` has
    nothing to warn of (PPMF-PAR-019), without a walk through all steps.
    """
    rules = [RULES[params.step_rule], *([BIAS] if params.bias else [])]
    return all(rule.shortest_at_start(params, rows) > 0 for rule in rules)


def _warnings(params: Parameters, rows: int) -> tuple[str, ...]:
    """A line for the factors, and one for the bias, if some count makes their step 0
    (PPMF-PAR-019).
    """
    if every_row_moves(params, rows):
        return ()
    found: list[str] = []
    if params.bias:
        found += _idle("bias", rows, *BIAS.levels_at_start(params, rows))
    return (*found, *_idle("factors", rows, *RULES[params.step_rule].levels_at_start(params, rows)))


def _idle(part: str, rows: int, levels: Levels, per_count: int) -> Iterator[str]:
    """The warning about the least count, if any up to `rows`, beyond the last nonzero step."""
    last = max((x for _, x in levels), default=-1)
    least = -(-(last + 1) // per_count)
    if least <= rows:
        yield (f"a row of {least:,} ratings can have step 0, so that its {part} cannot move")


def _binary_shift(params: Parameters) -> int:
    """The largest move of a word by the branch of 1 of the binary prox: 2 theta + 1, at scale f."""
    if params.regulariser != "binary-elastic-net":
        return 0
    return 2 * params.max_theta + (1 << params.frac_bits)


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


def _log2(value: Fraction) -> float:
    """log2 of a positive rational, for display only: no decision depends on it."""
    return log2(value.numerator) - log2(value.denominator)
