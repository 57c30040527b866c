# SPDX-License-Identifier: Apache-2.0
"""A circuit between two servers against its ideal: the circuit in the clear on the sum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.primitives.circuits.training_circuits import update
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.shares import from_bits, to_bits
from ppmf_secure.protocols.shared_circuits import run_circuit, share_outputs
from ppmf_secure.protocols.transfers import Site, share_words
from ppmf_spec.errors import EncodingError
from ppmf_spec.wire import GarbledTables, TransferColumns
from tests.support.messages import message_of
from tests.support.two_servers import ideal_transfers, run_both

WIDTH, DROP, F, B = 20, 6, 8, 1
CIRCUIT = update(
    width=WIDTH, drop=DROP, frac_bits=F, box_bits=B, prox=None, tau_bits=0, theta_bits=0
)
TOP: int = 2 ** (B + F)


def _clamped(z: int) -> int:
    signed = z - 2**WIDTH if z >> (WIDTH - 1) else z
    return max(-TOP, min(TOP - 1, signed >> DROP))


@pytest.mark.req("PPMF-GCB-005", "PPMF-GCB-007", "PPMF-GCB-008")
@given(
    z=st.lists(st.integers(0, 2**WIDTH - 1) | st.just(2 ** (WIDTH - 1)), min_size=1, max_size=12),
    label=st.text("pq", max_size=6),
)
def test_shares_in_xor_shares_out(z: list[int], label: str) -> None:
    transfers = ideal_transfers(label)
    total = np.array(z, dtype=np.uint64)
    mine = Coins.seeded(label).words(total.shape)
    theirs = total - mine
    site = Site("test")
    labels = run_both(
        run_circuit(transfers[0], CIRCUIT, mine, {}, site),
        run_circuit(transfers[1], CIRCUIT, theirs, {}, site),
    )
    words = run_both(
        share_outputs(transfers[0], labels[0]["word"]),
        share_outputs(transfers[1], labels[1]["word"]),
    )
    opened = from_bits(words[0].bits ^ words[1].bits, signed=True).astype(np.int64)
    assert opened.tolist() == [_clamped(value) for value in z]
    for sender, chooser in ((0, 1), (1, 0)):
        choice = words[chooser].bits.astype(np.uint64)[..., None]
        keys = words[sender].sender_keys ^ choice * words[sender].offset
        assert np.array_equal(keys, words[chooser].chosen_keys), "the transfers of both directions"


@pytest.mark.req("PPMF-GCB-006")
def test_more_elements_than_a_chunk() -> None:
    transfers = ideal_transfers("chunks")
    total, mine = (Coins.seeded(label).words(5000) for label in "ab")
    site = Site("test")
    labels = run_both(
        run_circuit(transfers[0], CIRCUIT, mine, {}, site),
        run_circuit(transfers[1], CIRCUIT, total - mine, {}, site),
    )
    words = run_both(
        share_outputs(transfers[0], labels[0]["word"]),
        share_outputs(transfers[1], labels[1]["word"]),
    )
    opened = from_bits(words[0].bits ^ words[1].bits, signed=True).astype(np.int64)
    low = (total & np.uint64(2**WIDTH - 1)).tolist()
    assert opened.tolist() == [_clamped(value) for value in low]


@pytest.mark.req("PPMF-OTE-007")
def test_bits_get_transfers_both_ways() -> None:
    """What a checkpoint keeps are bits alone; `share_words` makes them usable again."""
    transfers = ideal_transfers("again")
    bits = [Coins.seeded(label).bits((3, 50)) for label in "cd"]
    words = run_both(share_words(transfers[0], bits[0]), share_words(transfers[1], bits[1]))
    for sender, chooser in ((0, 1), (1, 0)):
        choice = bits[chooser].astype(np.uint64)[..., None]
        keys = words[sender].sender_keys ^ choice * words[sender].offset
        assert np.array_equal(keys, words[chooser].chosen_keys)


@pytest.mark.req("PPMF-ERR-003")
def test_tables_and_columns_of_the_wrong_length_are_refused() -> None:
    transfers = ideal_transfers("short")
    share = to_bits(np.arange(2, dtype=np.uint64), 1)[0].astype(np.uint64)
    evaluator = run_circuit(transfers[1], CIRCUIT, share, {}, Site("test"))
    evaluator.send(None)
    evaluator.send(None)
    with pytest.raises(EncodingError, match="garbled tables: 7 bytes"):
        evaluator.send(GarbledTables(bytes(7)))
    garbler = run_circuit(transfers[0], CIRCUIT, share, {}, Site("test"))
    garbler.send(None)
    with pytest.raises(EncodingError, match="OT columns for 40 transfers"):
        garbler.send(message_of(TransferColumns, columns=bytes(9)))
