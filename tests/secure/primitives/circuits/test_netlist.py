# SPDX-License-Identifier: Apache-2.0
"""The builder folds what can be folded and changes no value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from ppmf_secure.primitives.circuits.netlist import (
    CONSTANT_ONE,
    CONSTANT_ZERO,
    ONE,
    ZERO,
    Builder,
    Circuit,
    Gate,
    Kind,
)
from tests.support.random_circuits import Drawn, circuits


def two_bits() -> tuple[Builder, int, int]:
    builder = Builder()
    x, y = builder.input("x", 2)
    return builder, x, y


def built(builder: Builder, literal: int) -> Circuit:
    builder.output("out", [literal])
    return builder.build()


@given(circuits())
def test_a_built_circuit_computes_what_the_builder_was_told(drawn: Drawn) -> None:
    outputs = drawn.circuit.evaluate(drawn.inputs)
    assert outputs.keys() == drawn.outputs.keys()
    for name, expected in drawn.outputs.items():
        assert outputs[name].dtype == np.uint8
        assert np.array_equal(outputs[name], expected), name


@given(circuits())
def test_no_gate_is_trivial_repeated_or_unused(drawn: Drawn) -> None:
    circuit = drawn.circuit
    assert len(set(circuit.gates)) == len(circuit.gates)
    read = {wire for word in circuit.outputs.values() for wire in word}
    for index, (kind, left, right) in enumerate(circuit.gates):
        assert min(left, right) >= 0
        assert max(left, right) < circuit.input_count + index
        assert (left == right) is (kind is Kind.NOT)
        read |= {left, right}
        if kind is Kind.NOT:
            inner = left - circuit.input_count
            assert inner < 0 or circuit.gates[inner].kind is not Kind.NOT
    assert set(range(circuit.input_count, circuit.input_count + len(circuit.gates))) <= read


def test_folding_of_equal_inverted_and_constant_inputs() -> None:
    b, x, _ = two_bits()
    assert b.xor(x, x) == ZERO
    assert b.xor(x, b.not_(x)) == ONE
    assert b.xor(x, ZERO) == x
    assert b.xor(ONE, x) == b.not_(x)
    assert b.xor(ONE, ONE) == ZERO
    assert b.and_(x, x) == x
    assert b.and_(x, b.not_(x)) == ZERO
    assert b.and_(ZERO, x) == ZERO
    assert b.and_(x, ONE) == x
    assert b.and_(ONE, ZERO) == ZERO
    assert b.or_(x, ONE) == ONE
    assert b.or_(x, ZERO) == x
    assert b.or_(x, b.not_(x)) == ONE
    assert b.not_(b.not_(x)) == x
    assert b.any([]) == ZERO
    assert b.all([]) == ONE


@pytest.mark.parametrize("width", range(1, 5))
def test_any_and_all_of_a_word(width: int) -> None:
    b = Builder()
    word = b.input("x", width)
    b.output("any", [b.any(word)])
    b.output("all", [b.all(word)])
    circuit = b.build()
    assert circuit.and_count == 2 * (width - 1)
    values = np.arange(2**width, dtype=np.uint8)
    bits = (values >> np.arange(width, dtype=np.uint8)[:, None] & 1).astype(np.uint8)
    out = circuit.evaluate({"x": bits})
    assert out["any"].tolist() == [(values > 0).tolist()]
    assert out["all"].tolist() == [(values == 2**width - 1).tolist()]


def test_a_circuit_of_one_wire() -> None:
    b = Builder()
    (x,) = b.input("x", 1)
    b.output("out", [ONE, x, ZERO])
    out = b.build().evaluate({"x": np.array([[0, 1]], dtype=np.uint8)})["out"]
    assert out.tolist() == [[1, 1], [0, 1], [0, 0]]


def test_equal_gates_are_one_gate_whatever_the_order() -> None:
    b, x, y = two_bits()
    assert b.and_(x, y) == b.and_(y, x)
    assert b.xor(b.not_(x), y) == b.not_(b.xor(y, x))


def test_an_inverted_output_is_one_not_gate() -> None:
    b, x, y = two_bits()
    circuit = built(b, b.not_(b.and_(x, y)))
    assert circuit.gates == (Gate(Kind.AND, 0, 1), Gate(Kind.NOT, 2, 2))
    assert circuit.outputs == {"out": (3,)}
    assert circuit.and_count == 1


def test_gates_no_output_needs_are_dropped() -> None:
    b, x, y = two_bits()
    b.and_(x, y)
    assert built(b, b.xor(x, y)).gates == (Gate(Kind.XOR, 0, 1),)


def test_outputs_may_be_inputs_and_constants() -> None:
    b, x, y = two_bits()
    b.output("out", [y, ONE, x, ZERO, y])
    circuit = b.build()
    assert circuit.outputs == {"out": (1, CONSTANT_ONE, 0, CONSTANT_ZERO, 1)}
    assert circuit.widths == {"out": 5}
    out = circuit.evaluate({"x": np.array([[0, 1], [1, 0]], dtype=np.uint8)})["out"]
    assert out.tolist() == [[1, 0], [1, 1], [0, 1], [0, 0], [1, 0]]


def test_input_words_take_the_first_wires_in_order() -> None:
    b = Builder()
    b.input("low", 2)
    b.input("high", 3)
    b.input("top", 1)
    circuit = b.build()
    assert circuit.input_wires() == {"low": range(2), "high": range(2, 5), "top": range(5, 6)}
    assert circuit.input_count == 6


def test_names_are_given_once_and_inputs_come_first() -> None:
    b, x, y = two_bits()
    with pytest.raises(ValueError, match="input x"):
        b.input("x", 1)
    b.and_(x, y)
    with pytest.raises(ValueError, match="after the first gate"):
        b.input("z", 1)
    b.output("out", [x])
    with pytest.raises(ValueError, match="output out"):
        b.output("out", [y])


def test_inputs_of_another_shape_are_refused() -> None:
    b, x, y = two_bits()
    circuit = built(b, b.and_(x, y))
    with pytest.raises(ValueError, match="widths"):
        circuit.evaluate({"x": np.zeros((3, 4), dtype=np.uint8)})
    with pytest.raises(ValueError, match="widths"):
        circuit.evaluate({"y": np.zeros((2, 4), dtype=np.uint8)})
