# SPDX-License-Identifier: Apache-2.0
"""Labels of wires: the garbler's inputs without a message, and outputs as transfers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.arrays import Bits, Labels
from ppmf_secure.primitives.circuits.wire_labels import (
    choice_keys,
    colours,
    public_inputs,
    public_labels,
)
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.hashing import BatchKeys
from ppmf_secure.primitives.transfer_extension import fresh_offset

KEYS = BatchKeys(b"a session", 0)
OFFSET = fresh_offset(Coins.seeded("test_wire_labels/offset"), odd=True)


def times_offset(bits: Bits) -> Labels:
    return bits.astype(np.uint64)[..., np.newaxis] * OFFSET


@pytest.mark.req("PPMF-GCB-004")
@given(st.integers(1, 5), st.integers(1, 9), st.integers(0, 2**32))
def test_the_garblers_inputs_need_no_message(width: int, n: int, seed: int) -> None:
    bits = Coins.seeded(f"bits/{seed}").bits((width, n))
    zero = public_inputs(KEYS.cipher("garbler-inputs", seed), bits, OFFSET)
    active = public_labels(KEYS.cipher("garbler-inputs", seed), width, n)
    assert zero.shape == active.shape == (width, n, 2)
    assert np.array_equal(zero ^ active, times_offset(bits))
    assert len(np.unique(active.reshape(-1, 2), axis=0)) == width * n


@pytest.mark.req("PPMF-GCB-004")
def test_public_labels_are_aes_in_counter_mode() -> None:
    active = public_labels(KEYS.cipher("garbler-inputs"), 2, 3)
    stream = KEYS.cipher("garbler-inputs").update(
        b"".join(counter.to_bytes(16, "little") for counter in range(6))
    )
    assert active.astype("<u8").tobytes() == stream


@pytest.mark.req("PPMF-GCB-008")
@given(st.integers(0, 2**32))
def test_output_labels_are_transfers(seed: int) -> None:
    coins = Coins.seeded(f"transfers/{seed}")
    zero = coins.words((3, 8, 2))
    active = zero ^ times_offset(coins.bits((3, 8)))
    keys = choice_keys(zero, OFFSET)
    assert not colours(keys).any()
    assert np.array_equal(active, keys ^ times_offset(colours(active)))
