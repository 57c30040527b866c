# SPDX-License-Identifier: Apache-2.0
"""The non-restoring division of `reciprocal`, at the widest that the domain allows, by induction.

A quotient of 32 bits by a divisor of 64 is too much for one query. The netlist is cut at its own
words: the divisor D and, for quotient bit j, the adder's word S_j. With P_j = 2^(e+j), what long
division has brought down of 2^exponent before bit j, the invariant is

    r_j = P_j - 2 Q D for the quotient Q before bit j,  0 <= r_j < 2 D,  r_j <= P_j,
    r_j = P_j if D > P_(j-1), for then nothing was ever subtracted.

*The netlist*: if r_j satisfies the invariant and S_j holds r_j - D, as many low bits as it has,
then bit j of the quotient is [r_j >= D], and S_(j+1) holds r_(j+1) - D with
r_(j+1) = 2 (r_j - [r_j >= D] D). *Arithmetic*: the invariant goes from r_j to r_(j+1), holds at
the beginning since D >= minimum, and at the end says that the quotient is floor(2^exponent / D).
By induction over j, every bit is right for every D, and a D is what the adder of shares makes it
(`test_reciprocal_proved`, whole, for the sizes of real runs).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import z3

from formal import Exact, prove
from formal_circuits import cut_at, outputs, variables
from ppmf_secure import circuits
from ppmf_secure.netlist import Builder, Circuit, Literal, Word

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
        self.words.append(circuits._add_with_carry(b, x, y, carry)[0])
        return self.words[-1]


@pytest.fixture(scope="module")
def tapped() -> Tapped:
    sizes = {"width": WIDTH, "drop": 0, "numerator_bits": EXPONENT, "minimum": MINIMUM}
    thresholds = {"l1_int": 0, "ridge_int": 0, "threshold_shift": 1}
    taps = _Taps()
    plain = circuits.reciprocal(**sizes, **thresholds, tau=False, theta=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(circuits, "_add", taps.add)
        same = circuits.reciprocal(**sizes, **thresholds, tau=False, theta=False)
    assert same == plain
    assert taps.builder is not None
    for name, word in zip(["D", *(f"S{j}" for j in range(64))], taps.words, strict=False):
        taps.builder.output(name, word)
    return Tapped(taps.builder.build())


def invariant(r: Exact, D: Exact, brought_down: int) -> list[z3.BoolRef]:
    """Of r_j, but for its relation with the quotient."""
    return [
        (D >= MINIMUM).term,
        (r >= 0).term,
        (r < 2 * D).term,
        (r <= brought_down).term,
        z3.Implies((D > brought_down >> 1).term, r.equals(brought_down)),
    ]


def test_taps_are_all_the_adders_there_are(tapped: Tapped) -> None:
    assert set(tapped.circuit.outputs) == {"step", "D", *(f"S{j}" for j in range(tapped.bits))}
    assert tapped.bits == 31  # of 2^32 // 3


@pytest.mark.req("PPMF-CIR-003")
def test_first_word_of_the_netlist(tapped: Tapped) -> None:
    words = tapped.words("D")
    D, S = Exact.unsigned(words["D"]), words["S0"]
    first = tapped.brought_down(0)
    prove(
        S == (first - D).low(S.size()),
        given=invariant(Exact.of(first), D, first),
        mutants=[S == (first - D - 1).low(S.size())],
    )


@pytest.mark.req("PPMF-CIR-003")
def test_every_step_of_the_netlist(tapped: Tapped) -> None:
    """Mutants: the comparison without its equality, and restoring division's next word."""
    for j in range(tapped.bits):
        words = tapped.words("D", f"S{j}")
        D, S = Exact.unsigned(words["D"]), words[f"S{j}"]
        r = Exact.unsigned(z3.BitVec("r", EXPONENT + 1))  # r_j <= P_j <= 2^exponent
        fits = r >= D
        bit = tapped.quotient_bit(words, j)
        right, wrong = bit == fits.term, bit == (r > D).term
        if j + 1 < tapped.bits:
            following = words[f"S{j + 1}"]
            subtracted = (2 * (r - D)).chosen(fits.term, 2 * r)
            right = z3.And(right, following == (subtracted - D).low(following.size()))
            wrong = z3.Or(wrong, following == (2 * r - D).low(following.size()))
        given = [*invariant(r, D, tapped.brought_down(j)), S == (r - D).low(S.size())]
        prove(right, given=given, mutants=[wrong])


@pytest.mark.req("PPMF-FIX-024")
def test_invariant_is_kept() -> None:
    """In the integers, for any P: from bit j to bit j + 1. The quotient Q of P may be anything."""
    P, Q, D, r = z3.Ints("P Q D r")

    def holds(r: z3.ArithRef, Q: z3.ArithRef, P: z3.ArithRef) -> z3.BoolRef:
        unsubtracted = z3.Implies(2 * D > P, r == P)
        return z3.And(r == P - 2 * Q * D, r >= 0, r < 2 * D, r <= P, unsubtracted)

    def kept(bit: z3.ArithRef) -> z3.BoolRef:
        return holds(2 * (r - bit * D), 2 * Q + bit, 2 * P)

    bit = z3.If(r >= D, z3.IntVal(1), z3.IntVal(0))
    late = z3.If(r > D, z3.IntVal(1), z3.IntVal(0))
    prove(kept(bit), given=[D >= 1, P >= 1, holds(r, Q, P)], mutants=[kept(late)])


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
