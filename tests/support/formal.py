# SPDX-License-Identifier: Apache-2.0
"""Proofs by z3: the one pattern all of them follow, and the code itself run on symbols.

`prove` takes a claim, the assumptions it needs, and mutants: the claim with one thing wrong.
`symbolically` runs an ordinary Python function, such as those of `ppmf_spec.words`, on symbolic
numbers and returns one term for all its paths, so that what is proved is the code, not a copy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn

import z3

TIMEOUT_MS = 120_000
"""Far above what any proof takes: a proof that hangs fails, and is not taken for a proof."""

_Formulas = Sequence[z3.BoolRef]


def prove(claim: z3.BoolRef, *, given: _Formulas = (), mutants: _Formulas) -> None:
    """The claim holds for all values of its variables that satisfy `given`.

    Nor is that for nothing: some values do satisfy `given`, and every mutant, a claim with one
    thing wrong, has a counterexample among them. AssertionError otherwise, with the counterexample
    if there is one; a solver that gives up has proved nothing.
    """
    __tracebackhide__ = True  # a failure shows the assertion, not pages of terms
    assert mutants, "a proof that no mutant tests"
    assert _model(given) is not None, "no values satisfy the assumptions"
    counterexample = _model([*given, z3.Not(claim)])
    assert counterexample is None, f"refuted by {counterexample}"
    for number, mutant in enumerate(mutants):
        assert _model([*given, z3.Not(mutant)]) is not None, f"mutant {number} holds as well"


def _model(formulas: Iterable[z3.BoolRef]) -> z3.ModelRef | None:
    """Values that satisfy all formulas, or None if there are none."""
    solver = z3.Solver()
    solver.set("timeout", TIMEOUT_MS)
    solver.add(*formulas)
    answer = solver.check()
    assert answer != z3.unknown, f"undecided: {solver.reason_unknown()}"
    return solver.model() if answer == z3.sat else None


class _OpenBranch(Exception):  # noqa: N818 - not an error: the run has come to a fork
    def __init__(self, condition: z3.BoolRef) -> None:
        self.condition = condition


class Condition:
    """A comparison of symbolic numbers: asked for its truth, it forks the run."""

    path: Iterator[bool] = iter(())

    def __init__(self, term: z3.BoolRef) -> None:
        self.term = term

    def __bool__(self) -> bool:
        for decision in Condition.path:
            return decision
        raise _OpenBranch(self.term)


def symbolically(function: Callable[..., Any], *arguments: Any) -> Any:
    """function(*arguments) as one term, whatever branches the function takes.

    It is run once for every path through its branches, and the results are joined by the
    conditions that were asked; so it must be pure.
    """
    kind = next(type(argument) for argument in arguments if isinstance(argument, Symbol))

    def explore(decisions: tuple[bool, ...]) -> Any:
        Condition.path = iter(decisions)
        try:
            return function(*arguments)
        except _OpenBranch as fork:
            condition = fork.condition
        finally:
            Condition.path = iter(())
        yes = kind.of(explore((*decisions, True)))
        return yes.chosen(condition, explore((*decisions, False)))

    return explore(())


class Symbol(ABC):
    """A symbolic number: what it does not define must not quietly mean something else."""

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    @abstractmethod
    def of(cls, value: Any) -> Any:
        """The value itself if it is such a number, and the constant if it is an int."""

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("two symbols have no truth of being equal: compare their terms")

    def __bool__(self) -> NoReturn:
        raise TypeError("a symbol is neither true nor false")


class Number(Symbol):
    """An integer or a real number of z3, in a function run by `symbolically`.

    `//` and `>>` are the floor, and want integers and a positive divisor.
    """

    def __init__(self, term: z3.ArithRef) -> None:
        self.term = term

    @classmethod
    def of(cls, value: Number | int) -> Number:
        """A constant."""
        return value if isinstance(value, Number) else cls(z3.IntVal(value))

    def _of(self, other: Number | int) -> z3.ArithRef | int:
        return other.term if isinstance(other, Number) else other

    def chosen(self, condition: z3.BoolRef, other: Number | int) -> Number:
        return Number(z3.If(condition, self.term, self._of(other)))

    def __add__(self, other: Number | int) -> Number:
        return Number(self.term + self._of(other))

    def __sub__(self, other: Number | int) -> Number:
        return Number(self.term - self._of(other))

    def __rsub__(self, other: int) -> Number:
        return Number(other - self.term)

    def __neg__(self) -> Number:
        return Number(-self.term)

    def __abs__(self) -> Number:
        return Number(absolute(self.term))

    def __mul__(self, other: Number | int) -> Number:
        return Number(self.term * self._of(other))

    def __floordiv__(self, other: Number | int) -> Number:
        return Number(_integer(self.term) / self._of(other))

    def __rfloordiv__(self, other: int) -> Number:
        return Number(z3.IntVal(other) / _integer(self.term))

    def __lshift__(self, bits: int) -> Number:
        return Number(self.term * (1 << bits))

    def __rshift__(self, bits: int) -> Number:
        return self // (1 << bits)

    def __lt__(self, other: Number | int) -> Condition:
        return Condition(self.term < self._of(other))

    def __le__(self, other: Number | int) -> Condition:
        return Condition(self.term <= self._of(other))

    def __gt__(self, other: Number | int) -> Condition:
        return Condition(self.term > self._of(other))

    def __ge__(self, other: Number | int) -> Condition:
        return Condition(self.term >= self._of(other))

    __radd__ = __add__
    __rmul__ = __mul__


def _integer(term: z3.ArithRef) -> z3.ArithRef:
    assert term.is_int(), "the floor of a real number is not meant"
    return term


class Exact(Symbol):
    """An unbounded integer in bits: a signed bit vector that every operation widens as it must.

    So a function of Python integers run on it means what it means on integers, with no overflow to
    argue away, and circuits can be compared with it bit by bit. `//` is the floor, and wants a
    non-negative number over a positive one, or any number over a power of two.
    """

    def __init__(self, term: z3.BitVecRef) -> None:
        self.term = term

    @classmethod
    def unsigned(cls, bits: z3.BitVecRef) -> Exact:
        """The number that these bits are in binary."""
        return cls(z3.ZeroExt(1, bits))

    @classmethod
    def of(cls, value: Exact | int) -> Exact:
        """A constant, as wide as it must be."""
        if isinstance(value, Exact):
            return value
        return cls(z3.BitVecVal(value, value.bit_length() + 1))

    @property
    def width(self) -> int:
        """Number of bits, the sign included."""
        width: int = self.term.size()
        return width

    def extended(self, width: int) -> z3.BitVecRef:
        """The same number in more bits."""
        return z3.SignExt(width - self.width, self.term)

    def low(self, width: int) -> z3.BitVecRef:
        """The number mod 2^width."""
        return z3.Extract(width - 1, 0, self.extended(max(width, self.width)))

    def equals(self, other: Exact | int) -> z3.BoolRef:
        """The term for: both are the same integer."""
        left, right = self._aligned(other)
        return left == right

    def _aligned(self, other: Exact | int, spare: int = 0) -> tuple[z3.BitVecRef, z3.BitVecRef]:
        other = Exact.of(other)
        width = max(self.width, other.width) + spare
        return self.extended(width), other.extended(width)

    def chosen(self, condition: z3.BoolRef, other: Exact | int) -> Exact:
        left, right = self._aligned(other)
        return Exact(z3.If(condition, left, right))

    def __add__(self, other: Exact | int) -> Exact:
        left, right = self._aligned(other, spare=1)
        return Exact(left + right)

    def __sub__(self, other: Exact | int) -> Exact:
        left, right = self._aligned(other, spare=1)
        return Exact(left - right)

    def __rsub__(self, other: int) -> Exact:
        return Exact.of(other) - self

    def __neg__(self) -> Exact:
        return 0 - self

    def __mul__(self, other: Exact | int) -> Exact:
        other = Exact.of(other)
        width = self.width + other.width
        return Exact(self.extended(width) * other.extended(width))

    def __floordiv__(self, other: Exact | int) -> Exact:
        if isinstance(other, int) and other & (other - 1) == 0:
            return self >> (other.bit_length() - 1)
        left, right = self._aligned(other)
        return Exact(z3.UDiv(left, right))

    def __rfloordiv__(self, other: int) -> Exact:
        return Exact.of(other) // self

    def __lshift__(self, bits: int) -> Exact:
        return Exact(z3.Concat(self.term, z3.BitVecVal(0, bits))) if bits else self

    def __rshift__(self, bits: int) -> Exact:
        return Exact(z3.Extract(self.width - 1, min(bits, self.width - 1), self.term))

    def __lt__(self, other: Exact | int) -> Condition:
        left, right = self._aligned(other)
        return Condition(left < right)

    def __le__(self, other: Exact | int) -> Condition:
        left, right = self._aligned(other)
        return Condition(left <= right)

    def __gt__(self, other: Exact | int) -> Condition:
        left, right = self._aligned(other)
        return Condition(left > right)

    def __ge__(self, other: Exact | int) -> Condition:
        left, right = self._aligned(other)
        return Condition(left >= right)

    __radd__ = __add__
    __rmul__ = __mul__


def absolute(term: z3.ArithRef) -> z3.ArithRef:
    """|term| of an integer or a real number."""
    return z3.If(term >= 0, term, -term)
