# SPDX-License-Identifier: Apache-2.0
"""Circuits through Bristol Fashion and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from ppmf_secure.primitives.circuits.bristol import from_bristol, to_bristol
from ppmf_secure.primitives.circuits.netlist import ONE, ZERO, Builder, Circuit
from ppmf_secure.primitives.circuits.training_circuits import reciprocal, update
from ppmf_spec.errors import EncodingError
from tests.support.random_circuits import Drawn, circuits

AND = "1 3\n1 2\n1 1\n\n2 1 0 1 2 AND\n"


def there_and_back(circuit: Circuit) -> Circuit:
    return from_bristol(to_bristol(circuit), list(circuit.inputs), list(circuit.outputs))


@given(circuits())
def test_random_circuits_are_read_back_unchanged(drawn: Drawn) -> None:
    assert there_and_back(drawn.circuit) == drawn.circuit


@given(circuits())
def test_the_text_keeps_the_rules_of_the_format(drawn: Drawn) -> None:
    lines = to_bristol(drawn.circuit).splitlines()
    gates, wires = map(int, lines[0].split())
    assert lines[1] == "2 3 2"
    assert lines[2] == "2 " + " ".join(str(width) for width in drawn.circuit.widths.values())
    assert lines[3] == ""
    assert len(lines) == 4 + gates
    driven = set(range(5))
    for line in lines[4:]:
        *numbers, operation = line.split()
        reads, drives, *used = map(int, numbers)
        assert (reads, drives) == ((2, 1) if operation in ("XOR", "AND") else (1, 1))
        assert len(used) == reads + 1
        if operation != "EQ":
            assert set(used[:-1]) <= driven
        assert used[-1] not in driven
        driven.add(used[-1])
    assert driven == set(range(wires))


def test_the_circuits_of_a_run_are_read_back_unchanged() -> None:
    row = reciprocal(
        width=45,
        drop=20,
        numerator_bits=20,
        minimum=256,
        l1_int=1 << 20,
        ridge_int=12 << 24,
        threshold_shift=29,
        tau=True,
        theta=True,
    )
    element = update(
        width=61,
        drop=40,
        frac_bits=12,
        box_bits=1,
        prox="binary-elastic-net",
        tau_bits=10,
        theta_bits=11,
    )
    for circuit in (row, element):
        assert there_and_back(circuit) == circuit


def test_constants_inputs_and_repetitions_as_outputs() -> None:
    b = Builder()
    x, y = b.input("x", 2)
    both = b.and_(x, y)
    b.output("out", [both, ONE, x, both, ZERO, b.not_(x), x])
    circuit = b.build()
    text = to_bristol(circuit)
    assert there_and_back(circuit) == circuit
    assert [line.split()[-1] for line in text.splitlines()[4:]].count("EQ") == 2
    assert text.count("EQW") == 3


def test_the_smallest_circuit_is_read_and_written() -> None:
    circuit = from_bristol(AND, ["x"], ["out"])
    bits = np.array([[0, 0, 1, 1], [0, 1, 0, 1]], dtype=np.uint8)
    assert circuit.evaluate({"x": bits})["out"].tolist() == [[0, 0, 0, 1]]
    assert to_bristol(circuit) == AND


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "header"),
        ("1 3\n1 2\n", "header"),
        (AND.replace("1 3\n", "2 3\n"), "line 1"),
        (AND.replace("1 3\n", "1 4\n"), "line 1"),
        (AND.replace("1 3\n", "1 5000000\n").replace("1 2\n", "1 4999999\n"), "line 1"),
        (AND.replace("1 2\n", "2 2\n"), "line 2"),
        (AND.replace("1 2\n", "2 1 1\n"), "line 2"),
        (AND.replace("1 1\n", "1 x\n"), "line 3"),
        (AND.replace("1 1\n", "1 9\n"), "line 3"),
        (AND.replace("1 2\n", "1 9\n"), "line 2"),
        ("\n\n" + AND.replace("1 3\n", "1 4\n"), "line 3"),
        # MAND drives two wires: the gate is to blame, and not the number of wires.
        ("1 6\n1 4\n1 2\n\n4 2 0 1 2 3 4 5 MAND\n", "line 5: the operation is none of"),
        (AND.replace("AND", "NAND"), "line 5"),
        (AND.replace("2 1 0 1 2", "2 1 0 2"), "line 5"),
        (AND.replace("2 1 0 1 2", "1 1 0 1 2"), "line 5"),
        (AND.replace("2 1 0 1 2", "2 1 0 2 2"), "read before"),
        (AND.replace("2 1 0 1 2", "2 1 0 1 1"), "driven twice"),
        (AND.replace("2 1 0 1 2", "2 1 0 1 3"), "out of range"),
        (AND.replace("2 1 0 1 2 AND", "1 1 2 2 EQ"), "read before"),
        (AND.replace("2 1 0 1 2", "2 1 0 -1 2"), "line 5"),
        (AND.replace("2 1 0 1 2", "2 1 0 ² 2"), "line 5"),
    ],
)
def test_malformed_text_is_refused_with_its_place(text: str, where: str) -> None:
    with pytest.raises(EncodingError, match=where) as caught:
        from_bristol(text, ["x"], ["out"])
    assert "\n" not in str(caught.value)
