# SPDX-License-Identifier: Apache-2.0
"""The circuits against the integer words: edges by name, then at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ppmf_secure.primitives.circuits.training_circuits import Circuit, reciprocal, update
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.shares import from_bits, to_bits
from ppmf_spec import words
from ppmf_spec.parameters import Regulariser

Bits = NDArray[np.uint8]

PROXES: tuple[Regulariser | None, ...] = (None, "elastic-net", "binary-elastic-net")


def encode(values: Sequence[int], width: int) -> Bits:
    """Integers, signed or not, as bits (width, n)."""
    return to_bits(np.array([value % 2**64 for value in values], dtype=np.uint64), width)


def decode(bits: Bits, *, signed: bool) -> list[int]:
    integers = from_bits(bits, signed=signed)
    return [int(value) for value in (integers.view(np.int64) if signed else integers)]


def shares(totals: Sequence[int], width: int, label: str) -> dict[str, Bits]:
    """Random shares mod 2^width of the totals."""
    coins = Coins.seeded(label)
    first = [coins.below(1 << width) for _ in totals]
    second = [total - share for total, share in zip(totals, first, strict=True)]
    return {"share0": encode(first, width), "share1": encode(second, width)}


@dataclass(frozen=True)
class Row:
    """A reciprocal circuit's parameters, in the words' terms."""

    divisor_bits: int = 25
    drop: int = 20
    f: int = 12
    q: int = 16
    g: int = 4
    damping: int = 16
    l1: int = 3 << 20
    ridge: int = 12 << 24

    @property
    def minimum(self) -> int:
        return self.damping << self.g

    def circuit(self) -> Circuit:
        return reciprocal(
            width=self.divisor_bits + self.drop,
            drop=self.drop,
            numerator_bits=self.q + self.g,
            minimum=self.minimum,
            l1_int=self.l1,
            ridge_int=self.ridge,
            threshold_shift=self.f + self.q + 1,
            tau=True,
            theta=True,
        )

    def check(self, divisors: Sequence[int], dropped: int = 0) -> None:
        """Steps and thresholds of these divisors, `dropped` being the bits below them."""
        totals = [(divisor << self.drop) + dropped for divisor in divisors]
        width = self.divisor_bits + self.drop
        out = self.circuit().evaluate(shares(totals, width, f"row/{divisors[0]}"))
        steps = [words.reciprocal(D - self.minimum, self.q, self.g, self.damping) for D in divisors]
        assert decode(out["step"], signed=False) == steps
        for name, weight in (("tau", self.l1), ("theta", self.ridge)):
            expected = [words.threshold(step, weight, self.f, self.q) for step in steps]
            assert decode(out[name], signed=False) == expected, name


@pytest.mark.req("PPMF-CIR-003")
@pytest.mark.parametrize(
    ("divisor", "dropped"),
    [
        pytest.param(256, 0, id="curvature zero: the longest step"),
        pytest.param(257, 0, id="just above the minimum"),
        pytest.param(2**25 - 1, 2**20 - 1, id="all bits set"),
        pytest.param(2**20, 0, id="quotient one"),
        pytest.param(2**20 + 1, 0, id="quotient zero"),
        pytest.param(2**20 - 1, 2**20 - 1, id="dropped bits do not round up"),
        pytest.param(349_525, 0, id="a third, remainder one"),
        pytest.param(349_526, 0, id="just beyond a third"),
    ],
)
def test_reciprocal_at_the_edges(divisor: int, dropped: int) -> None:
    Row().check([divisor], dropped)


@pytest.mark.req("PPMF-CIR-003")
def test_reciprocal_around_every_power_of_two() -> None:
    Row().check([2**i + d for i in range(9, 25) for d in (-1, 0, 1)])


def test_reciprocal_of_every_small_divisor() -> None:
    Row(divisor_bits=11, drop=3, q=10, g=2, damping=1).check(range(4, 2**11))


def test_reciprocal_carries_across_all_bits() -> None:
    circuit = Row().circuit()
    ones, one = encode([2**45 - 1], 45), encode([(300 << 20) + 1], 45)
    for inputs in ({"share0": ones, "share1": one}, {"share0": one, "share1": ones}):
        assert decode(circuit.evaluate(inputs)["step"], signed=False) == [2**20 // 300]


@pytest.mark.req("PPMF-CIR-003")
@given(st.data())
@settings(max_examples=40)
def test_reciprocal_with_random_parameters(data: st.DataObject) -> None:
    def draw(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    g, damping = draw(0, 6), draw(1, 70)
    row = Row(
        divisor_bits=draw((damping << g).bit_length(), 26),
        drop=draw(0, 20),
        f=draw(8, 14),
        q=draw(0, 18),
        g=g,
        damping=damping,
        l1=data.draw(st.sampled_from([0, 1, 2**24]) | st.integers(0, 2**30)),
        ridge=data.draw(st.sampled_from([0, 1, 2**24]) | st.integers(0, 2**30)),
    )
    largest = 2**row.divisor_bits - 1
    divisors = data.draw(st.lists(st.integers(row.minimum, largest), min_size=1, max_size=40))
    row.check([row.minimum, largest, *divisors], draw(0, 2**row.drop - 1))


@pytest.mark.req("PPMF-CIR-003")
@given(st.integers(1, 2**12), st.integers(0, 20), st.integers(0, 2**20))
def test_outputs_are_exactly_wide_enough(minimum: int, numerator_bits: int, weight: int) -> None:
    circuit = reciprocal(
        width=20,
        drop=4,
        numerator_bits=numerator_bits,
        minimum=minimum,
        l1_int=weight,
        ridge_int=0,
        threshold_shift=14,
        tau=True,
        theta=False,
    )
    step = 2**numerator_bits // minimum
    tau = (step * weight + 2**13) >> 14
    assert circuit.widths == {
        "step": max(step.bit_length(), 1),
        "tau": max(tau.bit_length(), 1),
    }


@pytest.mark.req("PPMF-CIR-003")
def test_a_threshold_of_one_dropped_bit() -> None:
    circuit = reciprocal(
        width=9,
        drop=0,
        numerator_bits=8,
        minimum=1,
        l1_int=3,
        ridge_int=1,
        threshold_shift=1,
        tau=True,
        theta=True,
    )
    divisors = [1, 2, 3, 5, 100, 255, 256, 257, 511]
    out = circuit.evaluate(shares(divisors, 9, "one bit"))
    steps = [256 // divisor for divisor in divisors]
    assert decode(out["tau"], signed=False) == [(3 * step + 1) // 2 for step in steps]
    assert decode(out["theta"], signed=False) == [(step + 1) // 2 for step in steps]


def test_a_step_that_is_zero_for_every_divisor_takes_no_gate() -> None:
    circuit = Row(divisor_bits=26, damping=2**17).circuit()
    assert circuit.and_count == 0
    Row(divisor_bits=26, damping=2**17).check([2**21, 2**25])


@dataclass(frozen=True)
class Element:
    """An update circuit's parameters."""

    prox: Regulariser | None
    z_bits: int = 21
    drop: int = 40
    f: int = 12
    b: int = 1
    tau_bits: int = 10
    theta_bits: int = 11

    @property
    def circuit(self) -> Circuit:
        return update(
            width=self.z_bits + self.drop,
            drop=self.drop,
            frac_bits=self.f,
            box_bits=self.b,
            prox=self.prox,
            tau_bits=self.tau_bits,
            theta_bits=self.theta_bits,
        )

    def expected(self, Z: int, tau: int, theta: int) -> int:
        if self.prox == "elastic-net":
            Z = words.prox_elastic_net(Z, tau)
        elif self.prox == "binary-elastic-net":
            Z = words.prox_binary(Z, tau, theta, self.f)
        return words.saturate(Z, self.b, self.f)

    def check(self, cases: Sequence[tuple[int, int, int, int]]) -> None:
        """(Z, dropped bits, tau, theta) of each element."""
        totals = [(Z << self.drop) + dropped for Z, dropped, _, _ in cases]
        inputs = shares(totals, self.z_bits + self.drop, f"element/{totals[0]}")
        if self.prox:
            inputs["tau"] = encode([case[2] for case in cases], self.tau_bits)
        if self.prox == "binary-elastic-net":
            inputs["theta"] = encode([case[3] for case in cases], self.theta_bits)
        out = decode(self.circuit.evaluate(inputs)["word"], signed=True)
        assert out == [self.expected(Z, tau, theta) for Z, _, tau, theta in cases]


TAU, THETA = 100, 600  # at f = 12: the jump is at 2048 - 600 = 1448
EDGES = {
    "zero": 0,
    "minus one": -1,
    "tau, the tie": TAU,
    "tau and one": TAU + 1,
    "minus tau, the tie": -TAU,
    "minus tau and one": -TAU - 1,
    "the jump's tie": 1448,
    "just above the jump": 1449,
    "the branch of 1 at its zero": 4096 - 2 * THETA,
    "the branch of 1 at tau": 4096 - 2 * THETA + TAU,
    "the branch of 1 below its zero": 4096 - 2 * THETA - TAU - 1,
    "the largest word": 8191,
    "saturates above": 8192,
    "minus the box": -8192,
    "saturates below": -8193,
    "the largest word after tau": 8191 + TAU,
    "saturates above after tau": 8192 + TAU,
    "minus the box after tau": -8192 - TAU,
    "saturates below after tau": -8193 - TAU,
    "the branch of 1 at the largest word": 8191 - 2 * THETA + TAU,
    "the branch of 1 saturates": 8192 - 2 * THETA + TAU,
    "the most negative": -(2**20),
    "the most positive": 2**20 - 1,
    "one bit above the word": 2**14,
    "all high bits but one": 2**20 - 2**13,
}


@pytest.mark.req("PPMF-CIR-004")
@pytest.mark.parametrize("prox", PROXES)
@pytest.mark.parametrize("Z", EDGES.values(), ids=EDGES.keys())
def test_update_at_the_edges(Z: int, prox: Regulariser | None) -> None:
    Element(prox).check([(Z, dropped, TAU, THETA) for dropped in (0, 1, 2**39, 2**40 - 1)])


@pytest.mark.req("PPMF-CIR-004")
@pytest.mark.parametrize("prox", PROXES)
def test_update_around_all_edges_and_thresholds(prox: Regulariser | None) -> None:
    Element(prox).check(
        [
            (min(max(Z + near, -(2**20)), 2**20 - 1), 0, tau, theta)
            for Z in EDGES.values()
            for near in (-1, 0, 1)
            for tau in (0, 1, TAU, 1023)
            for theta in (0, 1, THETA, 2047)
        ]
    )


@pytest.mark.parametrize("prox", PROXES)
def test_update_carries_across_all_bits(prox: Regulariser | None) -> None:
    element = Element(prox)
    ones, one = encode([-1], 61), encode([1], 61)
    thresholds = {"tau": encode([0], 10), "theta": encode([0], 11)}
    for left, right, Z in ((ones, one, 0), (one, ones, 0), (ones, ones, -1)):
        inputs = {"share0": left, "share1": right} | thresholds
        used = {name: inputs[name] for name in element.circuit.inputs}
        assert decode(element.circuit.evaluate(used)["word"], signed=True) == [Z]


def test_update_takes_the_carry_out_of_the_dropped_bits() -> None:
    element = Element(None)
    inputs = {
        "share0": encode([2**40 - 1, 2**40 - 1], 61),
        "share1": encode([1, 0], 61),
    }
    assert decode(element.circuit.evaluate(inputs)["word"], signed=True) == [1, 0]


@pytest.mark.req("PPMF-CIR-004")
@pytest.mark.parametrize("prox", PROXES)
@given(data=st.data())
@settings(max_examples=60)
def test_update_with_random_parameters(prox: Regulariser | None, data: st.DataObject) -> None:
    def draw(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    f, b = draw(2, 14), draw(1 if prox == "binary-elastic-net" else 0, 3)
    element = Element(
        prox,
        z_bits=draw(1, f + b + 8),
        drop=draw(0, 30),
        f=f,
        b=b,
        tau_bits=draw(1, f + b + 4),
        theta_bits=draw(1, f - 1),
    )
    low, high = -(2 ** (element.z_bits - 1)), 2 ** (element.z_bits - 1) - 1

    def case() -> tuple[int, int, int, int]:
        tau = data.draw(st.just(0) | st.integers(0, 2**element.tau_bits - 1))
        theta = data.draw(st.just(0) | st.integers(0, 2**element.theta_bits - 1))
        half, one, box = 2 ** (f - 1), 2**f, 2 ** (f + b)
        edges = [0, tau, -tau, half - theta, one - 2 * theta + tau, one - 2 * theta - tau]
        edges += [box, -box, box + tau, -box - tau, box - 2 * theta + tau]
        near = data.draw(st.sampled_from(edges)) + draw(-2, 2)
        Z = data.draw(st.just(min(max(near, low), high)) | st.integers(low, high))
        return Z, draw(0, 2**element.drop - 1), tau, theta

    element.check([case() for _ in range(draw(1, 12))])


def test_and_gates_at_the_default_parameters_are_within_the_designs_budget() -> None:
    assert Element(None).circuit.and_count <= 85
    assert Element("elastic-net").circuit.and_count <= 110
    step = reciprocal(
        width=45,
        drop=20,
        numerator_bits=20,
        minimum=256,
        l1_int=0,
        ridge_int=0,
        threshold_shift=29,
        tau=False,
        theta=False,
    )
    assert step.and_count <= 327


@pytest.mark.req("PPMF-CIR-002")
@pytest.mark.parametrize(
    ("element", "gates"),
    [
        (Element(None), 80),
        (Element("elastic-net"), 97),
        (Element("binary-elastic-net"), 161),
        (Element(None, z_bits=9, drop=3, f=6, b=2), 11),
        (Element("elastic-net", z_bits=9, drop=3, f=6, b=2), 34),
        (Element("binary-elastic-net", z_bits=9, drop=3, f=6, b=2, theta_bits=3), 60),
        (Element("binary-elastic-net", z_bits=4, drop=3, f=6, b=2, theta_bits=3), 51),
        (Element(None, z_bits=30, drop=0, f=4, b=3), 58),
        (Element("elastic-net", z_bits=30, drop=0, f=4, b=3, tau_bits=3), 69),
        (Element("binary-elastic-net", z_bits=30, drop=0, f=4, b=3, tau_bits=3, theta_bits=2), 137),
    ],
)
def test_and_gates_of_an_update(element: Element, gates: int) -> None:
    """Both parties count them: each has a table in the message and a key of its own."""
    assert element.circuit.and_count == gates


@pytest.mark.req("PPMF-CIR-002")
@pytest.mark.parametrize(
    ("row", "gates"),
    [
        (Row(), 298),
        (Row(divisor_bits=11, drop=3, q=10, g=2, damping=1), 140),
        (Row(divisor_bits=26, drop=5, q=8, g=0, damping=7, l1=12345, ridge=777), 89),
        (Row(divisor_bits=9, drop=0, q=16, g=3, damping=5, l1=(2**12 - 1) << 16), 181),
    ],
)
def test_and_gates_of_a_reciprocal(row: Row, gates: int) -> None:
    assert row.circuit().and_count == gates


def test_a_threshold_takes_one_adder_for_each_signed_digit() -> None:
    two_digits, twelve_bits = Row(l1=(2**12 + 1) << 16), Row(l1=(2**12 - 1) << 16)
    assert twelve_bits.circuit().and_count <= two_digits.circuit().and_count + 13


@pytest.mark.parametrize(
    "wrong", [{"drop": 21}, {"drop": 20}, {"drop": -1}, {"minimum": 0}, {"threshold_shift": 0}]
)
def test_reciprocal_refuses_what_it_cannot_build(wrong: dict[str, int]) -> None:
    right: dict[str, Any] = {
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
    with pytest.raises(ValueError, match="reciprocal"):
        reciprocal(**right | wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(Element(None, z_bits=0), id="all bits dropped"),
        pytest.param(Element("binary-elastic-net", b=0), id="a box without 1"),
        pytest.param(Element("binary-elastic-net", theta_bits=12), id="theta not below a half"),
    ],
)
def test_update_refuses_what_it_cannot_build(wrong: Element) -> None:
    with pytest.raises(ValueError, match="update"):
        _ = wrong.circuit
