# SPDX-License-Identifier: Apache-2.0
"""The order of rows, columns, transfers and tables, on which two implementations must agree.

Between two servers of ours a wrong order would cancel out; here each order is read from chapter 4.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ppmf_reference import fixed
from ppmf_secure.arrays import Bits, Words
from ppmf_secure.effects import Program
from ppmf_secure.primitives.circuits import training_circuits
from ppmf_secure.primitives.circuits.wire_labels import colours, permute_bits
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.shares import from_bits, view_as_bytes
from ppmf_secure.primitives.transfer_extension import ExtensionChooser
from ppmf_secure.protocols import ratings_product, shared_circuits, sub_problem
from ppmf_secure.protocols.bit_products import Factors, each_times_vectors
from ppmf_secure.protocols.transfers import Site, Transfers, choose_transfers
from ppmf_secure.session.transcript import read
from ppmf_spec import netlists, wire, words
from ppmf_spec.bounds import bounds
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS
from tests.support.ideal import ideal_suite
from tests.support.ratings import ratings_of
from tests.support.toy_runs import run_toy
from tests.support.two_servers import ideal_transfers, run_both

RATINGS = ratings_of(3, 4, {(0, 0): 4, (0, 2): -5, (1, 1): 3, (2, 1): -2, (2, 3): 1, (2, 0): 4})
SETS = {
    "biases": Parameters(rank=3, iterations=1),
    "none": Parameters(rank=3, iterations=1, bias=False),
}


def by_column(rows: list[list[int]]) -> list[list[int]]:
    return [list(column) for column in zip(*rows, strict=True)]


@pytest.mark.req("PPMF-PRD-004", "PPMF-PRD-005")
@pytest.mark.parametrize("params", SETS.values(), ids=SETS.keys())
def test_columns_and_how_they_are_made(params: Parameters, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the half-step on the items: the fixed side is U after the first half-step."""
    handed: list[Words] = []
    multiplied: dict[int, list[tuple[Bits, Words]]] = defaultdict(list)
    of_shares = ratings_product.RatingsProduct.of_shares

    def watched_product(self: ratings_product.RatingsProduct, phi: Words) -> Program[Any]:
        handed.append(phi)
        return of_shares(self, phi)

    def watched_multiplication(
        transfers: Transfers, pairs: Sequence[Factors], *, signed: bool
    ) -> Program[list[Words]]:
        for number, pair in enumerate(pairs):
            assert (pair.site.purpose, pair.site.indices[-1]) == ("products", number)
            multiplied[number].append((pair.words.bits, pair.vectors))
        return each_times_vectors(transfers, pairs, signed=signed)

    monkeypatch.setattr(ratings_product.RatingsProduct, "of_shares", watched_product)
    monkeypatch.setattr(sub_problem, "each_times_vectors", watched_multiplication)
    run_toy(RATINGS, params, ideal_suite())

    d, D = params.rank, params.row_rank
    y = by_column(next(fixed.iterate(RATINGS, params)).users)
    pairs = [(k, l) for k in range(d) for l in range(k, D)]
    products = [[p * q for p, q in zip(y[k], y[l], strict=True)] for k, l in pairs]
    first, second = handed
    above = np.uint64(64 - bounds(params, RATINGS.n_users, RATINGS.n_items).ring_bits)

    def signed(words: Words) -> Any:
        """The lowest k bits of words as signed numbers."""
        return ((words << above).view(np.int64) >> np.int64(above)).tolist()

    assert signed(first + second) == y + products

    assert sorted(multiplied) == list(range(d))
    for k, ((bits, vectors), (other_bits, other_vectors)) in multiplied.items():
        word = from_bits(bits ^ other_bits, signed=True).astype(np.int64)
        assert word.tolist() == y[k]
        assert signed(np.ascontiguousarray((vectors + other_vectors).T)) == y[k:]


@pytest.mark.req("PPMF-PRD-002", "PPMF-PRD-003")
def test_encrypted_rows_hold_both_matrices_in_both_orientations() -> None:
    """The ideal suite encrypts nothing: the two servers' rows add up to the ratings."""
    rows: dict[str, list[Words]] = {}
    with tempfile.TemporaryDirectory() as folder:
        run_toy(RATINGS, SETS["none"], ideal_suite(), transcripts=Path(folder))
        for server in (RECSYS, CSP):
            messages = [
                wire.decode(record.message).message
                for record in read(Path(folder) / server / f"{server}.cborseq")
                if record.direction == "sent"
            ]
            sent = [each for each in messages if isinstance(each, wire.EncryptedRows)]
            assert [(each.packing, each.first) for each in sent] == [("users", 0), ("items", 0)]
            rows[server] = [np.frombuffer(each.rows, dtype="<u8") for each in sent]
    n, m = RATINGS.n_users, RATINGS.n_items
    rated, rating = np.zeros((2, n, m), dtype=np.int64)
    rated[RATINGS.user, RATINGS.item] = 1
    rating[RATINGS.user, RATINGS.item] = RATINGS.value
    ring = 2 ** bounds(SETS["none"], n, m).ring_bits
    found = [((a + b) % np.uint64(ring)).tolist() for a, b in zip(*rows.values(), strict=True)]
    due = ([rated.T, rating.T], [rated, rating])
    assert found == [(np.hstack(each) % ring).ravel().tolist() for each in due]


@pytest.mark.req("PPMF-OTE-007")
def test_transfers_of_words_go_bit_by_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[Bits] = []
    extend = ExtensionChooser.extend

    def watched(self: ExtensionChooser, choices: Bits) -> tuple[memoryview, Words]:
        chosen.append(choices)
        return extend(self, choices)

    monkeypatch.setattr(ExtensionChooser, "extend", watched)
    csp, _ = ideal_transfers("order")
    width, elements = 5, 3
    bits = Coins.seeded("order").bits((width, elements))
    program = choose_transfers(csp, bits)
    program.send(None)
    with pytest.raises(StopIteration) as end:
        program.send(None)
    (choices,) = chosen
    for t in range(width):
        for e in range(elements):
            assert choices[t * elements + e] == bits[t, e]
    assert end.value.value.shape == (width, elements, 2)


def pi(key: bytes, block: int) -> int:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return int.from_bytes(encryptor.update(block.to_bytes(16, "little")), "little")


def hashed(key: bytes, block: int, tweak: int) -> int:
    return pi(key, pi(key, block) ^ tweak) ^ pi(key, block)


def integers(labels: Words) -> list[list[int]]:
    """Labels (width, n, 2) as integers, bit by bit."""
    return [[int(low) | int(high) << 64 for low, high in word] for word in labels]


@pytest.mark.req(
    "PPMF-GCB-001", "PPMF-GCB-011", "PPMF-GCB-003", "PPMF-GCB-004", "PPMF-CIR-001", "PPMF-CIR-002"
)
def test_a_program_from_prose_evaluates_what_csp_garbles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RecSys once more, from the netlist and the formulas of chapter 4 and the bytes alone."""
    width, drop, f, b, elements = 20, 5, 8, 1, 2054
    some = (0, 1, 2, 2047, 2048, 2053)  # of two batches
    csp, recsys = ideal_transfers("evaluated")
    shares = Coins.seeded("evaluated").words((2, elements))
    tables: list[memoryview] = []
    keys: list[Words] = []

    def watched_tables(content: Words) -> memoryview:
        tables.append(view_as_bytes(content))
        return tables[-1]

    def watched_choice(transfers: Transfers, bits: Bits) -> Program[Words]:
        chosen = yield from choose_transfers(transfers, bits)
        keys.append(chosen)
        return chosen

    monkeypatch.setattr(shared_circuits, "view_as_bytes", watched_tables)
    monkeypatch.setattr(shared_circuits, "choose_transfers", watched_choice)
    made = training_circuits.update(
        width=width, drop=drop, frac_bits=f, box_bits=b, prox=None, tau_bits=0, theta_bits=0
    )
    site = Site("update", (7, 0))
    zero, active = run_both(
        *(
            shared_circuits.run_circuit(half, made, share, {}, site)
            for half, share in zip((csp, recsys), shares, strict=True)
        )
    )

    (data,), (chosen,) = tables, keys
    net = netlists.update(width, drop, f, b, None, 0, 0)
    numbers = {node: number for number, node in enumerate(net.ands())}
    public = recsys.keys.key("update/garbler-inputs", 7, 0, 0)
    for e in some:
        labels = [0]
        labels += [pi(public, t * elements + e) for t in range(width)]
        labels += [word[e] for word in integers(chosen)]
        for node in range(len(labels), len(net.nodes)):
            gate = net.nodes[node]
            assert gate is not None
            left, right = (labels[literal >> 1] for literal in gate[1:])
            if gate[0] == "xor":
                labels.append(left ^ right)
            elif node not in numbers:
                labels.append(0)
            else:
                key = recsys.keys.key("update/gates", 7, 0, 0, numbers[node], e // 2048)
                at = 32 * (numbers[node] * elements + e)
                T_G, T_E = (int.from_bytes(data[at + h : at + h + 16], "little") for h in (0, 16))
                half = hashed(key, left, 2 * e) ^ (left & 1) * T_G
                labels.append(half ^ hashed(key, right, 2 * e + 1) ^ (right & 1) * (T_E ^ left))
        found = [labels[literal >> 1] for literal in net.outputs["word"]]
        assert found == [word[e] for word in integers(active["word"])]

    opened = from_bits(colours(active["word"]) ^ permute_bits(zero["word"]), signed=True)
    for e in some:
        total = (int(shares[0, e]) + int(shares[1, e])) % 2**width
        Z = (total - (total >> width - 1 << width)) >> drop
        assert opened.astype(np.int64)[e] == words.saturate(Z, b, f)
