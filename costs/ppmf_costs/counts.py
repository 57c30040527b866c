# SPDX-License-Identifier: Apache-2.0
"""The counts of a run: the bytes and the work of each phase, from public sizes alone.

The messages and their bytes are those of `ppmf_secure.protocols.message_plan`. For each of its
operations the work of a server is counted, in these units, whose costs `unit_costs` holds:

    starts          runs: processes started
    setups          set-ups: keys made, base transfers done
    opens           sealed seeds opened by CSP
    seals           sealed seeds made by users
    masked_bytes    bytes of the users' masked bits
    planes          bits of the entries of the ratings that are converted, plane by plane
    he_rows         bytes that the peer keeps of encrypted rows
    compact_rows    the same bytes, of a matrix that is kept compactly, which costs more
    he_tables       the same bytes, of which products prepare tables once
    first_products  runs that multiply, which prepare something whatever the size
    he_terms        terms of the sums of an answer: powers, or products of residues
    compact_terms   the same, with a matrix that is kept compactly, which costs more
    he_answers      bytes of answers, made and decrypted
    mac_words       multiply-adds of ring elements in local products
    pads            ring elements of bit times vector, by bit
    batches         array operations of bit times vector, by bit and chunk
    transfers       extended transfers
    gates           AND gates garbled and evaluated, by element
    gate_calls      array operations of circuits, by gate and chunk
    hash_keys       batch keys of the hash, in circuits and bit times vector
    messages        messages

Beside them stand what the line between the servers carries and waits for, which `network` turns
into seconds: `link`, `rounds`, `windows`.

The phase "memory" counts what a server holds at one time: starts (1), he_rows, word_bits, which are
the bits of the model's words, and rating_words, the ring elements of its shares of the ratings.
"""

from __future__ import annotations

from math import prod

from ppmf_costs.tally import Tally
from ppmf_secure.primitives.circuits.half_gates import BATCH
from ppmf_secure.primitives.shares import chunk_sizes
from ppmf_secure.protocols import bit_products, conversion, ratings_product
from ppmf_secure.protocols.bit_products import rows_of_a_batch
from ppmf_secure.protocols.half_step import proximal
from ppmf_secure.protocols.message_plan import MessagePlan
from ppmf_secure.protocols.operations import (
    BOTH_WAYS,
    ConvertBits,
    GiveEncryptedRows,
    MultiplyBits,
    MultiplyRatings,
    OpenOutput,
    Operation,
    PublicSize,
    RunBaseTransfers,
    RunCircuit,
    ShareOutputs,
    TakeUploads,
)
from ppmf_secure.protocols.step_sizes import factor_rule
from ppmf_secure.session.cipher_suites import CipherSuite
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, Side

__all__ = ["MEMORY", "PHASES", "PublicSize", "count_run"]

PHASES = ("start", "upload", "set-up", "products", "steps", "updates", "output")
"""The phases for which seconds are estimated; the servers' phase "keys" is part of "start"."""

MEMORY = "memory"

CONVERTED = 3
"""Workers take a third of the conversion off a server: the rest is to make and move columns."""


def count_run(params: Parameters, size: PublicSize, suite: CipherSuite) -> Tally:
    """The counts of a run of one epoch.

    Raises ParametersError if a run of this size would not be correct under these parameters or does
    not fit this cipher suite.
    """
    tally = Tally()
    walk = MessagePlan(params, size, suite)
    for operation in walk.operations():
        before = tally.sent.copy()
        for due, times in operation.counted().items():
            tally.send(operation.phase, due, times)
        busier = max(
            tally.sent[server, operation.phase] - before[server, operation.phase]
            for server in (RECSYS, CSP)
        )
        tally.link[operation.phase] += busier
        tally.windows[operation.phase] += _windows(operation)
        _work(tally, walk, operation)
        if _by_ranges(operation):
            # what comes goes to workers, and what they make goes to the peer
            tally.asked[operation.phase] += busier
            tally.given[operation.phase] += busier
    tally.rounds.update(_rounds(params))
    return tally


def _by_ranges(operation: Operation) -> bool:
    """Whether workers make an operation that is not of products, by ranges of its elements."""
    match operation:
        case ConvertBits():
            return True
        case RunCircuit(elements=elements):
            return sum(chunk_sizes(elements).values()) > 1
        case MultiplyBits(elements=elements, length=length, width=width):
            return 8 * width * elements * length >= 2 * bit_products.RANGE_BYTES
        case _:
            return False


def _windows(operation: Operation) -> float:
    """How often a server that is as far ahead as it may be waits for an answer."""
    match operation:
        case ConvertBits(entries=entries):
            return sum(chunk_sizes(entries).values()) / conversion.AHEAD
        case GiveEncryptedRows():
            messages = sum(operation.counted().values()) / len(BOTH_WAYS)
            return messages / (ratings_product.SENT_AHEAD + 1)
        case MultiplyBits(elements=elements, ways=ways) if len(ways) == len(BOTH_WAYS):
            return sum(chunk_sizes(elements).values()) / bit_products.AHEAD
        case _:
            return 0.0


def _rounds(params: Parameters) -> dict[str, float]:
    """The rounds of a run, by phase, as chapter 4 says them for each sub-protocol.

    A message that is not answered is half a round.
    """
    half_steps = 2 * params.iterations
    circuits = 1 if proximal(params) is None else 1 + params.bias
    inner_steps = half_steps * params.inner_steps
    made_once = factor_rule(params).made_once + params.bias
    return {
        "upload": 1.0,  # closing and admission
        # keys, base transfers, the end of the conversion, encrypted rows, steps made once
        "set-up": 0.5 + 1.0 + 0.5 + 1.0 + 2.0 * made_once,
        "products": 2.0 * (half_steps - 1),  # none for the public start
        # gradient, moves, circuits; the first inner step of each side has no gradient, behind whose
        # corrections the steps' columns would go
        "steps": 0.0 if factor_rule(params).made_once else 2.0,
        "updates": (2.0 + circuits) * inner_steps - 2.0,
        "output": 0.5,
    }


def _work(tally: Tally, walk: MessagePlan, operation: Operation) -> None:
    """Count the work of a server, and what it holds, for one operation."""
    phase, size = operation.phase, walk.size
    match operation:
        case TakeUploads():
            masked = size.users * operation.code.row_bytes(size.items)
            tally.do("start", starts=1)
            tally.do(phase, seals=size.users, opens=size.users, masked_bytes=masked)
        case ConvertBits(entries=entries, planes=planes):
            # plane 0 is multiplied in both directions, the others in one
            tally.do(
                phase,
                planes=(planes + 1) * entries,
                transfers=(planes + 1) * entries,
                hash_keys=(planes + 1) * sum(chunk_sizes(entries).values()),
            )
            tally.share(phase, planes=(planes + 1) * entries // CONVERTED)
            tally.do(MEMORY, rating_words=2 * entries)
        case GiveEncryptedRows(orientation=orientation):
            layout = orientation.layout
            stored = operation.scheme.stored_bytes(layout)
            compact = stored if operation.scheme.is_compact(layout) else 0
            tally.do(phase, he_rows=stored, compact_rows=compact)
            tally.do("products", he_tables=stored)
            tally.do(MEMORY, he_rows=stored)
            if operation.scheme.shared:
                tally.share(phase, he_rows=stored, compact_rows=compact)
                tally.share("products", he_tables=stored)
                count, each, last = operation.scheme.group_sizes(layout)
                # its share of the matrix for the encryption, and again for what is received
                rows = (count - 1) * each + last
                tally.asked[phase] += 16 * prod(layout.shape) + rows
                tally.given[phase] += rows
        case RunBaseTransfers():
            tally.do(phase, setups=1)
        case RunCircuit(circuit=circuit, elements=elements):
            gates = circuit.and_count * elements
            # RecSys evaluates those of the steps while CSP is in the updates already
            later = gates // 2 if phase == "steps" else 0
            of_phase = {
                "gates": gates - later,
                "gate_calls": circuit.and_count * sum(chunk_sizes(elements).values()),
                "hash_keys": circuit.and_count * _batches(elements, BATCH),
            }
            tally.do(phase, transfers=operation.input_bits * elements, **of_phase)
            if later:
                tally.do("updates", gates=later)
            if _by_ranges(operation):
                tally.share(phase, **of_phase)
                if later:
                    tally.share("updates", gates=later)
        case ShareOutputs(bits=bits):
            tally.do(phase, transfers=bits)
        case MultiplyBits(elements=elements, length=length, width=width, ways=ways):
            pads, calls = width * elements * length, width * sum(chunk_sizes(elements).values())
            keys = width * _batches(elements, rows_of_a_batch(length))
            both = len(ways)
            padded = {"pads": pads * both, "batches": calls * both, "hash_keys": keys * both}
            tally.do(phase, **padded)
            if _by_ranges(operation):
                tally.share(phase, **padded)
        case MultiplyRatings():
            _products(tally, walk, operation)
        case OpenOutput():
            tally.do("products", first_products=1)
            bits = walk.params.word_bits * walk.params.row_rank
            tally.do(MEMORY, starts=1, word_bits=bits * (size.users + size.items))


def _batches(elements: int, size: int) -> int:
    """The batches of so many elements at most into which the chunks of the elements fall."""
    return sum(-(-each // size) * times for each, times in chunk_sizes(elements).items())


def _products(tally: Tally, walk: MessagePlan, operation: MultiplyRatings) -> None:
    """Count the local products of the public start, or the homomorphic ones of a shared side."""
    layout, uses = operation.orientation.layout, operation.orientation.uses
    columns = sum(use.stop - use.start for use in uses)
    updated: Side = operation.orientation.packing
    if operation.public:
        tally.do(operation.phase, mac_words=columns * layout.rows * walk.rows(updated))
        return
    scheme = operation.scheme
    answer, terms = scheme.answer_bytes(layout, uses), scheme.answer_terms(layout, uses)
    compact = terms if scheme.is_compact(layout) else 0
    tally.do(operation.phase, he_terms=terms, compact_terms=compact, he_answers=answer)
    if scheme.shared:
        tally.share(operation.phase, he_terms=terms, compact_terms=compact)
        rows = max(use.stop for use in uses) - min(use.start for use in uses)
        tally.asked[operation.phase] += 8 * rows * layout.rows
        tally.answered[operation.phase] += scheme.sums_bytes(layout, uses)
