# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: SIM300 - capitals are the mathematics' symbols here, not constants
"""The non-restoring division of `reciprocal`, at the widest that the domain allows, by induction.

A quotient of 32 bits by a divisor of 64 is too much for one query. The netlist is cut at its own
words: the divisor D and, for quotient bit j, the adder's word S_j. With P_j = 2^(e+j), what long
division has brought down of 2^exponent before bit j, the invariant is

    r_j = P_j - 2 Q D for the quotient Q before bit j,  0 <= r_j < 2 D,  r_j <= P_j,
    r_j = P_j if D > P_(j-1), for then nothing was ever subtracted;
    S_j = r_j - D modulo 2^(its width).

1. *The netlist*: whatever D and S_j are, bit j of the quotient is [D < 2 P_j and S_j >= 0], and
   S_(j+1) is 2 S_j - D if it is 1, else 2 S_j + D, modulo 2^(its width).
2. *Width*: under the invariant that bit is [r_j >= D].
3. *Arithmetic*: then r_(j+1) = 2 (r_j - [r_j >= D] D) satisfies the invariant; r_0 = P_0 does,
   since D >= minimum; and at the end the invariant says that the quotient is the floor.

By induction over j every bit is right for every D; and D is what the adder of the shares makes it
(`test_reciprocal_proved`, whole, at the sizes of real runs).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
import z3

from ppmf_secure.primitives.circuits import training_circuits
from ppmf_secure.primitives.circuits.netlist import Builder, Circuit, Literal, Word
from tests.support.formal import Exact, prove
from tests.support.formal_circuits import cut_at, outputs, variables

WIDTH, EXPONENT = 64, 32  # ring_bits, and MAX_STEP_WIDTH of step_bits + step_guard_bits
MINIMUM = 3  # c0 2^g


@dataclass
class Tapped:
    """The widest reciprocal with the words of its adders as outputs: "D", then "S0", "S1", ..."""

    circuit: Circuit

    @property
    def bits(self) -> int:
        return self.circuit.widths["step"]

    def words(self, *cut: str) -> dict[str, z3.BitVecRef]:
        """All words, those named being any."""
        return outputs(self.circuit, variables(self.circuit), cut_at(self.circuit, *cut))

    def quotient_bit(self, words: dict[str, z3.BitVecRef], j: int) -> z3.BoolRef:
        position = self.bits - 1 - j
        return z3.Extract(position, position, words["step"]) == 1

    def brought_down(self, j: int) -> int:
        """P_j; 0 for what came before the first bit that can be 1."""
        return 1 << (EXPONENT - self.bits + 1 + j)


@dataclass
class _Taps:
    """Stands in for `circuits._add`, and remembers its words."""

    words: list[Word] = field(default_factory=list)
    builder: Builder | None = None

    def add(self, b: Builder, x: Word, y: Word, carry: Literal = 0) -> Word:
        self.builder = b
        self.words.append(training_circuits._add_with_carry(b, x, y, carry)[0])
        return self.words[-1]


@pytest.fixture(scope="module")
def tapped() -> Tapped:
    sizes = {"width": WIDTH, "drop": 0, "numerator_bits": EXPONENT, "minimum": MINIMUM}
    thresholds = {"l1_int": 0, "ridge_int": 0, "threshold_shift": 1}
    taps = _Taps()
    plain = training_circuits.reciprocal(**sizes, **thresholds, tau=False, theta=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_circuits, "_add", taps.add)
        same = training_circuits.reciprocal(**sizes, **thresholds, tau=False, theta=False)
    assert same == plain
    assert taps.builder is not None
    for name, word in zip(["D", *(f"S{j}" for j in range(64))], taps.words, strict=False):
        taps.builder.output(name, word)
    return Tapped(taps.builder.build())


def test_taps_are_all_the_adders_there_are(tapped: Tapped) -> None:
    assert set(tapped.circuit.outputs) == {"step", "D", *(f"S{j}" for j in range(tapped.bits))}
    assert tapped.bits == 31  # of 2^32 // 3
    widths = [tapped.circuit.widths[f"S{j}"] for j in range(tapped.bits)]
    assert all(after <= before + 1 for before, after in pairwise(widths))


def is_one(S: z3.BitVecRef, D: Exact, brought_down: int) -> z3.BoolRef:
    """The netlist's quotient bit: D is not too large for the word, and its sign is plus."""
    return z3.And((D < 2 * brought_down).term, S >= 0)


@pytest.mark.req("PPMF-CIR-003")
def test_first_word_of_the_netlist(tapped: Tapped) -> None:
    words = tapped.words("D")
    D, S = Exact.unsigned(words["D"]), words["S0"]
    first = tapped.brought_down(0)
    prove(S == (first - D).low(S.size()), mutants=[S == (first - D - 1).low(S.size())])


@pytest.mark.req("PPMF-CIR-003")
def test_every_step_of_the_netlist(tapped: Tapped) -> None:
    """Mutants: a sign taken the wrong way round, and a divisor always subtracted."""
    for j in range(tapped.bits):
        words = tapped.words("D", f"S{j}")
        D, S = Exact.unsigned(words["D"]), words[f"S{j}"]
        bit = tapped.quotient_bit(words, j)
        one = is_one(S, D, tapped.brought_down(j))
        prove(bit == one, mutants=[bit == z3.Not(one)])
        if j + 1 < tapped.bits:
            following = words[f"S{j + 1}"]
            minus, plus = 2 * Exact(S) - D, 2 * Exact(S) + D
            prove(
                following == minus.chosen(bit, plus).low(following.size()),
                mutants=[following == minus.low(following.size())],
            )


@pytest.mark.req("PPMF-CIR-003")
def test_word_is_wide_enough_for_its_sign(tapped: Tapped) -> None:
    """For the widths that the netlist has; a bit less would not do."""
    words = tapped.words()
    for j in range(tapped.bits):
        P, size = tapped.brought_down(j), words[f"S{j}"].size()
        D = Exact.unsigned(z3.BitVec("D", WIDTH))
        r = Exact.unsigned(z3.BitVec("r", EXPONENT + 1))  # r_j <= P_j <= 2^exponent
        fits = (r >= D).term
        invariant = [
            (D >= MINIMUM).term,
            (r < 2 * D).term,
            (r <= P).term,
            z3.Implies((D > P >> 1).term, r.equals(P)),
        ]
        prove(
            is_one((r - D).low(size), D, P) == fits,
            given=invariant,
            mutants=[is_one((r - D).low(size - 1), D, P) == fits, (r - D).low(size) >= 0],
        )


@pytest.mark.req("PPMF-FIX-024")
def test_invariant_is_kept() -> None:
    """In the integers, for any P, quotient so far and modulus: from bit j to bit j + 1."""
    P, Q, D, r, S, modulus, wraps = z3.Ints("P Q D r S modulus wraps")

    def holds(r: z3.ArithRef, Q: z3.ArithRef, P: z3.ArithRef) -> z3.BoolRef:
        unsubtracted = z3.Implies(2 * D > P, r == P)
        return z3.And(r == P - 2 * Q * D, r >= 0, r < 2 * D, r <= P, unsubtracted)

    def kept(fits: z3.BoolRef) -> z3.BoolRef:
        bit = z3.If(fits, z3.IntVal(1), z3.IntVal(0))
        following = 2 * (r - bit * D)
        word = z3.If(fits, 2 * S - D, 2 * S + D)
        congruent = word == following - D + wraps * (2 * modulus)  # S is at most doubled in width
        return z3.And(holds(following, 2 * Q + bit, 2 * P), congruent)

    prove(
        kept(r >= D),
        given=[D >= 1, P >= 1, modulus >= 1, holds(r, Q, P), S == r - D + wraps * modulus],
        mutants=[kept(r > D)],
    )


@pytest.mark.req("PPMF-FIX-024")
def test_invariant_at_the_ends() -> None:
    """It holds at first, with Q = 0, and after the last bit the quotient is the floor."""
    first, D, largest = z3.Ints("P D largest")
    # `bits` is the length of the largest quotient, and P_0 = 2^(exponent - bits + 1).
    numerator, power = z3.Ints("N power")  # power = 2^bits
    prove(
        first < 2 * D,
        given=[
            power >= 1,
            first * power == 2 * numerator,
            numerator >= 1,
            largest * MINIMUM <= numerator,
            numerator < (largest + 1) * MINIMUM,
            largest < power,
            D >= MINIMUM,
        ],
        mutants=[first < D],
    )
    Q, r = z3.Ints("Q r")
    bit = z3.If(r >= D, z3.IntVal(1), z3.IntVal(0))
    quotient = 2 * Q + bit
    prove(
        z3.And(quotient * D <= numerator, numerator < (quotient + 1) * D),
        given=[D >= 1, r == numerator - 2 * Q * D, r >= 0, r < 2 * D],
        mutants=[z3.And(2 * Q * D <= numerator, numerator < (2 * Q + 1) * D)],
    )
