# SPDX-License-Identifier: Apache-2.0
"""A circuit and products of two servers, in ranges of so few elements that a test has many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from numpy.typing import NDArray

from ppmf_secure.effects import Program, Send
from ppmf_secure.primitives import shares
from ppmf_secure.primitives.circuits.training_circuits import update
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.workers import Workers
from ppmf_secure.protocols import bit_products, transfers
from ppmf_secure.protocols.bit_products import Factors, each_times_vectors
from ppmf_secure.protocols.shared_circuits import run_circuit, share_outputs
from ppmf_secure.protocols.transfers import Site, Transfers
from ppmf_spec.wire import Envelope, encode
from tests.support.two_servers import ideal_transfers, ideal_words, run_both

Array = NDArray[Any]

CHUNK = 12
CIRCUIT = update(
    width=10, drop=3, frac_bits=3, box_bits=2, prox="elastic-net", tau_bits=2, theta_bits=0
)


@contextmanager
def small() -> Iterator[None]:
    """Chunks of CHUNK elements, and ranges to match."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shares, "CHUNK", CHUNK)
        patch.setattr(bit_products, "RANGE_BYTES", 200)
        patch.setattr(transfers, "RANGE", 256)
        patch.setattr(transfers, "_DIVIDED", 1)
        yield


def noted(program: Program[Any], sent: list[bytes]) -> Program[Any]:
    """The program, whose messages are noted as bytes."""
    found = None
    while True:
        try:
            effect = program.send(found)
        except StopIteration as ended:
            return ended.value
        if isinstance(effect, Send):
            sent.append(encode(Envelope(bytes(32), 0, len(sent), effect.message)))
        found = yield effect


def circuit_and_products(
    count: int, lengths: list[int], some: Sequence[Workers | None]
) -> tuple[list[list[Array]], list[list[bytes]]]:
    """What both servers get and send: labels of a circuit, its shared outputs, and products of
    these with vectors of some lengths.
    """
    csp, recsys = (
        replace(end, workers=found)
        for end, found in zip(ideal_transfers("ranges"), some, strict=True)
    )
    total, mine = (Coins.seeded(label).words(count) for label in ("total", "mine"))
    tau = ideal_words("tau", (csp, recsys), Coins.seeded("bits").bits((2, count)))
    vectors = [Coins.seeded(f"y{length}").words((count, length)) for length in lengths]
    sent: list[list[bytes]] = [[], []]

    def program(end: Transfers, share: Array, labels_of_tau: Array) -> Program[list[Array]]:
        labels = yield from run_circuit(end, CIRCUIT, share, {"tau": labels_of_tau}, Site("test"))
        words = yield from share_outputs(end, labels["word"])
        pairs = [Factors(words, each, Site("x", (at,))) for at, each in enumerate(vectors)]
        products = yield from each_times_vectors(end, pairs, signed=True)
        # the keystreams stand where they would without workers
        again = yield from share_outputs(end, labels["word"])
        of_words = [(each.bits, each.sender_keys, each.chosen_keys) for each in (words, again)]
        return [labels["word"], *of_words[0], *products, *of_words[1]]

    found = run_both(
        noted(program(csp, mine, tau[0].sender_keys), sent[0]),
        noted(program(recsys, total - mine, tau[1].chosen_keys), sent[1]),
    )
    return list(found), sent
