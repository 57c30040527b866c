# SPDX-License-Identifier: GPL-3.0-or-later
"""Garbled circuits on shares (chapter 4, "Garbled circuits").

Two arithmetic shares of a number go into a circuit, and Boolean-shared words come out
(PPMF-GCB-005, -006). The circuit begins by adding the shares, so that the number is not opened on
the way. Elements go in chunks of `shares.CHUNK`: the evaluator sends the transfers of its inputs,
the garbler answers with tables. The evaluator holds those of one chunk; the garbler holds what a
slow line has not taken yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from cryptography.hazmat.primitives.ciphers import CipherContext

from ppmf_secure.arrays import Bits, Bytes, Labels, Words
from ppmf_secure.effects import Program, Send, finished, receive
from ppmf_secure.primitives.circuits.half_gates import BATCH, CipherOfBatch, Evaluator, Garbler
from ppmf_secure.primitives.circuits.netlist import Circuit
from ppmf_secure.primitives.circuits.wire_labels import (
    choice_keys,
    colours,
    permute_bits,
    public_inputs,
    public_labels,
)
from ppmf_secure.primitives.hashing import BatchKeys
from ppmf_secure.primitives.shares import (
    SharedWords,
    chunks,
    to_bits,
    view_as_bytes,
    words_from_bytes,
)
from ppmf_secure.primitives.transfer_extension import check_columns
from ppmf_secure.primitives.workers import Call, Workers
from ppmf_secure.protocols.ranges import by_ranges
from ppmf_secure.protocols.transfers import Site, Transfers, choose_transfers, send_transfers
from ppmf_spec.wire import GarbledTables, TransferColumns

GARBLER_INPUT = "share0"
EVALUATOR_INPUT = "share1"

_DIVIDED = 2
"""The chunks from which on workers are worth asking, each for one."""

WordLabels = Mapping[str, Labels]
"""The labels (width, n, 2) of words: zero labels at the garbler, active ones at the evaluator."""


@dataclass(frozen=True, slots=True, repr=False)
class Piece:
    """What a server brings to a circuit for the n elements of a chunk.

    site: the chunk's. bits (width, n): of its shares. labels: the input words whose labels exist.
    """

    circuit: Circuit
    site: Site
    bits: Bits
    labels: WordLabels

    @property
    def count(self) -> int:
        """The number of elements."""
        return int(self.bits.shape[1])

    def tables_shape(self) -> tuple[int, int, int, int]:
        """The shape of the tables of the chunk."""
        return self.circuit.and_count, self.count, 2, 2

    def input_cipher(self, keys: BatchKeys) -> CipherContext:
        """The permutation of the garbler's input labels."""
        return keys.cipher(f"{self.site.purpose}/garbler-inputs", *self.site.indices)

    def ciphers(self, keys: BatchKeys) -> CipherOfBatch:
        """The permutations of the AND gates, each batch under a key of its own.

        All are made at once, as long as there is a message to wait for.
        """
        purpose, indices = f"{self.site.purpose}/gates", self.site.indices
        made = {
            (gate, batch): keys.cipher(purpose, *indices, gate, batch)
            for gate in range(self.circuit.and_count)
            for batch in range(-(-self.count // BATCH))
        }
        return lambda gate, batch: made[gate, batch]


def run_circuit(
    transfers: Transfers, circuit: Circuit, share: Words, labels: WordLabels, site: Site
) -> Program[WordLabels]:
    """The labels of the output words of a circuit, for n elements at once (PPMF-GCB-007).

    The evaluator sends all that it has to send before it waits.

    share (n,): this server's arithmetic shares, which are reduced to the width of the inputs.
    labels: the input words whose labels exist already: the thresholds, from another circuit.
    """
    own_input = GARBLER_INPUT if transfers.garbles else EVALUATOR_INPUT
    width = circuit.inputs[own_input]
    pieces = [
        Piece(
            circuit,
            site.within(number),
            to_bits(share[part], width),
            {name: word[:, part] for name, word in labels.items()},
        )
        for number, part in enumerate(chunks(share.size))
    ]
    workers = transfers.workers if len(pieces) >= _DIVIDED else None
    if workers is None:
        run = _garble if transfers.garbles else _evaluate
        outputs = yield from run(transfers, circuit, pieces)
    else:
        run_by = _garble_by if transfers.garbles else _evaluate_by
        outputs = yield from run_by(workers, transfers, pieces)
    return {
        name: np.concatenate([chunk[name] for chunk in outputs], axis=1) for name in circuit.outputs
    }


def share_outputs(transfers: Transfers, labels: Labels) -> Program[SharedWords]:
    """The Boolean sharing in output labels (width, n, 2), with the transfers of both directions.

    The garbler's bits are the permute bits, the evaluator's are the colours. In the transfers in
    which the garbler sends, the labels are the keys and the colours the choices; those in which the
    evaluator sends are made by an extension (PPMF-GCB-008, -009).
    """
    if transfers.garbles:
        bits = permute_bits(labels)
        chosen = yield from choose_transfers(transfers, bits)
        return SharedWords(bits, choice_keys(labels, transfers.offset), chosen, transfers.offset)
    sent = yield from send_transfers(transfers, *labels.shape[:2])
    return SharedWords(colours(labels), sent, labels, transfers.offset)


def _garble(
    transfers: Transfers, circuit: Circuit, pieces: Sequence[Piece]
) -> Program[Sequence[WordLabels]]:
    garbler = Garbler(circuit, transfers.offset)
    outputs: list[WordLabels] = []
    for piece in pieces:
        zero, ciphers = _before_columns(transfers, piece)
        zero[EVALUATOR_INPUT] = yield from send_transfers(transfers, *piece.bits.shape)
        tables, out = garbler.garble(zero, ciphers)
        yield Send(transfers.peer, GarbledTables(view_as_bytes(tables)))
        outputs.append(out)
    return outputs


def _evaluate(
    transfers: Transfers, circuit: Circuit, pieces: Sequence[Piece]
) -> Program[Sequence[WordLabels]]:
    evaluator = Evaluator(circuit)
    chosen = []
    for piece in pieces:
        keys = yield from choose_transfers(transfers, piece.bits)
        chosen.append(keys)
    outputs: list[WordLabels] = []
    for piece, keys in zip(pieces, chosen, strict=True):
        active, ciphers = _before_tables(transfers, piece, keys)
        message = yield from receive(transfers.peer, GarbledTables)
        tables = words_from_bytes(message.tables, piece.tables_shape(), "garbled tables")
        outputs.append(evaluator.evaluate(active, tables, ciphers))
    return outputs


def _garble_by(
    workers: Workers, transfers: Transfers, pieces: Sequence[Piece]
) -> Program[Sequence[WordLabels]]:
    """The same by workers: one garbles a chunk, from the columns as they came."""
    outputs: list[WordLabels] = []

    def question(piece: Piece) -> Program[Call]:
        message = yield from receive(transfers.peer, TransferColumns)
        check_columns(message.columns, piece.bits.size)
        columns = np.frombuffer(message.columns, dtype=np.uint8)
        return Call(garbled, (transfers.part(sent=[piece.bits.size]), piece, columns))

    def deliver(_: Piece, answer: tuple[Labels, WordLabels]) -> Program[None]:
        tables, out = answer
        yield Send(transfers.peer, GarbledTables(view_as_bytes(tables)))
        outputs.append(out)

    yield from by_ranges(workers, pieces, question, deliver, under_way=workers.count + 1)
    return outputs


def _evaluate_by(
    workers: Workers, transfers: Transfers, pieces: Sequence[Piece]
) -> Program[Sequence[WordLabels]]:
    """The same by workers: one makes the columns of a chunk; one evaluates it, and makes the chosen
    keys for that, so that they need not travel.
    """
    outputs: list[WordLabels] = []
    parts = [(transfers.part(chosen=[piece.bits.size]), piece) for piece in pieces]

    def choose(part: tuple[Transfers, Piece]) -> Program[Call]:
        ends, piece = part
        return finished(Call(columns_of, (ends, piece.bits)))

    def send(_: tuple[Transfers, Piece], columns: Bytes) -> Program[None]:
        yield Send(transfers.peer, TransferColumns(columns.data))

    def evaluate(part: tuple[Transfers, Piece]) -> Program[Call]:
        ends, piece = part
        message = yield from receive(transfers.peer, GarbledTables)
        tables = words_from_bytes(message.tables, piece.tables_shape(), "garbled tables")
        return Call(evaluated, (ends, piece, tables))

    def keep(_: tuple[Transfers, Piece], labels: WordLabels) -> Program[None]:
        outputs.append(labels)
        return finished(None)

    yield from by_ranges(workers, parts, choose, send, under_way=workers.count + 1)
    yield from by_ranges(workers, parts, evaluate, keep, under_way=workers.count + 1)
    return outputs


def garbled(transfers: Transfers, piece: Piece, columns: Bytes) -> tuple[Labels, WordLabels]:
    """The tables of a chunk and the zero labels of its outputs, made by a worker, from the columns
    of the evaluator's transfers (PPMF-WRK-003).
    """
    zero, ciphers = _before_columns(transfers, piece)
    keys = transfers.sender.here().extend(columns.data, piece.bits.size)
    zero[EVALUATOR_INPUT] = keys.reshape(*piece.bits.shape, 2)
    return Garbler(piece.circuit, transfers.offset).garble(zero, ciphers)


def columns_of(transfers: Transfers, bits: Bits) -> Bytes:
    """The columns of the transfers that these bits choose in, made by a worker."""
    return np.frombuffer(transfers.chooser.here().columns(bits.ravel()), dtype=np.uint8)


def evaluated(transfers: Transfers, piece: Piece, tables: Labels) -> WordLabels:
    """The active labels of the outputs of a chunk, made by a worker, with the keys that its bits
    chose.
    """
    keys = transfers.chooser.here().keys(piece.bits.size)
    active, ciphers = _before_tables(transfers, piece, keys.reshape(*piece.bits.shape, 2))
    return Evaluator(piece.circuit).evaluate(active, tables, ciphers)


def _before_columns(transfers: Transfers, piece: Piece) -> tuple[dict[str, Labels], CipherOfBatch]:
    """What the garbler can make before the evaluator's columns come: the other zero labels of the
    inputs, and the permutations.
    """
    own = public_inputs(piece.input_cipher(transfers.keys), piece.bits, transfers.offset)
    return {**piece.labels, GARBLER_INPUT: own}, piece.ciphers(transfers.keys)


def _before_tables(
    transfers: Transfers, piece: Piece, chosen: Labels
) -> tuple[dict[str, Labels], CipherOfBatch]:
    """What the evaluator can make before the tables come: the active labels of the inputs, and the
    permutations.
    """
    theirs = public_labels(piece.input_cipher(transfers.keys), *piece.bits.shape)
    inputs = {**piece.labels, GARBLER_INPUT: theirs, EVALUATOR_INPUT: chosen}
    return inputs, piece.ciphers(transfers.keys)
