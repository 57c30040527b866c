# SPDX-License-Identifier: Apache-2.0
"""Sub-protocols run between the two servers alone, over ideal base transfers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppmf_secure.effects import Program
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.hashing import BatchKeys
from ppmf_secure.primitives.shares import SharedWords
from ppmf_secure.primitives.transfer_extension import (
    ExtensionChooser,
    ExtensionSender,
    fresh_offset,
    offset_bits,
)
from ppmf_secure.protocols.transfers import Transfers
from ppmf_secure.transport.stepper import run_together
from ppmf_spec.roles import CSP, RECSYS

Words = NDArray[np.uint64]


def ideal_transfers(label: str) -> tuple[Transfers, Transfers]:
    """(CSP's, RecSys') ends of an epoch's transfers, whose base transfers were not run."""
    coins = Coins.seeded(f"ideal-transfers/{label}")
    offsets = {me: fresh_offset(coins, odd=me == CSP) for me in (CSP, RECSYS)}
    seeds = {
        me: np.frombuffer(coins.bytes(128 * 2 * 16), dtype=np.uint8).reshape(128, 2, 16)
        for me in (CSP, RECSYS)
    }
    halves = {}
    for me, peer in ((CSP, RECSYS), (RECSYS, CSP)):
        chosen = seeds[me][np.arange(128), offset_bits(offsets[me])]
        halves[me] = Transfers(
            me=me,
            ring_bits=64,
            keys=BatchKeys(bytes(32), 0),
            offset=offsets[me],
            sender=ExtensionSender(offsets[me], chosen, me.encode()),
            chooser=ExtensionChooser(seeds[peer], peer.encode()),
        )
    return halves[CSP], halves[RECSYS]


def ideal_words(
    label: str, transfers: tuple[Transfers, Transfers], bits: NDArray[np.uint8]
) -> tuple[SharedWords, ...]:
    """XOR shares of bits (width, n) with ideal transfers both ways: (CSP's, RecSys')."""
    coins = Coins.seeded(f"ideal-words/{label}")
    ours = coins.bits(bits.shape)
    shares = (ours, bits ^ ours)
    keys = [coins.words((*bits.shape, 2)) for _ in transfers]

    def chosen(sender: int) -> Words:
        choice = shares[1 - sender].astype(np.uint64)[..., None]
        result: Words = keys[sender] ^ choice * transfers[sender].offset
        return result

    return tuple(
        SharedWords(shares[p], keys[p], chosen(1 - p), transfers[p].offset) for p in range(2)
    )


def run_both(csp_program: Program[Any], recsys_program: Program[Any]) -> tuple[Any, Any]:
    """Run the two servers' ends of a sub-protocol; their results."""
    results = run_together({CSP: csp_program, RECSYS: recsys_program}, bytes(32))
    return results[CSP], results[RECSYS]
