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

import numpy as np

from ppmf_secure.arrays import Labels, Words
from ppmf_secure.effects import Program, Send, receive
from ppmf_secure.primitives.circuits.half_gates import BATCH, CipherOfBatch, Evaluator, Garbler
from ppmf_secure.primitives.circuits.netlist import Circuit
from ppmf_secure.primitives.circuits.wire_labels import (
    choice_keys,
    colours,
    permute_bits,
    public_inputs,
    public_labels,
)
from ppmf_secure.primitives.shares import (
    SharedWords,
    chunks,
    to_bits,
    view_as_bytes,
    words_from_bytes,
)
from ppmf_secure.protocols.transfers import Site, Transfers, choose_transfers, send_transfers
from ppmf_spec.wire import GarbledTables

GARBLER_INPUT = "share0"
EVALUATOR_INPUT = "share1"

WordLabels = Mapping[str, Labels]
"""The labels (width, n, 2) of words: zero labels at the garbler, active ones at the evaluator."""


def run_circuit(
    transfers: Transfers, circuit: Circuit, share: Words, labels: WordLabels, site: Site
) -> Program[WordLabels]:
    """The labels of the output words of a circuit, for n elements at once (PPMF-GCB-007).

    The evaluator sends all that it has to send before it waits.

    share (n,): this server's arithmetic shares, which are reduced to the width of the inputs.
    labels: the input words whose labels exist already: the thresholds, from another circuit.
    """
    run = _garble if transfers.garbles else _evaluate
    outputs = yield from run(transfers, circuit, share, labels, site)
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
    transfers: Transfers, circuit: Circuit, share: Words, labels: WordLabels, site: Site
) -> Program[Sequence[WordLabels]]:
    garbler = Garbler(circuit, transfers.offset)
    width = circuit.inputs[GARBLER_INPUT]
    outputs: list[WordLabels] = []
    for number, part in enumerate(chunks(share.size)):
        here = site.within(number)
        bits = to_bits(share[part], width)
        cipher = transfers.keys.cipher(f"{site.purpose}/garbler-inputs", *here.indices)
        zero = {name: word[:, part] for name, word in labels.items()}
        zero[GARBLER_INPUT] = public_inputs(cipher, bits, transfers.offset)
        ciphers = _batch_ciphers(transfers, circuit, bits.shape[1], here)
        zero[EVALUATOR_INPUT] = yield from send_transfers(transfers, *bits.shape)
        tables, out = garbler.garble(zero, ciphers)
        yield Send(transfers.peer, GarbledTables(view_as_bytes(tables)))
        outputs.append(out)
    return outputs


def _evaluate(
    transfers: Transfers, circuit: Circuit, share: Words, labels: WordLabels, site: Site
) -> Program[Sequence[WordLabels]]:
    evaluator = Evaluator(circuit)
    width = circuit.inputs[EVALUATOR_INPUT]
    parts = list(chunks(share.size))
    chosen = []
    for part in parts:
        keys = yield from choose_transfers(transfers, to_bits(share[part], width))
        chosen.append(keys)
    outputs: list[WordLabels] = []
    for number, part in enumerate(parts):
        here = site.within(number)
        cipher = transfers.keys.cipher(f"{site.purpose}/garbler-inputs", *here.indices)
        active = {name: word[:, part] for name, word in labels.items()}
        active[EVALUATOR_INPUT] = chosen[number]
        active[GARBLER_INPUT] = public_labels(cipher, width, part.stop - part.start)
        ciphers = _batch_ciphers(transfers, circuit, part.stop - part.start, here)
        message = yield from receive(transfers.peer, GarbledTables)
        shape = (circuit.and_count, part.stop - part.start, 2, 2)
        tables = words_from_bytes(message.tables, shape, "garbled tables")
        outputs.append(evaluator.evaluate(active, tables, ciphers))
    return outputs


def _batch_ciphers(
    transfers: Transfers, circuit: Circuit, elements: int, site: Site
) -> CipherOfBatch:
    """The permutations of the AND gates of one chunk, each batch under a key of its own.

    All are made at once, as long as there is a message to wait for.
    """
    purpose, indices = f"{site.purpose}/gates", site.indices
    made = {
        (gate, batch): transfers.keys.cipher(purpose, *indices, gate, batch)
        for gate in range(circuit.and_count)
        for batch in range(-(-elements // BATCH))
    }
    return lambda gate, batch: made[gate, batch]
