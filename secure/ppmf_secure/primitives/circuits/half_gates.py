# SPDX-License-Identifier: GPL-3.0-or-later
"""Garbled circuits: half gates, free XOR, point-and-permute (chapter 4, "Garbled circuits").

Each wire has two labels of 128 bits, L0 for 0 and L1 = L0 ^ offset for 1, with one secret offset
offset for all wires; the evaluator holds one of them, the *active* label L0 ^ v offset of the value
v, and cannot tell which. The lowest bit of offset is 1, so that the lowest bit of an active label,
its *colour*, is v ^ lsb(L0): the value masked by the garbler's *permute bit*. Of an output wire the
two bits are XOR shares of the value, without a message.

XOR and NOT gates cost nothing: labels are XORed; the garbler's zero label of a NOT gate is its
input's ^ offset, and the evaluator does nothing. An AND gate is two half gates of one ciphertext
each (Zahur, Rosulek and Evans, "Two halves make a whole", EUROCRYPT 2015). With a, b the zero
labels, p_a, p_b their permute bits and H the hash of `hashing` under the tweaks g = 2e and
h = 2e + 1 of element e,

    T_G = H(a, g) ^ H(a ^ offset, g) ^ p_b offset         W_G = H(a, g) ^ p_a T_G
    T_E = H(b, h) ^ H(b ^ offset, h) ^ a                 W_E = H(b, h) ^ p_b (T_E ^ a)

and W_G ^ W_E is the zero label of a & b; with active labels and colours instead of a, b, p_a, p_b,
the same right-hand formulas give the active one.

One circuit is garbled for all elements at once, gate by gate, in whole arrays. Every gate of every
call has a hash key of its own, so tweaks need not tell gates apart. Labels of a word are arrays
(width, n, 2) of uint64, lowest bit first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from cryptography.hazmat.primitives.ciphers import CipherContext
from numpy.typing import NDArray

from ppmf_secure.arrays import Words
from ppmf_secure.primitives.circuits.label_slots import Schedule, schedule
from ppmf_secure.primitives.circuits.netlist import CONSTANT_ONE, CONSTANT_ZERO, Circuit, Kind
from ppmf_secure.primitives.hashing import MAX_CALLS, TweakedHash

CipherOfGate = Callable[[int], CipherContext]

MAX_ELEMENTS = MAX_CALLS // 4
"""Elements of one call: the garbler hashes four labels an element under one gate's key."""


class Garbler:
    """Garbles a circuit under the free-XOR offset (2,), the lowest bit of offset[0] being 1.

    Keeps its buffers between calls; not for use from two threads at once.
    """

    def __init__(self, circuit: Circuit, offset: Words) -> None:
        if offset.shape != (2,) or not offset[0] & np.uint64(1):
            raise ValueError("the offset has two words, and its lowest bit is 1")
        self._circuit = circuit
        self._offset = offset
        self._schedule = schedule(circuit)
        self._scratch: _GarblerScratch | None = None

    def garble(
        self, zero: Mapping[str, Words], cipher_of_gate: CipherOfGate
    ) -> tuple[Words, dict[str, Words]]:
        """The tables and the zero labels of the outputs, for n <= MAX_ELEMENTS elements.

        zero: the zero labels (width, n, 2) of each input word. cipher_of_gate: the hash key of the
        j-th AND gate; no two calls of a run, with or without the same offset, may share one.
        Returns tables (and_count, n, 2, 2): of each gate and element T_G, T_E; and the outputs'
        labels. A constant output has the active label 0, hence the zero label 0 or offset
        (PPMF-GCB-001, -003).
        """
        n = _elements(self._circuit, zero)
        if self._scratch is None or self._scratch.elements != n:
            self._scratch = _GarblerScratch(self._offset, n, self._schedule.slots)
        scratch = self._scratch
        labels = _inputs(self._circuit, zero) + list(scratch.slots)
        tables = np.empty((self._circuit.and_count, n, 2, 2), dtype=np.uint64)
        number = 0
        for gate in self._schedule.gates:
            left, right, out = labels[gate.left], labels[gate.right], labels[gate.out]
            match gate.kind:
                case Kind.XOR:
                    np.bitwise_xor(left, right, out=out)
                case Kind.NOT:
                    np.bitwise_xor(left, scratch.offset, out=out)
                case Kind.AND:
                    scratch.and_(left, right, cipher_of_gate(number), tables[number], out)
                    number += 1
        return tables, _outputs(self._schedule, labels, self._offset)


class Evaluator:
    """Evaluates a garbled circuit on active labels. Keeps its buffers between calls."""

    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit
        self._schedule = schedule(circuit)
        self._scratch: _EvaluatorScratch | None = None

    def evaluate(
        self, active: Mapping[str, Words], tables: Words, cipher_of_gate: CipherOfGate
    ) -> dict[str, Words]:
        """The active labels of the outputs, from those of the inputs and the garbler's tables.

        Shapes and keys are those of `Garbler.garble`. Wrong tables give wrong labels, unnoticed:
        the parties are honest (PPMF-GCB-001).
        """
        n = _elements(self._circuit, active)
        if tables.shape != (self._circuit.and_count, n, 2, 2):
            raise ValueError(f"tables of shape {tables.shape} for {n} elements")
        if self._scratch is None or self._scratch.elements != n:
            self._scratch = _EvaluatorScratch(n, self._schedule.slots)
        scratch = self._scratch
        labels = _inputs(self._circuit, active) + list(scratch.slots)
        number = 0
        for gate in self._schedule.gates:
            left, right, out = labels[gate.left], labels[gate.right], labels[gate.out]
            match gate.kind:
                case Kind.XOR:
                    np.bitwise_xor(left, right, out=out)
                case Kind.NOT:
                    out[:] = left
                case Kind.AND:
                    scratch.and_(left, right, cipher_of_gate(number), tables[number], out)
                    number += 1
        return _outputs(self._schedule, labels, np.zeros(2, dtype=np.uint64))


class _GarblerScratch:
    """The garbler's buffers for n elements, and its AND gate."""

    def __init__(self, offset: Words, elements: int, slots: int) -> None:
        self.elements = elements
        self.slots = np.empty((slots, elements, 2), dtype=np.uint64)
        self.offset = np.tile(offset, (elements, 1))
        first = 2 * np.arange(elements, dtype=np.uint64)
        self._hash = TweakedHash(np.concatenate([first, first, first + 1, first + 1]))
        self._mask_a, self._mask_b, self._table = np.empty((3, elements, 2), dtype=np.uint64)

    def and_(self, a: Words, b: Words, cipher: CipherContext, tables: Words, out: Words) -> None:
        """T_G, T_E to tables (n, 2, 2), the zero label to out (n, 2); the module's formulas
        (PPMF-GCB-002).
        """
        blocks = self._hash.blocks.reshape(4, self.elements, 2)
        blocks[0], blocks[2] = a, b
        np.bitwise_xor(a, self.offset, out=blocks[1])
        np.bitwise_xor(b, self.offset, out=blocks[3])
        a0, a1, b0, b1 = self._hash(cipher).reshape(4, self.elements, 2)
        mask_a, mask_b, table, halves = self._mask_a, self._mask_b, self._table, _items(tables)
        _colour_mask(a, mask_a)
        _colour_mask(b, mask_b)

        np.bitwise_xor(a0, a1, out=a1)
        np.bitwise_and(mask_b, self.offset, out=table)
        np.bitwise_xor(table, a1, out=table)
        halves[:, 0] = _items(table)
        np.bitwise_and(table, mask_a, out=table)
        np.bitwise_xor(a0, table, out=out)

        np.bitwise_xor(b0, b1, out=b1)
        np.bitwise_xor(b1, a, out=table)
        halves[:, 1] = _items(table)
        np.bitwise_and(b1, mask_b, out=b1)
        np.bitwise_xor(out, b0, out=out)
        np.bitwise_xor(out, b1, out=out)


class _EvaluatorScratch:
    """The evaluator's buffers for n elements, and its AND gate."""

    def __init__(self, elements: int, slots: int) -> None:
        self.elements = elements
        self.slots = np.empty((slots, elements, 2), dtype=np.uint64)
        first = 2 * np.arange(elements, dtype=np.uint64)
        self._hash = TweakedHash(np.concatenate([first, first + 1]))
        self._mask, self._table = np.empty((2, elements, 2), dtype=np.uint64)

    def and_(self, a: Words, b: Words, cipher: CipherContext, tables: Words, out: Words) -> None:
        """The active label to out (n, 2), from active labels a, b and tables (n, 2, 2)
        (PPMF-GCB-002).
        """
        blocks = self._hash.blocks.reshape(2, self.elements, 2)
        blocks[0], blocks[1] = a, b
        hash_a, hash_b = self._hash(cipher).reshape(2, self.elements, 2)
        mask, table, halves = self._mask, self._table, _items(tables)

        _items(table)[:] = halves[:, 0]
        _colour_mask(a, mask)
        np.bitwise_and(table, mask, out=table)
        np.bitwise_xor(hash_a, table, out=out)

        _items(table)[:] = halves[:, 1]
        np.bitwise_xor(table, a, out=table)
        _colour_mask(b, mask)
        np.bitwise_and(table, mask, out=table)
        np.bitwise_xor(out, hash_b, out=out)
        np.bitwise_xor(out, table, out=out)


def _elements(circuit: Circuit, labels: Mapping[str, Words]) -> int:
    """The common number of elements of the input labels, whose shapes it checks."""
    n = int(next(iter(labels.values())).shape[1])
    shapes = {name: word.shape for name, word in labels.items()}
    if shapes != {name: (width, n, 2) for name, width in circuit.inputs.items()}:
        raise ValueError(f"labels of shapes {shapes} for input words {dict(circuit.inputs)}")
    if n > MAX_ELEMENTS:
        raise ValueError(f"{n} elements in one call: at most {MAX_ELEMENTS}")
    return n


def _inputs(circuit: Circuit, labels: Mapping[str, Words]) -> list[Words]:
    """The labels (n, 2) of each input wire, in order; they are only read."""
    return [wire for name in circuit.inputs for wire in labels[name]]


def _outputs(schedule: Schedule, labels: list[Words], one: Words) -> dict[str, Words]:
    """Copies of the output words' labels; those of a constant 0 are zero, of a constant 1 `one`."""
    n = labels[0].shape[0]
    constants = {
        CONSTANT_ZERO: np.zeros((n, 2), dtype=np.uint64),
        CONSTANT_ONE: np.tile(one, (n, 1)),
    }
    return {
        name: np.stack([constants[place] if place < 0 else labels[place] for place in word])
        for name, word in schedule.outputs.items()
    }


def _colour_mask(labels: Words, out: Words) -> None:
    """All ones in both words where a label's lowest bit is 1, zeros elsewhere."""
    low = out[:, 0]
    np.bitwise_and(labels[:, 0], np.uint64(1), out=low)
    np.negative(low, out=low)
    out[:, 1] = low


def _items(labels: Words) -> NDArray[np.complex128]:
    """Labels (..., 2) as one item of 16 bytes each, which numpy copies fast at a stride.

    Nothing is ever computed with the complex numbers: a copy keeps all bits.
    """
    return labels.view(np.complex128)[..., 0]
