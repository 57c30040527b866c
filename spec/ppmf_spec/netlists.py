# SPDX-License-Identifier: Apache-2.0
"""The circuits of chapter 4, "Circuits", as the programs that build them (PPMF-CIR-001).

Chapter 4 shows this text, and it is normative there: labels, tables and keys depend on the order of
a circuit's AND gates and on which operand is the left one. Nothing but integers, lists and
dictionaries is used, so that it can be written in any language. The secure implementation does not
use this module: it builds its circuits by itself, and a test compares the two gate by gate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

Word = list[int]
"""Literals, the lowest bit first: 2 v is node v, 2 v + 1 its negation."""


class Netlist:
    """A circuit: nodes are None (the constant, the inputs) or gates (kind, literal, literal)."""

    def __init__(self, inputs: Mapping[str, int]) -> None:
        self.inputs = inputs
        self.outputs: dict[str, Word] = {}
        self.made: dict[tuple[str, int, int], int] = {}
        self.nodes: list[tuple[str, int, int] | None] = [None] * (1 + sum(inputs.values()))

    def word(self, name: str) -> Word:
        """The literals of an input word, lowest bit first."""
        names = list(self.inputs)
        first = 1 + sum(self.inputs[before] for before in names[: names.index(name)])
        return [2 * node for node in range(first, first + self.inputs[name])]

    def gate(self, kind: str, a: int, b: int) -> int:
        """The literal of a gate, the same for the same operands."""
        if (kind, a, b) not in self.made:
            self.made[kind, a, b] = 2 * len(self.nodes)
            self.nodes.append((kind, a, b))
        return self.made[kind, a, b]

    def xor(self, a: int, b: int) -> int:
        """The exclusive or of two bits; negations move to the result."""
        negated = (a ^ b) & 1
        a, b = min(a & ~1, b & ~1), max(a & ~1, b & ~1)
        if a == b:
            return negated
        return (b if a == 0 else self.gate("xor", a, b)) ^ negated

    def both(self, a: int, b: int) -> int:
        """The AND gate, with the smaller literal on the left (PPMF-CIR-002)."""
        a, b = min(a, b), max(a, b)
        if a == 0 or a ^ b == 1:
            return 0
        return b if a == 1 or a == b else self.gate("and", a, b)

    def either(self, a: int, b: int) -> int:
        """The or of two bits."""
        return self.both(a ^ 1, b ^ 1) ^ 1

    def some(self, bits: Iterable[int]) -> int:
        """The or of all bits."""
        found = 0
        for bit in bits:
            found = self.either(found, bit)
        return found

    def every(self, bits: Iterable[int]) -> int:
        """The and of all bits."""
        held = 1
        for bit in bits:
            held = self.both(held, bit)
        return held

    def ands(self) -> list[int]:
        """The nodes of the AND gates on which an output depends, in order (PPMF-CIR-002)."""
        needed = {bit >> 1 for word in self.outputs.values() for bit in word}
        found = []
        for node in range(len(self.nodes) - 1, 0, -1):
            gate = self.nodes[node]
            if node in needed and gate:
                kind, a, b = gate
                needed |= {a >> 1, b >> 1}
                if kind == "and":
                    found.append(node)
        return found[::-1]


def constant(value: int, width: int) -> Word:
    """The bits of a number."""
    return [value >> i & 1 for i in range(width)]


def unsigned(word: Word, width: int) -> Word:
    """The word cut, or continued by zeros."""
    return (word + [0] * width)[:width]


def signed(word: Word, width: int) -> Word:
    """The word continued by its sign."""
    return word + word[-1:] * (width - len(word))


def add(net: Netlist, x: Word, y: Word, carry: int = 0) -> tuple[Word, int]:
    """The sum x + y + carry mod 2^width, and the carry out: one AND gate a bit."""
    total = []
    for a, b in zip(x, y, strict=True):
        differs = net.xor(b, carry)
        total.append(net.xor(a, differs))
        carry = net.xor(carry, net.both(net.xor(a, carry), differs))
    return total, carry


def subtract(net: Netlist, x: Word, y: Word) -> tuple[Word, int]:
    """The difference x - y mod 2^width, and whether x >= y."""
    return add(net, x, [bit ^ 1 for bit in y], 1)


def reciprocal(
    width: int, drop: int, exponent: int, minimum: int, weights: Mapping[str, int], shift: int
) -> Netlist:
    """The circuit `reciprocal`; `weights` of `tau` and `theta`, in this order (PPMF-CIR-003)."""
    net = Netlist({"share0": width, "share1": width})
    total, _ = add(net, net.word("share0"), net.word("share1"))
    largest = (1 << exponent) // minimum
    step = quotient(net, exponent, total[drop:], largest.bit_length())
    net.outputs["step"] = step
    for name, weight in weights.items():
        net.outputs[name] = threshold(net, step, largest, weight, shift)
    return net


def quotient(net: Netlist, exponent: int, divisor: Word, bits: int) -> Word:
    """floor(2^exponent / divisor), below 2^bits: non-restoring division."""
    if bits == 0:
        return [0]
    e = exponent - bits + 1
    high = [0]  # high[i]: one of the i highest bits of the divisor is set
    for bit in reversed(divisor):
        high.append(net.either(high[-1], bit))
    doubled, positive = constant(1 << e, e + 1), 1
    found = []
    for j in range(bits):
        size = min(e + j + 1, len(divisor) + 1)
        subtrahend = [net.xor(bit, positive) for bit in unsigned(divisor, size)]
        S, _ = add(net, unsigned(doubled, size), subtrahend, positive)
        too_large = high[max(len(divisor) - (e + j + 1), 0)]
        positive = net.both(too_large ^ 1, S[-1] ^ 1)
        found.append(positive)
        doubled = [0, *S]
    return found[::-1]


def threshold(net: Netlist, step: Word, largest: int, weight: int, shift: int) -> Word:
    """(step weight + 2^(shift - 1)) >> shift, for a step up to `largest`."""
    half = 1 << (shift - 1)
    width = (largest * weight + half).bit_length()
    total = constant(half, width)
    for position, digit in non_adjacent_form(weight):
        term = unsigned([0] * position + step, width)
        total, _ = add(net, total, term) if digit > 0 else subtract(net, total, term)
    return total[shift:] or [0]


def non_adjacent_form(value: int) -> Sequence[tuple[int, int]]:
    """(position, digit 1 or -1), lowest first, no two positions adjacent, of sum `value`."""
    digits, position = [], 0
    while value:
        if value & 1:
            digit = 2 - (value & 3)
            digits.append((position, digit))
            value -= digit
        value >>= 1
        position += 1
    return digits


def update(
    width: int, drop: int, f: int, b: int, prox: str | None, tau_bits: int, theta_bits: int
) -> Netlist:
    """The circuit `update`; prox: None, "elastic-net" or "binary-elastic-net" (PPMF-CIR-004)."""
    words = {"share0": width, "share1": width}
    if prox:
        words["tau"] = tau_bits
    if prox == "binary-elastic-net":
        words["theta"] = theta_bits
    net = Netlist(words)
    Z = add(net, net.word("share0"), net.word("share1"))[0][drop:]
    tau = net.word("tau") if prox else []
    jump = 0
    if prox == "binary-elastic-net":
        jump, Z = reflect(net, Z, net.word("theta"), f)
    word = soft(net, Z, tau, b + f, jump, f)
    if prox == "binary-elastic-net":
        word = word[:f] + add(net, word[f:], constant(0, b + 1), jump)[0]
    net.outputs["word"] = word
    return net


def reflect(net: Netlist, Z: Word, theta: Word, f: int) -> tuple[int, Word]:
    """Whether Z > 2^(f-1) - theta, and then Z + 2 theta - 2^f, else Z."""
    width = max(len(Z), f + 1)
    Z = signed(Z, width + 1)
    limit, _ = subtract(net, constant(1 << (f - 1), width + 1), unsigned(theta, width + 1))
    jump = subtract(net, limit, Z)[0][-1]
    shift = unsigned([0] + [net.both(jump, bit) for bit in theta], f)
    return jump, add(net, Z[:width], signed([*shift, jump], width))[0]


def soft(net: Netlist, Z: Word, tau: Word, magnitude: int, jump: int, f: int) -> Word:
    """soft(Z, tau), clamped to magnitude + 1 signed bits; 2^f lower above where jump."""
    sign = Z[-1]
    size = max(magnitude, len(tau)) + 1
    Y = [net.xor(bit, sign) for bit in Z[:-1]]
    Y = unsigned(Y, max(size, len(Y)))
    beyond = net.some(Y[size:])
    Y, reaches = subtract(net, Y[:size], unsigned(tau, size))
    full = net.both(jump, net.every(Y[f:magnitude]))
    over = net.either(beyond, net.both(reaches, net.either(net.some(Y[magnitude:]), full)))
    nothing = net.both(beyond ^ 1, reaches ^ 1)
    keep = net.xor(over, nothing) ^ 1
    top = net.both(over, sign ^ 1)
    word = [net.xor(net.both(keep, net.xor(bit, sign)), top) for bit in Y[:magnitude]]
    if jump:
        word[f] = net.xor(word[f], top)
    return [*word, net.both(sign, nothing ^ 1)]
