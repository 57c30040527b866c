# SPDX-License-Identifier: Apache-2.0
"""What the builder, the circuits of the training and their garbling refuse, to the character."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ppmf_secure.primitives.circuits import training_circuits
from ppmf_secure.primitives.circuits.half_gates import Evaluator, Garbler
from ppmf_secure.primitives.circuits.netlist import Builder, Circuit
from tests.support.refusals import refusal_of

ODD = np.array([1, 0], dtype=np.uint64)
NO_KEYS: Any = None  # of a call that is refused before it needs them


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, dtype=np.uint64)


def and_circuit() -> Circuit:
    b = Builder()
    (x,), (y,) = b.input("x", 1), b.input("y", 1)
    b.output("out", [b.and_(x, y)])
    return b.build()


def labels(n: int, **widths: int) -> dict[str, np.ndarray]:
    return {name: zeros(width, n, 2) for name, width in widths.items()}


RECIPROCAL: dict[str, Any] = {
    "width": 20,
    "drop": 4,
    "numerator_bits": 10,
    "minimum": 4,
    "l1_int": 0,
    "ridge_int": 0,
    "threshold_shift": 5,
    "tau": False,
    "theta": False,
}
UPDATE: dict[str, Any] = {
    "width": 20,
    "drop": 4,
    "frac_bits": 8,
    "box_bits": 1,
    "prox": "binary-elastic-net",
    "tau_bits": 3,
    "theta_bits": 7,
}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Garbler(and_circuit(), np.array([2, 1], dtype=np.uint64)),
            "the offset has two words, and its lowest bit is 1",
        ),
        (
            lambda: Garbler(and_circuit(), ODD).garble(labels(3, x=1, y=2), NO_KEYS),
            "labels of shapes {'x': (1, 3, 2), 'y': (2, 3, 2)} for input words {'x': 1, 'y': 1}",
        ),
        (
            lambda: Evaluator(and_circuit()).evaluate(
                labels(3, x=1, y=1), zeros(2, 3, 2, 2), NO_KEYS
            ),
            "tables of shape (2, 3, 2, 2) for 3 elements",
        ),
        (
            lambda: and_circuit().evaluate({"x": zeros(2, 3).astype(np.uint8)}),
            "input words of widths {'x': 2}, not {'x': 1, 'y': 1}",
        ),
        (
            lambda: training_circuits.reciprocal(**RECIPROCAL | {"minimum": 0}),
            "reciprocal: a shift or the minimum is out of range",
        ),
        (
            lambda: training_circuits.update(**UPDATE | {"drop": 20}),
            "update: cannot drop 20 of 20 bits",
        ),
        (
            lambda: training_circuits.update(**UPDATE | {"drop": -1}),
            "update: cannot drop -1 of 20 bits",
        ),
        (
            lambda: training_circuits.update(**UPDATE | {"theta_bits": 8}),
            "update: the binary prox needs box_bits >= 1 and theta_bits < frac_bits",
        ),
        (
            lambda: training_circuits.update(**UPDATE | {"box_bits": 0}),
            "update: the binary prox needs box_bits >= 1 and theta_bits < frac_bits",
        ),
    ],
)
def test_wrong_arguments_of_circuits_are_refused(call: Callable[[], object], message: str) -> None:
    assert refusal_of(call, ValueError) == message


def test_names_given_twice_to_a_builder_are_refused() -> None:
    b = Builder()
    x, y = b.input("x", 2)
    twice = "input x: declared twice, or after the first gate"
    assert refusal_of(lambda: b.input("x", 1), ValueError) == twice
    b.and_(x, y)
    late = "input z: declared twice, or after the first gate"
    assert refusal_of(lambda: b.input("z", 1), ValueError) == late
    b.output("out", [x])
    message = refusal_of(lambda: b.output("out", [y]), ValueError)
    assert message == "output out: declared twice"
