# SPDX-License-Identifier: Apache-2.0
"""The netlists that chapter 4 shows are those of the code, as far as bytes depend on them.

Labels, tables and batch keys see of a netlist the order of its AND gates, which operand is the left
one, and the outputs, each as an exclusive or of input bits, AND gates and a constant. Where two
netlists agree in these, garbler and evaluator may take one each.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.primitives.circuits import training_circuits
from ppmf_secure.primitives.circuits.netlist import CONSTANT_ONE, CONSTANT_ZERO, Circuit, Kind
from ppmf_spec import netlists, words

Form = tuple[frozenset[int], int]
"""An exclusive or: of wires (input bits, then AND gates, both by their number) and a constant."""


def _xor(*forms: Form) -> Form:
    wires: frozenset[int] = frozenset()
    constant = 0
    for form in forms:
        wires, constant = wires ^ form[0], constant ^ form[1]
    return wires, constant


def forms_of_the_code(made: Circuit) -> tuple[list[tuple[Form, Form]], dict[str, list[Form]]]:
    """The operands of each AND gate, left first, and the outputs."""
    forms: list[Form] = [(frozenset({wire}), 0) for wire in range(made.input_count)]
    ands: list[tuple[Form, Form]] = []
    for kind, left, right in made.gates:
        match kind:
            case Kind.XOR:
                forms.append(_xor(forms[left], forms[right]))
            case Kind.NOT:
                forms.append(_xor(forms[left], (frozenset(), 1)))
            case Kind.AND:
                ands.append((forms[left], forms[right]))
                forms.append((frozenset({made.input_count + len(ands) - 1}), 0))
    constants = {CONSTANT_ZERO: (frozenset[int](), 0), CONSTANT_ONE: (frozenset[int](), 1)}
    outputs = {
        name: [constants[wire] if wire < 0 else forms[wire] for wire in word]
        for name, word in made.outputs.items()
    }
    return ands, outputs


def forms_of_the_spec(
    net: netlists.Netlist,
) -> tuple[list[tuple[Form, Form]], dict[str, list[Form]]]:
    """The same of a netlist of chapter 4."""
    inputs = sum(net.inputs.values())
    numbered = {node: inputs + number for number, node in enumerate(net.ands())}
    forms: list[Form] = [(frozenset(), 0)]
    forms += [(frozenset({bit}), 0) for bit in range(inputs)]

    def form(literal: int) -> Form:
        return _xor(forms[literal >> 1], (frozenset(), literal & 1))

    operands: dict[int, tuple[Form, Form]] = {}
    for node, gate in enumerate(net.nodes):
        if gate is None:
            continue
        kind, left, right = gate
        operands[node] = form(left), form(right)
        if kind == "xor":
            forms.append(_xor(*operands[node]))
        else:
            forms.append((frozenset({numbered.get(node, -node)}), 0))
    ands = [operands[node] for node in numbered]
    return ands, {name: [form(bit) for bit in word] for name, word in net.outputs.items()}


def _reciprocals(width: int, drop: int, bits: int, minimum: int, weights: dict[str, int]) -> None:
    spec = netlists.reciprocal(width, drop, bits, minimum, weights, 20)
    code = training_circuits.reciprocal(
        width=width,
        drop=drop,
        numerator_bits=bits,
        minimum=minimum,
        l1_int=weights.get("tau", 0),
        ridge_int=weights.get("theta", 0),
        threshold_shift=20,
        tau="tau" in weights,
        theta="theta" in weights,
    )
    assert forms_of_the_spec(spec) == forms_of_the_code(code)
    assert spec.inputs == code.inputs


@pytest.mark.req("PPMF-CIR-001", "PPMF-CIR-002", "PPMF-CIR-003")
@given(
    width=st.integers(1, 48),
    drop=st.integers(0, 47),
    bits=st.integers(0, 24),
    minimum=st.integers(1, 1 << 12),
    names=st.sampled_from([(), ("tau",), ("tau", "theta")]),
    weights=st.tuples(st.integers(0, 1 << 26), st.integers(0, 1 << 26)),
)
def test_reciprocals_are_gate_for_gate_the_specifications(
    width: int,
    drop: int,
    bits: int,
    minimum: int,
    names: tuple[str, ...],
    weights: tuple[int, int],
) -> None:
    named = dict(zip(names, weights, strict=False))
    _reciprocals(width, min(drop, width - 1), bits, minimum, named)


@pytest.mark.req("PPMF-CIR-001", "PPMF-CIR-002", "PPMF-CIR-004")
@given(
    width=st.integers(2, 62),
    drop=st.integers(0, 61),
    f=st.integers(8, 16),
    b=st.integers(1, 3),
    prox=st.sampled_from([None, "elastic-net", "binary-elastic-net"]),
    tau_bits=st.integers(1, 20),
    theta_bits=st.integers(1, 15),
)
def test_updates_are_gate_for_gate_the_specifications(
    width: int, drop: int, f: int, b: int, prox: Any, tau_bits: int, theta_bits: int
) -> None:
    drop, theta_bits = min(drop, width - 1), min(theta_bits, f - 1)
    if prox is None:
        tau_bits = theta_bits = 0
    spec = netlists.update(width, drop, f, b, prox, tau_bits, theta_bits)
    code = training_circuits.update(
        width=width,
        drop=drop,
        frac_bits=f,
        box_bits=b,
        prox=prox,
        tau_bits=tau_bits,
        theta_bits=theta_bits,
    )
    assert forms_of_the_spec(spec) == forms_of_the_code(code)
    assert spec.inputs == code.inputs


def evaluate(net: netlists.Netlist, **inputs: int) -> dict[str, int]:
    """A netlist of chapter 4 on unsigned integers."""
    values = [0] + [
        inputs[name] >> i & 1 for name, width in net.inputs.items() for i in range(width)
    ]
    for gate in net.nodes:
        if gate is not None:
            a, b = (values[literal >> 1] ^ literal & 1 for literal in gate[1:])
            values.append(a ^ b if gate[0] == "xor" else a & b)
    return {
        name: sum((values[bit >> 1] ^ bit & 1) << i for i, bit in enumerate(word))
        for name, word in net.outputs.items()
    }


@pytest.mark.req("PPMF-CIR-003")
@given(
    width=st.integers(20, 60),
    drop=st.integers(0, 8),
    bits=st.integers(0, 24),
    minimum=st.integers(1, 999),
    data=st.data(),
)
def test_the_reciprocal_divides(
    width: int, drop: int, bits: int, minimum: int, data: st.DataObject
) -> None:
    divisor = data.draw(st.integers(minimum, min(1 << 40, (1 << width - drop) - 1)))
    share = data.draw(st.integers(0, (1 << width) - 1))
    weight = data.draw(st.integers(0, 1 << 20))
    other = ((divisor << drop) - share) % (1 << width)
    net = netlists.reciprocal(width, drop, bits, minimum, {"tau": weight}, 13)
    step = (1 << bits) // divisor
    expected = {"step": step, "tau": (step * weight + (1 << 12)) >> 13}
    assert evaluate(net, share0=share, share1=other) == expected
    largest = ((1 << bits) // minimum).bit_length()
    assert len(net.outputs["step"]) == max(1, largest)


@pytest.mark.req("PPMF-CIR-004")
@given(
    prox=st.sampled_from([None, "elastic-net", "binary-elastic-net"]),
    Z=st.integers(-(1 << 15), (1 << 15) - 1),
    low=st.integers(0, 15),
    tau=st.integers(0, 511),
    theta=st.integers(0, 127),
    share=st.integers(0, (1 << 20) - 1),
)
def test_the_update_is_prox_and_saturation(
    prox: Any, Z: int, low: int, tau: int, theta: int, share: int
) -> None:
    f, b, width = 8, 1, 20
    net = netlists.update(width, 4, f, b, prox, 9 if prox else 0, 7)
    other = (16 * Z + low - share) % (1 << width)
    inputs = {"share0": share, "share1": other, "tau": tau, "theta": theta}
    if prox == "elastic-net":
        Z = words.prox_elastic_net(Z, tau)
    elif prox:
        Z = words.prox_binary(Z, tau, theta, f)
    expected = words.saturate(Z, b, f) % (1 << 1 + b + f)
    assert evaluate(net, **inputs) == {"word": expected}
