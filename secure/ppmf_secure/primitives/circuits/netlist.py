# SPDX-License-Identifier: GPL-3.0-or-later
"""Boolean circuits of XOR, AND and NOT gates, and the builder that makes them small.

Under free XOR only AND gates cost anything (Kolesnikov and Schneider, "Improved garbled circuit:
free XOR gates and applications", ICALP 2008). `Circuit.and_count` is therefore the size of a
circuit.

While a circuit is built, a bit is a *literal*: 2 times its node, plus 1 if it is inverted. Node 0
is the constant zero. (This is the notation of Biere's AIGER format.) So complements and constants
are no gates by themselves: a NOT gate appears only where an AND gate or an output needs the
inverted bit, two inversions cancel, and a gate with a constant or with equal inputs is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np

from ppmf_secure.arrays import Bits

Literal: TypeAlias = int
Word: TypeAlias = list[Literal]
"""The literals of the bits of an integer, the lowest first."""

ZERO: Literal = 0
ONE: Literal = 1

CONSTANT_ZERO = -1
"""The wire of an output bit that is 0 whatever the inputs."""

CONSTANT_ONE = -2
"""The wire of an output bit that is 1 whatever the inputs."""


class Kind(Enum):
    """The operation of a gate; the values are the names in Bristol Fashion."""

    XOR = "XOR"
    AND = "AND"
    NOT = "INV"


class Gate(NamedTuple):
    """One gate and the wires that it reads. A NOT gate reads `left`; its `right` is the same."""

    kind: Kind
    left: int
    right: int


@dataclass(frozen=True)
class Circuit:
    """A circuit with named input and output words.

    inputs: the width of each input word, in order. Their wires are 0, 1, 2, ..., the lowest bit of
        a word first.
    gates: the gates in topological order. Gate j drives wire `input_count + j`.
    outputs: the wires of each output word, the lowest bit first. A wire may be that of an input,
        may occur several times, and may be CONSTANT_ZERO or CONSTANT_ONE.
    """

    inputs: Mapping[str, int]
    gates: tuple[Gate, ...]
    outputs: Mapping[str, tuple[int, ...]]

    @cached_property
    def input_count(self) -> int:
        """The number of input wires."""
        return sum(self.inputs.values())

    @cached_property
    def and_count(self) -> int:
        """The number of AND gates: garbling, sending and evaluating cost in proportion to it."""
        return sum(gate.kind is Kind.AND for gate in self.gates)

    @property
    def widths(self) -> dict[str, int]:
        """The width of each output word."""
        return {name: len(wires) for name, wires in self.outputs.items()}

    def input_wires(self) -> dict[str, range]:
        """The wires of each input word, the lowest bit first."""
        wires, first = {}, 0
        for name, width in self.inputs.items():
            wires[name] = range(first, first + width)
            first += width
        return wires

    def evaluate(self, inputs: Mapping[str, Bits]) -> dict[str, Bits]:
        """The output words in the clear, for n elements at once.

        inputs: the bits (width, n) of each input word. The bits of the output words are returned in
        the same form. Raises ValueError when the words are not those of the circuit.
        """
        shapes = {name: bits.shape[0] for name, bits in inputs.items()}
        if shapes != dict(self.inputs):
            raise ValueError(f"input words of widths {shapes}, not {dict(self.inputs)}")
        wires = [row for name in self.inputs for row in inputs[name].astype(bool)]
        for kind, left, right in self.gates:
            match kind:
                case Kind.XOR:
                    wires.append(wires[left] ^ wires[right])
                case Kind.AND:
                    wires.append(wires[left] & wires[right])
                case Kind.NOT:
                    wires.append(~wires[left])
        zero = np.zeros_like(wires[0])
        wires += [~zero, zero]  # in the places CONSTANT_ONE = -2 and CONSTANT_ZERO = -1
        return {
            name: np.array([wires[wire] for wire in word]).astype(np.uint8)
            for name, word in self.outputs.items()
        }


class Builder:
    """The builder of a circuit, which leaves out the gates that are not needed.

    A caller declares all inputs first, combines their literals, names the outputs, and builds.
    """

    def __init__(self) -> None:
        self._inputs: dict[str, int] = {}
        self._outputs: dict[str, Word] = {}
        # Node 0 is the constant. Then come the inputs (None), then the gates with their literals.
        self._nodes: list[tuple[Kind, Literal, Literal] | None] = [None]
        self._known: dict[tuple[Kind, Literal, Literal], Literal] = {}

    def input(self, name: str, width: int) -> Word:
        """A new input word; ValueError if the name is taken or a gate exists already."""
        if self._known or name in self._inputs:
            raise ValueError(f"input {name}: declared twice, or after the first gate")
        self._inputs[name] = width
        first = len(self._nodes)
        self._nodes += [None] * width
        return [2 * node for node in range(first, first + width)]

    def output(self, name: str, word: Sequence[Literal]) -> None:
        """Name a word as an output; ValueError if the name is taken."""
        if name in self._outputs:
            raise ValueError(f"output {name}: declared twice")
        self._outputs[name] = list(word)

    def not_(self, a: Literal) -> Literal:
        """The negation of a. It costs nothing."""
        return a ^ 1

    def xor(self, a: Literal, b: Literal) -> Literal:
        """The exclusive or of a and b. It costs nothing.

        Inversions move to the result, where they may cancel.
        """
        inverted = (a ^ b) & 1
        a, b = sorted((a & ~1, b & ~1))
        if a == b:
            return inverted
        if a == ZERO:
            return b ^ inverted
        return self._gate(Kind.XOR, a, b) ^ inverted

    def and_(self, a: Literal, b: Literal) -> Literal:
        """The conjunction of a and b: the one gate that costs something (PPMF-CIR-002)."""
        a, b = sorted((a, b))
        if a == ZERO or a ^ b == 1:  # 0 & b, or x & ~x
            return ZERO
        if a in (ONE, b):
            return b
        return self._gate(Kind.AND, a, b)

    def or_(self, a: Literal, b: Literal) -> Literal:
        """The disjunction of a and b: one AND gate."""
        return self.and_(a ^ 1, b ^ 1) ^ 1

    def any(self, literals: Iterable[Literal]) -> Literal:
        """Whether any literal is 1. It takes an AND gate less than there are literals."""
        result = ZERO
        for literal in literals:
            result = self.or_(result, literal)
        return result

    def all(self, literals: Iterable[Literal]) -> Literal:
        """Whether all literals are 1. It takes an AND gate less than there are literals."""
        result = ONE
        for literal in literals:
            result = self.and_(result, literal)
        return result

    def _gate(self, kind: Kind, a: Literal, b: Literal) -> Literal:
        node = (kind, a, b)
        if node not in self._known:
            self._known[node] = 2 * len(self._nodes)
            self._nodes.append(node)
        return self._known[node]

    def build(self) -> Circuit:
        """The circuit of the named outputs, without the gates that none of them needs
        (PPMF-CIR-001, -002).
        """
        live = self._live_nodes()
        count = sum(self._inputs.values())
        wires: dict[Literal, int] = {2 * node: node - 1 for node in range(1, count + 1)}
        gates: list[Gate] = []

        def wire(literal: Literal) -> int:
            """The wire of a literal. A NOT gate is added if it is inverted and has no wire yet."""
            if literal not in wires:
                gates.append(Gate(Kind.NOT, wires[literal ^ 1], wires[literal ^ 1]))
                wires[literal] = count + len(gates) - 1
            return wires[literal]

        for index, node in enumerate(self._nodes):
            if node is None or index not in live:
                continue
            kind, a, b = node
            left, right = wire(a), wire(b)
            gates.append(Gate(kind, left, right))
            wires[2 * index] = count + len(gates) - 1
        wires |= {ZERO: CONSTANT_ZERO, ONE: CONSTANT_ONE}
        outputs = {
            name: tuple(wire(literal) for literal in word) for name, word in self._outputs.items()
        }
        return Circuit(self._inputs, tuple(gates), outputs)

    def _live_nodes(self) -> set[int]:
        """The nodes on which an output depends."""
        live: set[int] = set()
        pending = [literal >> 1 for word in self._outputs.values() for literal in word]
        while pending:
            index = pending.pop()
            if index not in live:
                live.add(index)
                node = self._nodes[index]
                if node is not None:
                    pending += [node[1] >> 1, node[2] >> 1]
        return live
