# SPDX-License-Identifier: GPL-3.0-or-later
"""Two arithmetic shares go into a garbled circuit, XOR-shared words come out (PPMF-GCB-005, -006).

The circuit adds the shares first, so no arithmetic share is ever opened. Chunks of
`shares.CHUNK` elements stream: the evaluator's transfers go out, tables come back, and neither side
holds the tables of more than one chunk. (Chapter 4, "Garbled circuits".)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from cryptography.hazmat.primitives.ciphers import CipherContext

from ppmf_secure.arrays import Labels, Words
from ppmf_secure.effects import Program, Send, receive
from ppmf_secure.primitives.circuits.half_gates import Evaluator, Garbler
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
    words_from_bytes,
    words_to_bytes,
)
from ppmf_secure.protocols.transfers import Site, Transfers, choose_transfers, send_transfers
from ppmf_spec.wire import GarbledTables

GARBLER_INPUT = "share0"
EVALUATOR_INPUT = "share1"

WordLabels = Mapping[str, Labels]
"""WordLabels by word, (width, n, 2): of value 0 at the garbler, active ones at the evaluator."""


def run_circuit(
    transfers: Transfers, circuit: Circuit, share: Words, labels: WordLabels, site: Site
) -> Program[WordLabels]:
    """Run `circuit` on n elements at once (PPMF-GCB-007).

    share (n,): this server's arithmetic share, reduced to the circuit's input width.
    labels: input words that are labels already (thresholds from another circuit), (width, n, 2).
    Returns the labels of the output words.
    """
    work = _garble if transfers.garbles else _evaluate
    chunks = yield from work(transfers, circuit, share, labels, site)
    return {
        name: np.concatenate([chunk[name] for chunk in chunks], axis=1) for name in circuit.outputs
    }


def share_outputs(transfers: Transfers, labels: Labels) -> Program[SharedWords]:
    """The XOR sharing that output labels (width, n, 2) are, with both directions' transfers.

    The garbler's bits are the permute bits, the evaluator's the colours. From garbler to evaluator
    the label itself is the transfer (the colour the choice); the other way an extension makes one
    (PPMF-GCB-008, -009).
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
        zero[EVALUATOR_INPUT] = yield from send_transfers(transfers, *bits.shape)
        tables, out = garbler.garble(zero, _gate_ciphers(transfers, here))
        yield Send(transfers.peer, GarbledTables(words_to_bytes(tables)))
        outputs.append(out)
    return outputs


def _evaluate(
    transfers: Transfers, circuit: Circuit, share: Words, labels: WordLabels, site: Site
) -> Program[Sequence[WordLabels]]:
    evaluator = Evaluator(circuit)
    width = circuit.inputs[EVALUATOR_INPUT]
    parts = list(chunks(share.size))
    mine = []
    for part in parts:
        keys = yield from choose_transfers(transfers, to_bits(share[part], width))
        mine.append(keys)
    outputs: list[WordLabels] = []
    for number, part in enumerate(parts):
        here = site.within(number)
        cipher = transfers.keys.cipher(f"{site.purpose}/garbler-inputs", *here.indices)
        active = {name: word[:, part] for name, word in labels.items()}
        active[EVALUATOR_INPUT] = mine[number]
        active[GARBLER_INPUT] = public_labels(cipher, width, part.stop - part.start)
        message = yield from receive(transfers.peer, GarbledTables)
        shape = (circuit.and_count, part.stop - part.start, 2, 2)
        tables = words_from_bytes(message.tables, shape, "garbled tables")
        outputs.append(evaluator.evaluate(active, tables, _gate_ciphers(transfers, here)))
    return outputs


def _gate_ciphers(transfers: Transfers, site: Site) -> Callable[[int], CipherContext]:
    """A batch key for each gate of one chunk."""
    return lambda gate: transfers.keys.cipher(f"{site.purpose}/gates", *site.indices, gate)
