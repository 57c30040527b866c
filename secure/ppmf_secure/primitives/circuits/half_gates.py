# SPDX-License-Identifier: GPL-3.0-or-later
"""Garbled circuits: half gates, free XOR, point-and-permute (chapter 4, "Garbled circuits").

Each wire has two labels of 128 bits, L0 for the value 0 and L1 = L0 ^ offset for 1. The offset is
secret and the same for all wires; its lowest bit is 1. The evaluator holds one label of each wire,
the *active* one, and cannot tell which of the two it is. `wire_labels` says what colours and
permute bits are.

XOR and NOT gates cost nothing. For an XOR gate labels are XORed; for a NOT gate the garbler XORs
the zero label with the offset, and the evaluator does nothing. An AND gate is two half gates of one
ciphertext each (Zahur, Rosulek and Evans, "Two halves make a whole", EUROCRYPT 2015). With a, b the
zero labels, p_a, p_b their permute bits, and H the hash of `hashing` under the tweaks g = 2e and
h = 2e + 1 of element e,

    T_G = H(a, g) ^ H(a ^ offset, g) ^ p_b offset       W_G = H(a, g) ^ p_a T_G
    T_E = H(b, h) ^ H(b ^ offset, h) ^ a                W_E = H(b, h) ^ p_b (T_E ^ a)

and W_G ^ W_E is the zero label of a & b. With active labels and colours in the place of a, b, p_a,
p_b, the formulas on the right give the active label.

The evaluator lacks one label of every wire. Each table contains a hash of it, which looks uniform
if the hash is tweakable circular correlation robust (`hashing`; chapter 6, "The proof", game G_6).

One circuit is garbled for all elements at once, gate by gate, in operations on whole arrays. Every
AND gate of every call has hash keys of its own, one for every `BATCH` elements, so tweaks need not
tell gates apart. The labels of a word are an array (width, n, 2), the lowest bit first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from cryptography.hazmat.primitives.ciphers import CipherContext

from ppmf_secure.arrays import Labels, items
from ppmf_secure.primitives.circuits.label_slots import Schedule, schedule
from ppmf_secure.primitives.circuits.netlist import CONSTANT_ONE, CONSTANT_ZERO, Circuit, Kind
from ppmf_secure.primitives.hashing import MAX_CALLS, TweakedHash

CipherOfBatch = Callable[[int, int], CipherContext]
"""The permutation of a batch, from the numbers of an AND gate and of a batch of elements."""

BATCH = MAX_CALLS // 4
"""The elements of a batch: the garbler hashes four labels of each under one key (PPMF-GCB-011)."""


class Garbler:
    """The garbler of a circuit, under an offset (2,) whose lowest bit is 1.

    It keeps its buffers between calls, so two threads must not use one garbler at once.
    """

    def __init__(self, circuit: Circuit, offset: Labels) -> None:
        if offset.shape != (2,) or not offset[0] & np.uint64(1):
            raise ValueError("the offset has two words, and its lowest bit is 1")
        self._circuit = circuit
        self._offset = offset
        self._schedule = schedule(circuit)
        self._scratch: _GarblerScratch | None = None

    def garble(
        self, zero: Mapping[str, Labels], cipher_of_batch: CipherOfBatch
    ) -> tuple[Labels, dict[str, Labels]]:
        """The tables and the zero labels of the outputs, for n elements.

        zero: for each input word its zero labels (width, n, 2).
        cipher_of_batch: the permutation of a batch of an AND gate. No two calls of a run may share
            one, whether or not they share the offset.
        Returns the tables (and_count, n, 2, 2), T_G and T_E for each gate and element, and the zero
        labels of each output word. A constant output has the active label 0, hence the zero label
        0 or the offset (PPMF-GCB-001, -003).
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
                    ciphers = [cipher_of_batch(number, batch) for batch in range(scratch.batches)]
                    scratch.and_(left, right, ciphers, tables[number], out)
                    number += 1
        return tables, _outputs(self._schedule, labels, self._offset)


class Evaluator:
    """The evaluator of a circuit. It keeps its buffers between calls, as the garbler does."""

    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit
        self._schedule = schedule(circuit)
        self._scratch: _EvaluatorScratch | None = None

    def evaluate(
        self, active: Mapping[str, Labels], tables: Labels, cipher_of_batch: CipherOfBatch
    ) -> dict[str, Labels]:
        """The active labels of the outputs, from those of the inputs and the garbler's tables.

        Shapes and permutations are those of `Garbler.garble`. Wrong tables give wrong labels and no
        error, since both parties are assumed to follow the protocol (PPMF-GCB-001).
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
                    ciphers = [cipher_of_batch(number, batch) for batch in range(scratch.batches)]
                    scratch.and_(left, right, ciphers, tables[number], out)
                    number += 1
        return _outputs(self._schedule, labels, np.zeros(2, dtype=np.uint64))


class _GarblerScratch:
    """The garbler's buffers for n elements, and its AND gate."""

    def __init__(self, offset: Labels, elements: int, slots: int) -> None:
        self.elements = elements
        self.slots = np.empty((slots, elements, 2), dtype=np.uint64)
        self.offset = np.tile(offset, (elements, 1))
        first = 2 * np.arange(elements, dtype=np.uint64)
        self._hash = TweakedHash(np.stack([first, first, first + 1, first + 1]), BATCH)
        self.batches = self._hash.batches
        self._mask_a, self._mask_b, self._table = np.empty((3, elements, 2), dtype=np.uint64)

    def and_(
        self, a: Labels, b: Labels, ciphers: Sequence[CipherContext], tables: Labels, out: Labels
    ) -> None:
        """Write T_G, T_E to tables (n, 2, 2) and the zero label to out (n, 2), by the formulas of
        the module (PPMF-GCB-011).
        """
        blocks = self._hash.blocks
        blocks[0], blocks[2] = a, b
        np.bitwise_xor(a, self.offset, out=blocks[1])
        np.bitwise_xor(b, self.offset, out=blocks[3])
        a0, a1, b0, b1 = self._hash(ciphers)
        mask_a, mask_b, table, halves = self._mask_a, self._mask_b, self._table, items(tables)
        _colour_mask(a, mask_a)
        _colour_mask(b, mask_b)

        np.bitwise_xor(a0, a1, out=a1)
        np.bitwise_and(mask_b, self.offset, out=table)
        np.bitwise_xor(table, a1, out=table)
        halves[:, 0] = items(table)
        np.bitwise_and(table, mask_a, out=table)
        np.bitwise_xor(a0, table, out=out)

        np.bitwise_xor(b0, b1, out=b1)
        np.bitwise_xor(b1, a, out=table)
        halves[:, 1] = items(table)
        np.bitwise_and(b1, mask_b, out=b1)
        np.bitwise_xor(out, b0, out=out)
        np.bitwise_xor(out, b1, out=out)


class _EvaluatorScratch:
    """The evaluator's buffers for n elements, and its AND gate."""

    def __init__(self, elements: int, slots: int) -> None:
        self.elements = elements
        self.slots = np.empty((slots, elements, 2), dtype=np.uint64)
        first = 2 * np.arange(elements, dtype=np.uint64)
        self._hash = TweakedHash(np.stack([first, first + 1]), BATCH)
        self.batches = self._hash.batches
        self._mask, self._table = np.empty((2, elements, 2), dtype=np.uint64)

    def and_(
        self, a: Labels, b: Labels, ciphers: Sequence[CipherContext], tables: Labels, out: Labels
    ) -> None:
        """Write the active label to out (n, 2), from active labels a, b and tables (n, 2, 2)
        (PPMF-GCB-011).
        """
        blocks = self._hash.blocks
        blocks[0], blocks[1] = a, b
        hash_a, hash_b = self._hash(ciphers)
        mask, table, halves = self._mask, self._table, items(tables)

        items(table)[:] = halves[:, 0]
        _colour_mask(a, mask)
        np.bitwise_and(table, mask, out=table)
        np.bitwise_xor(hash_a, table, out=out)

        items(table)[:] = halves[:, 1]
        np.bitwise_xor(table, a, out=table)
        _colour_mask(b, mask)
        np.bitwise_and(table, mask, out=table)
        np.bitwise_xor(out, hash_b, out=out)
        np.bitwise_xor(out, table, out=out)


def _elements(circuit: Circuit, labels: Mapping[str, Labels]) -> int:
    """The number of elements of the input labels, once their shapes are checked."""
    n = int(next(iter(labels.values())).shape[1])
    shapes = {name: word.shape for name, word in labels.items()}
    if shapes != {name: (width, n, 2) for name, width in circuit.inputs.items()}:
        raise ValueError(f"labels of shapes {shapes} for input words {dict(circuit.inputs)}")
    return n


def _inputs(circuit: Circuit, labels: Mapping[str, Labels]) -> list[Labels]:
    """The labels (n, 2) of each input wire, in order. They are read only."""
    return [wire for name in circuit.inputs for wire in labels[name]]


def _outputs(schedule: Schedule, labels: list[Labels], one: Labels) -> dict[str, Labels]:
    """Copies of the output words' labels: zeros for a constant 0, `one` for a constant 1."""
    n = labels[0].shape[0]
    constants = {
        CONSTANT_ZERO: np.zeros((n, 2), dtype=np.uint64),
        CONSTANT_ONE: np.tile(one, (n, 1)),
    }
    return {
        name: np.stack([constants[place] if place < 0 else labels[place] for place in word])
        for name, word in schedule.outputs.items()
    }


def _colour_mask(labels: Labels, out: Labels) -> None:
    """Write all ones to `out` where a label's lowest bit is 1, zeros elsewhere."""
    low = out[:, 0]
    np.bitwise_and(labels[:, 0], np.uint64(1), out=low)
    np.negative(low, out=low)
    out[:, 1] = low
