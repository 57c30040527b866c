# SPDX-License-Identifier: Apache-2.0
"""The stages of a run of F_fix: the secrets that both servers' shares make, by the oracle.

They are what a trace is held against (PPMF-CON-041, -042). The integers are those of chapter 4,
computed in the clear from the sides of each half-step; at every Z and word they are compared with
the oracle's own, so that a stage cannot be due that does not lead to F_fix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import mul
from typing import Any

from ppmf_conformance.adapters import values
from ppmf_reference import fixed, rating_code
from ppmf_reference.fixed import Matrix, Rated, Row, State, Step
from ppmf_spec.bounds import bounds
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings


class Sharing(StrEnum):
    """How two shares make a number."""

    SUM = "sum"  # mod 2^k, as a number of either sign
    XOR = "xor"  # of unsigned words
    SIGNED_XOR = "signed-xor"  # of words with a sign
    BYTES = "bytes"  # the exclusive or of bits in bytes


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a run: its name and place as in PPMF-CON-041, and what is due.

    bits: the width of the ring or of a word with a sign, the bits of a plane, or 0.
    due: lists of numbers, or of texts of bytes, whose last `spare` bits say nothing.
    """

    name: str
    at: tuple[str, ...]
    sharing: Sharing
    bits: int
    due: Any
    spare: int = 0


def stages(given: Mapping[str, Any]) -> Iterator[Stage]:
    """All stages of a run in order; `given` is the `in` of a case of `party.run`."""
    params = values.parameters(given["session"]["parameters"])
    ratings = values.ratings({**given["session"], "ratings": given["ratings"]}, params)
    return _Run(params, ratings).stages()


class _Run:
    def __init__(self, params: Parameters, ratings: Ratings) -> None:
        self._params = params
        self._ratings = ratings
        self._ring = bounds(params, ratings.n_users, ratings.n_items).ring_bits

    def stages(self) -> Iterator[Stage]:
        params, found = self._params, self._ratings
        rated = {"users": found.by_user(), "items": found.by_item()}
        yield from self._shared_ratings(rated["users"])
        states = list(fixed.iterate(found, params))
        for state in states[:2]:
            yield from self._steps_from_counts(state.side, state.half_step.steps)
        sides = dict(zip(rated, fixed.start(params, found.n_users, found.n_items), strict=True))
        before = dict(sides)
        for number, state in enumerate(states):
            side = state.side
            at, other = (str(state.iteration), side), "items" if side == "users" else "users"
            if number:
                yield self._columns(at, sides[other])
            problems = [self._problem(row, sides[other]) for row in rated[side]]
            yield self._sum("S", at, [matrix for matrix, _ in problems])
            yield self._sum("o", at, [offset for _, offset in problems])
            if params.step_rule == "lipschitz":
                yield self._sum("q2", at, [step.squares for step in state.half_step.steps])
                yield from self._factor_steps(at, state.half_step.steps)
            inner_steps = self._inner_steps(at, sides[side], before[side], problems, state)
            last = number == len(states) - 1
            yield from list(inner_steps)[: -1 if last else None]  # V's words are not shared anew
            sides[side], before[side] = state.half_step.rows, state.half_step.previous

    def _shared_ratings(self, rated: Sequence[Rated]) -> Iterator[Stage]:
        items = self._ratings.n_items
        rows = [dict(zip(*one, strict=True)) for one in rated]
        codes = [rating_code.plain_bits(row, items, self._params).hex() for row in rows]
        planes = 1 + len(rating_code.weights(self._params))
        yield Stage("bits", (), Sharing.BYTES, items, codes, spare=-planes * items % 8)
        yield self._sum("w", (), [[int(j in row) for j in range(items)] for row in rows])
        yield self._sum("x", (), [[row.get(j, 0) for j in range(items)] for row in rows])

    def _steps_from_counts(self, side: str, steps: Sequence[Step]) -> Iterator[Stage]:
        if self._params.step_rule == "count":
            yield from self._factor_steps((side,), steps)
        if self._params.bias:
            yield _xor("bias_steps", (side,), [step.bias for step in steps])

    def _factor_steps(self, at: tuple[str, ...], steps: Sequence[Step]) -> Iterator[Stage]:
        yield _xor("factor_steps", at, [step.factors for step in steps])
        binary = self._params.regulariser == "binary-elastic-net"
        if binary or self._params.l1:
            yield _xor("tau", at, [step.tau for step in steps])
        if binary:
            yield _xor("theta", at, [step.theta for step in steps])

    def _columns(self, at: tuple[str, ...], other: Matrix) -> Stage:
        """The rows of Phi, for each row of the fixed side (PPMF-PRD-004)."""
        params = self._params
        pairs = [(j, l) for j in range(params.rank) for l in range(j, params.row_rank)]
        return self._sum("Phi", at, [[*y, *(y[j] * y[l] for j, l in pairs)] for y in other])

    def _problem(self, rated: Rated, other: Matrix) -> tuple[Matrix, Row]:
        """The matrix S and the vector o of a row (PPMF-HST-001)."""
        params, d = self._params, self._params.rank
        f, lift = params.frac_bits, 2 * params.frac_bits - params.rating_frac_bits
        columns, x = rated
        y = [other[j] for j in columns]
        own = [[row[j] for row in y] for j in range(d)]
        o = [-_dot(x, column) << lift for column in own]
        if params.bias:
            bias = [row[d] for row in y]
            o = [
                at_zero + (_dot(column, bias) << f) for at_zero, column in zip(o, own, strict=True)
            ]
            o.append((sum(bias) << (2 * f)) - (sum(x) << (lift + f)))
            own.append([1 << f] * len(y))
        return [[_dot(left, right) for right in own] for left in own], o

    def _inner_steps(
        self,
        at: tuple[str, str],
        rows: Matrix,
        before: Matrix,
        problems: Sequence[tuple[Matrix, Row]],
        state: State,
    ) -> Iterator[Stage]:
        """The stages of a half-step's inner steps. Raises AssertionError where they would lead to
        another Z or to other rows than the oracle's.
        """
        params, done = self._params, state.half_step
        shift = 2 * params.frac_bits + params.step_bits
        for inner, due in enumerate(done.z):
            place = (*at, str(inner))
            g, moves, z = [], [], []
            for x, p, (matrix, o), step in zip(rows, before, problems, done.steps, strict=True):
                slope = [
                    _dot(line, x) + at_zero + params.ridge_int * own
                    for line, at_zero, own in zip(matrix, o, x, strict=True)
                ]
                sizes = [step.factors] * params.rank + ([step.bias or 0] if params.bias else [])
                moved = [h * one for h, one in zip(sizes, slope, strict=True)]
                half, inertia = 1 << (shift - 1), params.inertia_int
                g.append(slope)
                moves.append(moved)
                z.append(
                    [
                        (own << shift) + inertia * (own - last) - move + half
                        for own, last, move in zip(x, p, moved, strict=True)
                    ]
                )
            assert [[one >> shift for one in row] for row in z] == due, f"{place}: not Z of F_fix"
            rows, before = (
                [
                    fixed.proximal(row, step, params)
                    for row, step in zip(due, done.steps, strict=True)
                ],
                rows,
            )
            yield self._sum("G", place, g)
            yield self._sum("HG", place, moves)
            yield self._sum("Z", place, z)
            yield Stage("words", place, Sharing.SIGNED_XOR, params.word_bits, rows)
            yield self._sum("shares", place, rows)
        assert rows == done.rows, f"{at}: not the rows of F_fix"

    def _sum(self, name: str, at: tuple[str, ...], due: Any) -> Stage:
        return Stage(name, at, Sharing.SUM, self._ring, due)


def _xor(name: str, at: tuple[str, ...], due: Any) -> Stage:
    return Stage(name, at, Sharing.XOR, 0, due)


def _dot(one: Sequence[int], other: Sequence[int]) -> int:
    return sum(map(mul, one, other))
