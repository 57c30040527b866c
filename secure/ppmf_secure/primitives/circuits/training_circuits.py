# SPDX-License-Identifier: GPL-3.0-or-later
"""The two circuits of a half-step (chapter 4, "Circuits").

`reciprocal` turns shares of a curvature into the step of a row and its thresholds. `update` turns
shares of Z, before its shift, into the new number of the model. Both compute the functions of
chapter 2, "Steps" and "Inner steps", bit for bit. They begin by adding two shares mod 2^width. A
ripple adder costs one AND gate for each bit, since the carry out is c ^ (x ^ c)(y ^ c) (Boyar,
Peralta and Pochuev, "On the multiplicative complexity of Boolean functions over the basis (and,
xor, 1)", TCS 2000). Of the bits that a shift drops, only the carry into the bits that are kept is
computed.

Words are lists of literals (`netlist`), the lowest bit first. Signed words are in two's complement.
"""

from __future__ import annotations

from collections.abc import Iterator

from ppmf_secure.primitives.circuits.netlist import ONE, ZERO, Builder, Circuit, Literal, Word
from ppmf_spec.parameters import Regulariser

__all__ = ["Circuit", "reciprocal", "update"]


def reciprocal(
    *,
    width: int,
    drop: int,
    numerator_bits: int,
    minimum: int,
    l1_int: int,
    ridge_int: int,
    threshold_shift: int,
    tau: bool,
    theta: bool,
) -> Circuit:
    """The circuit of a row's step and thresholds (PPMF-CIR-003, PPMF-FIX-024, -025).

    The inputs are "share0" and "share1" (width): D = ((share0 + share1) mod 2^width) >> drop. The
    caller promises that D >= minimum >= 1.
    The outputs are unsigned and just wide enough for D = minimum; a word that can only be 0 has one
    bit. "step" is floor(2^numerator_bits / D). With `tau` there is "tau", which is (step l1_int +
    2^(threshold_shift - 1)) >> threshold_shift; with `theta` there is "theta", the same with
    ridge_int. Raises ValueError unless 0 <= drop < width and threshold_shift >= 1.
    """
    if not 0 <= drop < width or minimum < 1 or threshold_shift < 1:
        raise ValueError("reciprocal: a shift or the minimum is out of range")
    b = Builder()
    divisor = _add(b, b.input("share0", width), b.input("share1", width))[drop:]
    largest = (1 << numerator_bits) // minimum
    step = _quotient(b, numerator_bits, divisor, largest.bit_length())
    b.output("step", step)
    for wanted, name, weight in ((tau, "tau", l1_int), (theta, "theta", ridge_int)):
        if wanted:
            b.output(name, _threshold(b, step, largest, weight, threshold_shift))
    return b.build()


def update(
    *,
    width: int,
    drop: int,
    frac_bits: int,
    box_bits: int,
    prox: Regulariser | None,
    tau_bits: int,
    theta_bits: int,
) -> Circuit:
    """The circuit of a new number of the model (PPMF-CIR-004, PPMF-FIX-032 to -034).

    The inputs are "share0" and "share1" (width), then "tau" (tau_bits) if there is a prox, then
    "theta" (theta_bits) if it is "binary-elastic-net". The thresholds are unsigned.
    The output is "word" (1 + box_bits + frac_bits): the prox of Z = ((share0 + share1) mod 2^width,
    signed) >> drop, or Z itself if there is none, clamped to the word. Raises ValueError when the
    widths do not fit each other.
    """
    binary = prox == "binary-elastic-net"
    if not 0 <= drop < width:
        raise ValueError(f"update: cannot drop {drop} of {width} bits")
    if binary and not (box_bits >= 1 and theta_bits < frac_bits):
        raise ValueError("update: the binary prox needs box_bits >= 1 and theta_bits < frac_bits")
    b = Builder()
    share0, share1 = b.input("share0", width), b.input("share1", width)
    tau = b.input("tau", tau_bits) if prox else []
    theta = b.input("theta", theta_bits) if binary else []
    Z = _add(b, share0, share1)[drop:]
    if binary:
        jump, Z = _reflect(b, Z, theta, frac_bits)
        word = _soft(b, Z, tau, box_bits + frac_bits, jump, frac_bits)
        word = word[:frac_bits] + _add(b, word[frac_bits:], _constant(0, box_bits + 1), jump)
    else:
        word = _soft(b, Z, tau, box_bits + frac_bits, ZERO, frac_bits)
    b.output("word", word)
    return b.build()


def _quotient(b: Builder, numerator_bits: int, divisor: Word, bits: int) -> Word:
    """floor(2^numerator_bits / D), promised to be below 2^bits, by non-restoring division.

    Long division compares D with the partial remainders r_0 = 2^e, e = numerator_bits - bits + 1,
    then r_(j+1) = 2 r_j or 2 (r_j - D). Non-restoring division keeps S_j = r_j - D, which may be
    negative, and S_(j+1) = 2 S_j - D or 2 S_j + D: one adder for each bit of the quotient, and no
    selection.

    The first adders are short. By induction -D <= S_j < D and r_j <= 2^(e+j), with equality as long
    as nothing was subtracted. So for D < 2^(e+j), and also for D < 2^(e+j+1), where r_j = 2^(e+j),
    a signed word of e + j + 1 bits holds S_j; for larger D, S_j is negative and its low bits are
    right. Each doubling adds a bit to the next word, up to one more than the width of D.
    """
    if bits == 0:
        return [ZERO]
    first = numerator_bits - bits + 1
    reached = [ZERO]  # reached[i]: whether D has a bit at or above position len(divisor) - i
    for bit in reversed(divisor):
        reached.append(b.or_(reached[-1], bit))
    quotient: Word = []
    doubled, positive = _constant(1 << first, first + 1), ONE
    for j in range(bits):
        size = min(first + j + 1, len(divisor) + 1)
        D = [b.xor(bit, positive) for bit in _unsigned(divisor, size)]
        S = _add(b, _unsigned(doubled, size), D, positive)
        large = reached[max(len(divisor) - (first + j + 1), 0)]
        positive = b.and_(b.not_(large), b.not_(S[-1]))
        quotient.append(positive)
        doubled = [ZERO, *S]
    return quotient[::-1]


def _threshold(b: Builder, step: Word, largest: int, weight: int, shift: int) -> Word:
    """(step weight + 2^(shift - 1)) >> shift for 0 <= step <= largest, by shifted sums."""
    half = 1 << (shift - 1)
    width = (largest * weight + half).bit_length()
    total = _constant(half, width)
    for position, digit in _signed_digits(weight):
        term = _unsigned([ZERO] * position + step, width)
        total = _add(b, total, term) if digit > 0 else _subtract(b, total, term)[0]
    return total[shift:] or [ZERO]


def _signed_digits(value: int) -> Iterator[tuple[int, int]]:
    """The positions and digits, 1 or -1, of the non-adjacent form of a value.

    No signed binary form has fewer digits other than 0 (Reitwiesner, "Binary arithmetic", Advances
    in Computers 1, 1960).
    """
    position = 0
    while value:
        if value & 1:
            digit = 2 - (value & 3)
            yield position, digit
            value -= digit
        value >>= 1
        position += 1


def _reflect(b: Builder, Z: Word, theta: Word, frac_bits: int) -> tuple[Literal, Word]:
    """Whether Z lies beyond the jump of the binary prox, and Z moved so that `_soft` can go on.

    The two results are jump = (Z > 2^(f-1) - theta) and Z + jump (2 theta - 2^f). The caller
    promises theta < 2^(f-1). Beyond the jump the moved value is above theta - 2^(f-1) and below Z,
    so that f + 1 signed bits hold it, or as many as Z has if these are more.
    """
    width = max(len(Z), frac_bits + 1)
    Z = _signed(Z, width + 1)
    limit, _ = _subtract(b, _constant(1 << (frac_bits - 1), width + 1), _unsigned(theta, width + 1))
    jump = _subtract(b, limit, Z)[0][-1]
    shift = _unsigned([ZERO, *(b.and_(jump, bit) for bit in theta)], frac_bits)
    return jump, _add(b, Z[:width], _signed([*shift, jump], width))


def _soft(
    b: Builder, Z: Word, tau: Word, magnitude_bits: int, jump: Literal, frac_bits: int
) -> Word:
    """Z, soft-thresholded by tau and clamped to a signed word of magnitude_bits + 1 bits.

    This works on magnitudes in one's complement. With s the sign of Z and Y = Z ^ s, whose bits are
    flipped if Z is negative, Y is Z or -Z - 1, and soft(Z, tau) is 0 if Y - tau < 0 and (Y - tau)
    ^ s otherwise. So both signs share one subtraction, and nothing can overflow. With an empty tau
    only the clamping is left.

    Where `jump` is 1 the upper end is lower by 2^f, which is added afterwards. In the binary prox a
    value beyond the jump is never clamped below, and any other never above, by `_reflect`.
    """
    *low, sign = Z
    # One bit more than the larger of the word and tau: with any higher bit, Z is clamped anyway.
    size = max(magnitude_bits, len(tau)) + 1
    Y = _unsigned([b.xor(bit, sign) for bit in low], max(size, len(low)))
    beyond = b.any(Y[size:])
    Y, at_least = _subtract(b, Y[:size], _unsigned(tau, size))
    full = b.and_(jump, b.all(Y[frac_bits:magnitude_bits]))
    over = b.or_(beyond, b.and_(at_least, b.or_(b.any(Y[magnitude_bits:]), full)))
    nothing = b.and_(b.not_(beyond), b.not_(at_least))
    keep = b.not_(b.xor(over, nothing))  # never both
    top = b.and_(over, b.not_(sign))
    word = [b.xor(b.and_(keep, b.xor(bit, sign)), top) for bit in Y[:magnitude_bits]]
    if jump != ZERO:
        word[frac_bits] = b.xor(word[frac_bits], top)  # the upper end less 2^f
    return [*word, b.and_(sign, b.not_(nothing))]


def _add(b: Builder, x: Word, y: Word, carry: Literal = ZERO) -> Word:
    """The sum x + y + carry mod 2^width of two words of one width."""
    return _add_with_carry(b, x, y, carry)[0]


def _subtract(b: Builder, x: Word, y: Word) -> tuple[Word, Literal]:
    """The difference x - y mod 2^width, and whether x >= y as unsigned words."""
    return _add_with_carry(b, x, [b.not_(bit) for bit in y], ONE)


def _add_with_carry(b: Builder, x: Word, y: Word, carry: Literal) -> tuple[Word, Literal]:
    total: Word = []
    for left, right in zip(x, y, strict=True):
        differs = b.xor(right, carry)
        total.append(b.xor(left, differs))
        carry = b.xor(carry, b.and_(b.xor(left, carry), differs))
    return total, carry


def _constant(value: int, width: int) -> Word:
    return [ONE if value >> i & 1 else ZERO for i in range(width)]


def _unsigned(word: Word, width: int) -> Word:
    """The word, cut or extended by zeros to a width."""
    return word[:width] + [ZERO] * (width - len(word))


def _signed(word: Word, width: int) -> Word:
    """The word, extended by its sign to a width that is not below its own."""
    return word + word[-1:] * (width - len(word))
