# SPDX-License-Identifier: Apache-2.0
"""The tools of the proofs: they notice what is false, and symbols mean what integers mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import z3
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ppmf_spec import words
from tests.support.formal import Exact, Number, prove, symbolically
from tests.support.formal_circuits import outputs
from tests.support.random_circuits import Drawn, circuits

X, Y = z3.Ints("x y")
UNTRUE = X > X


def test_a_true_claim_is_proved() -> None:
    prove(X * X >= 0, mutants=[X * X > 0])


def test_a_false_claim_is_refuted_with_its_counterexample() -> None:
    with pytest.raises(AssertionError, match=r"refuted by \[x = 7\]"):
        prove(X != 7, mutants=[UNTRUE])


def test_a_proof_from_contradictory_assumptions_fails() -> None:
    with pytest.raises(AssertionError, match="no values satisfy the assumptions"):
        prove(X == 7, given=[X > 1, X < 1], mutants=[UNTRUE])


def test_a_mutant_that_holds_fails_the_proof() -> None:
    with pytest.raises(AssertionError, match="mutant 1 holds as well"):
        prove(X >= 0, given=[X > 1], mutants=[X > 2, X > 1])


def test_a_proof_without_a_mutant_fails() -> None:
    with pytest.raises(AssertionError, match="no mutant"):
        prove(X == X, mutants=[])


def test_a_proof_that_the_solver_does_not_finish_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Factors of a product of two primes of 31 bits are not found in a tenth of a second."""
    monkeypatch.setattr("tests.support.formal.TIMEOUT_MS", 100)
    a, b = z3.BitVecs("a b", 64)
    prime = [a > 1, b > 1, z3.ULT(a, 2**32), z3.ULT(b, 2**32)]
    product = (2**31 - 1) * (2**31 - 19)
    with pytest.raises(AssertionError, match="undecided"):
        prove(z3.Implies(z3.And(prime), a * b != product), mutants=[a == b])


FUNCTIONS: dict[str, tuple[Callable[..., Any], list[tuple[int, int]]]] = {
    "rounding": (lambda a: words.round_half_up(a, 8), [(-200, 200)]),
    "saturation": (lambda z: words.saturate(z, 1, 3), [(-40, 40)]),
    "soft threshold": (words.soft, [(-40, 40), (0, 20)]),
    "binary prox": (lambda z, t, h: words.prox_binary(z, t, h, 4), [(-40, 40), (0, 20), (0, 7)]),
    "reciprocal": (lambda c: words.reciprocal(c, 6, 2, 3), [(0, 300)]),
    "threshold": (lambda h, w: words.threshold(h, w, 3, 2), [(0, 300), (0, 300)]),
}


@pytest.mark.parametrize(("function", "ranges"), FUNCTIONS.values(), ids=FUNCTIONS.keys())
@given(data=st.data())
def test_functions_on_symbols_agree_with_those_on_integers(
    function: Callable[..., int], ranges: list[tuple[int, int]], data: st.DataObject
) -> None:
    """The words run on symbols, then given values, are the words run on these values."""
    values = [data.draw(st.integers(low, high)) for low, high in ranges]
    numbers = [Number(z3.Int(f"n{i}")) for i in range(len(values))]
    term = symbolically(function, *numbers).term
    at = [(n.term, z3.IntVal(v)) for n, v in zip(numbers, values, strict=True)]
    assert z3.simplify(z3.substitute(term, at)).as_long() == function(*values)

    exact = [Exact(z3.BitVec(f"b{i}", 11)) for i in range(len(values))]
    term = symbolically(function, *exact).term
    in_bits = [(e.term, z3.BitVecVal(v, 11)) for e, v in zip(exact, values, strict=True)]
    assert z3.simplify(z3.substitute(term, in_bits)).as_signed_long() == function(*values)


def test_operations_that_symbols_do_not_define_fail() -> None:
    for symbol in (Number(X), Exact.of(3)):
        with pytest.raises(TypeError, match="equal"):
            _ = symbol == 3
        with pytest.raises(TypeError, match="neither true nor false"):
            bool(symbol)


@given(circuits())
def test_a_netlist_in_z3_is_the_netlist(drawn: Drawn) -> None:
    expected = drawn.circuit.evaluate(drawn.inputs)
    for element in (0, 9, 21, 31):
        inputs = {
            name: z3.BitVecVal(integer(bits[:, element]), len(bits))
            for name, bits in drawn.inputs.items()
        }
        for name, term in outputs(drawn.circuit, inputs).items():
            assert z3.simplify(term).as_long() == integer(expected[name][:, element])


def integer(bits: NDArray[np.uint8]) -> int:
    return sum(int(bit) << i for i, bit in enumerate(bits))
