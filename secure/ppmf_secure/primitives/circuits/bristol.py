# SPDX-License-Identifier: GPL-3.0-or-later
"""Circuits as text in Bristol Fashion, the format in which circuit tools exchange them.

The source is N. Smart and others, "(Bristol Fashion) MPC circuits", KU Leuven,
https://nigelsmart.github.io/MPC-Circuits/. A file consists of

    number of gates, number of wires
    number of input words, width of each
    number of output words, width of each
                                                    (an empty line)
    for each gate: inputs, outputs, the wires read, the wire driven, the operation

The first wires are those of the input words, the lowest bit first; the last wires are those of the
output words. XOR, AND and INV are the gates of `netlist`. Every output bit is a wire of its own, so
one that is also an input or another output is copied by EQW, and a constant is set by EQ, whose
operand is the bit. The format has neither names of words nor comments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from ppmf_secure.primitives.circuits.netlist import (
    CONSTANT_ONE,
    CONSTANT_ZERO,
    ONE,
    ZERO,
    Builder,
    Circuit,
    Kind,
    Literal,
)
from ppmf_spec.errors import EncodingError

MAX_WIRES = 1 << 22
"""The most wires of a circuit that is read, so that a hostile header cannot claim memory."""

_CONSTANTS = {CONSTANT_ZERO: 0, CONSTANT_ONE: 1}


def to_bristol(circuit: Circuit) -> str:
    """The circuit as text: its gates in their order, then the copies of outputs."""
    outputs = [wire for word in circuit.outputs.values() for wire in word]
    driven = range(circuit.input_count, circuit.input_count + len(circuit.gates))
    # The first output bit that a gate drives names the gate's wire; the others are copies.
    place_of = {wire: place for place, wire in reversed(list(enumerate(outputs)))}
    named = {wire: place for wire, place in place_of.items() if wire in driven}
    copied = [(place, wire) for place, wire in enumerate(outputs) if named.get(wire) != place]
    wires = circuit.input_count + len(circuit.gates) + len(copied)
    number = {wire: wires - len(outputs) + place for wire, place in named.items()}
    unnamed = [wire for wire in range(driven.stop) if wire not in named]
    number |= {wire: index for index, wire in enumerate(unnamed)}

    lines = [
        f"{len(circuit.gates) + len(copied)} {wires}",
        _header(list(circuit.inputs.values())),
        _header(list(circuit.widths.values())),
        "",
    ]
    for out, (kind, left, right) in zip(driven, circuit.gates, strict=True):
        if kind is Kind.NOT:
            lines.append(f"1 1 {number[left]} {number[out]} {kind.value}")
        else:
            lines.append(f"2 1 {number[left]} {number[right]} {number[out]} {kind.value}")
    for place, wire in copied:
        out = wires - len(outputs) + place
        if wire in _CONSTANTS:
            lines.append(f"1 1 {_CONSTANTS[wire]} {out} EQ")
        else:
            lines.append(f"1 1 {number[wire]} {out} EQW")
    return "\n".join(lines) + "\n"


def from_bristol(text: str, inputs: Sequence[str], outputs: Sequence[str]) -> Circuit:
    """The circuit of a text, with these names for its words.

    It passes through the builder, which leaves out gates that are not needed; a text of
    `to_bristol` comes back as the same circuit. Raises EncodingError, which names the line, for a
    text that is no circuit.
    """
    lines = [(at, line.split()) for at, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) < 3:
        raise EncodingError("circuit: the header of three lines is incomplete")
    counts, input_widths, output_widths = (_numbers(at, tokens) for at, tokens in lines[:3])
    if len(counts) != 2 or counts[0] != len(lines) - 3 or counts[1] > MAX_WIRES:
        raise EncodingError(
            f"circuit line {lines[0][0]}: not the {len(lines) - 3} gates that follow and at most "
            f"{MAX_WIRES} wires"
        )
    wires = counts[1]
    _check_widths(lines[1][0], input_widths, len(inputs))
    _check_widths(lines[2][0], output_widths, len(outputs))
    for (at, _), widths in zip(lines[1:3], (input_widths, output_widths), strict=True):
        if sum(widths[1:]) > wires:
            raise EncodingError(f"circuit line {at}: wider than the {wires} wires there are")

    b = Builder()
    literals: dict[int, Literal] = {}
    for name, width in zip(inputs, input_widths[1:], strict=True):
        for literal in b.input(name, width):
            literals[len(literals)] = literal
    for at, tokens in lines[3:]:
        _read_gate(b, literals, at, tokens, wires)
    # Only now, so that a gate of another kind, which may drive several wires, is what is blamed.
    if len(literals) != wires:
        raise EncodingError(
            f"circuit line {lines[0][0]}: its wires are not those of the inputs and gates"
        )
    ends = [wires - sum(output_widths[1:])]
    for width in output_widths[1:]:
        ends.append(ends[-1] + width)
    for name, (first, end) in zip(outputs, pairwise(ends), strict=True):
        b.output(name, [literals[wire] for wire in range(first, end)])
    return b.build()


def _read_gate(
    b: Builder, literals: dict[int, Literal], at: int, tokens: list[str], wires: int
) -> None:
    """Add the gate of one line: its literal is that of the wire it drives."""
    operations: dict[str, tuple[int, Callable[[list[Literal]], Literal]]] = {
        "XOR": (2, lambda read: b.xor(*read)),
        "AND": (2, lambda read: b.and_(*read)),
        "INV": (1, lambda read: b.not_(*read)),
        "EQW": (1, lambda read: read[0]),
        "EQ": (1, lambda read: read[0]),
    }
    if tokens[-1] not in operations:
        raise EncodingError(f"circuit line {at}: the operation is none of {', '.join(operations)}")
    arity, operation = operations[tokens[-1]]
    numbers = _numbers(at, tokens[:-1])
    if len(numbers) != arity + 3 or numbers[:2] != [arity, 1]:
        raise EncodingError(f"circuit line {at}: {tokens[-1]} reads {arity} and drives 1 wire")
    *read, driven = numbers[2:]
    known = {0: ZERO, 1: ONE} if tokens[-1] == "EQ" else literals
    if any(wire not in known for wire in read):
        raise EncodingError(f"circuit line {at}: a wire is read before it is driven")
    if driven in literals or driven >= wires:
        raise EncodingError(f"circuit line {at}: wire {driven} is driven twice or out of range")
    literals[driven] = operation([known[wire] for wire in read])


def _header(widths: list[int]) -> str:
    return " ".join(map(str, [len(widths), *widths]))


def _numbers(at: int, tokens: list[str]) -> list[int]:
    if not all(token.isascii() and token.isdigit() and len(token) < 10 for token in tokens):
        raise EncodingError(f"circuit line {at}: not a list of small numbers")
    return [int(token) for token in tokens]


def _check_widths(at: int, widths: list[int], names: int) -> None:
    if widths[0] != len(widths) - 1 or widths[0] != names:
        raise EncodingError(f"circuit line {at}: not the widths of {names} words")
