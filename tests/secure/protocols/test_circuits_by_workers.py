# SPDX-License-Identifier: Apache-2.0
"""Circuits and products by ranges of elements at workers: nothing is computed or sent otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ppmf_secure.effects import Program, Send
from ppmf_secure.primitives import shares
from ppmf_secure.primitives.circuits.training_circuits import update
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols import bit_products, transfers
from ppmf_secure.protocols.bit_products import Factors, each_times_vectors
from ppmf_secure.protocols.shared_circuits import run_circuit, share_outputs
from ppmf_secure.protocols.transfers import Site, Transfers
from ppmf_spec.wire import Envelope, encode
from tests.support.asked_twice import AskedTwice
from tests.support.two_servers import ideal_transfers, ideal_words, run_both

CHUNK = 24
CIRCUIT = update(
    width=20,
    drop=6,
    frac_bits=8,
    box_bits=1,
    prox="elastic-net",
    tau_bits=5,
    theta_bits=0,
)

Array = NDArray[Any]
Counts = tuple[int | None, int | None]
"""How many workers each server has, or None for none."""

COUNTS = st.tuples(*(st.none() | st.integers(1, 4) for _ in range(2)))


@pytest.fixture(autouse=True, scope="module")
def small_ranges() -> Iterator[None]:
    """Chunks and ranges of so few elements that a test has many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shares, "CHUNK", CHUNK)
        patch.setattr(bit_products, "RANGE_BYTES", 1 << 10)
        patch.setattr(transfers, "RANGE", 128)
        yield


def workers_of(counts: Counts) -> list[AskedTwice | None]:
    nowhere = Path("/nowhere")
    return [None if count is None else AskedTwice(count, nowhere) for count in counts]


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
    count: int, lengths: list[int], some: list[AskedTwice | None]
) -> tuple[list[list[Array]], list[list[bytes]]]:
    """What both servers get and send: labels of a circuit, its shared outputs, and products of
    these with vectors of some lengths.
    """
    csp, recsys = (
        replace(end, workers=found)
        for end, found in zip(ideal_transfers("ranges"), some, strict=True)
    )
    total, mine = (Coins.seeded(label).words(count) for label in ("total", "mine"))
    tau = ideal_words("tau", (csp, recsys), Coins.seeded("bits").bits((5, count)))
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


@pytest.mark.no_cover
@pytest.mark.req("PPMF-WRK-002", "PPMF-WRK-003", "PPMF-WRK-006")
@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(1, 5 * CHUNK),
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    counts=COUNTS,
)
def test_the_same_is_computed_and_sent_with_any_workers(
    count: int, lengths: list[int], counts: Counts
) -> None:
    """Each question is asked twice, too."""
    some = workers_of(counts)
    alone, messages = circuit_and_products(count, lengths, [None, None])
    found, sent = circuit_and_products(count, lengths, some)
    assert sent == messages
    for mine, without in zip(found, alone, strict=True):
        assert all(np.array_equal(*each) for each in zip(mine, without, strict=True))
    for workers in some:
        if workers is not None:
            assert workers.under_way == 0
            assert workers.most <= 2 * (workers.count + 1), "what is under way is bounded"
            assert len(workers.questions) >= 2 * (count > CHUNK)
