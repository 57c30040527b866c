# SPDX-License-Identifier: Apache-2.0
"""Circuits and products by ranges of elements at workers: nothing is computed or sent otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppmf_reference import fixed
from ppmf_secure.effects import Receive, Send
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.bit_products import corrections, taken
from ppmf_secure.protocols.shared_circuits import (
    columns_of,
    evaluated,
    garbled,
    run_circuit,
)
from ppmf_secure.protocols.transfers import Site, chosen_keys, sent_keys
from ppmf_secure.session.transcript import read, transcript_file
from ppmf_spec.errors import EncodingError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS
from ppmf_spec.wire import GarbledTables, Message, TransferColumns
from tests.support.asked_twice import AskedTwice
from tests.support.ideal import ideal_suite
from tests.support.messages import message_of
from tests.support.ratings import ratings_of
from tests.support.small_ranges import CHUNK, CIRCUIT, circuit_and_products, small
from tests.support.three_parties import run_epoch
from tests.support.toy_runs import toy_session
from tests.support.two_servers import ideal_transfers

Counts = tuple[int | None, int | None]
"""How many workers each server has, or None for none."""

COUNTS = st.tuples(*(st.none() | st.integers(1, 4) for _ in range(2)))


@pytest.fixture(autouse=True, scope="module")
def small_ranges() -> Iterator[None]:
    """Chunks and ranges of so few elements that a test has many."""
    with small():
        yield


def workers_of(counts: Counts) -> list[AskedTwice | None]:
    nowhere = Path("/nowhere")
    return [None if count is None else AskedTwice(count, nowhere) for count in counts]


@pytest.mark.no_cover
@pytest.mark.req("PPMF-WRK-002", "PPMF-WRK-003", "PPMF-WRK-006")
@settings(max_examples=10, deadline=None)
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


@pytest.mark.req("PPMF-WRK-003", "PPMF-WRK-006", "PPMF-GCB-011")
def test_no_chunk_is_garbled_under_two_questions() -> None:
    """All that serves once is in one question: the place of the keystreams, the chunk and its batch
    keys; and no two questions have the same.
    """
    some = workers_of((2, 2))
    circuit_and_products(3 * CHUNK + 1, [2], some)
    places = []
    for workers in some:
        assert workers is not None
        for call in workers.questions:
            if call.function is garbled:
                ends, piece, _ = call.arguments
                places.append((ends.sender._streams[0]._position, piece.site))
    assert len(places) == 4
    for once in zip(*places, strict=True):
        assert len(set(once)) == 4


RATINGS = ratings_of(
    7, 4, {(0, 0): 4, (0, 2): -5, (1, 1): 3, (2, 1): -2, (2, 3): 1, (3, 0): 2, (5, 3): -1}
)


@pytest.mark.req("PPMF-WRK-002")
def test_a_session_has_the_same_transcripts_with_workers(tmp_path: Path) -> None:
    """With a product that needs no workers; RecSys has some, CSP has others."""
    parameters = Parameters(rank=4, iterations=1, inner_steps=2)
    session = toy_session(RATINGS, parameters, ideal_suite(), "workers")
    asked = {role: AskedTwice(count, tmp_path) for role, count in ((RECSYS, 2), (CSP, 3))}
    profiles = []
    for name, workers in (("alone", {}), ("workers", asked)):
        results = run_epoch(
            session,
            ideal_suite(),
            lambda role: Coins.seeded(f"workers/{role}"),
            ratings=RATINGS,
            transcripts=tmp_path / name,
            workers=workers,
        )
        profiles.append(results[RECSYS])
    assert profiles[0] == profiles[1] == fixed.train(RATINGS, parameters)
    done = {role: {call.function for call in one.questions} for role, one in asked.items()}
    assert done[CSP] >= {garbled, chosen_keys, corrections, taken}
    assert done[RECSYS] >= {columns_of, evaluated, sent_keys, corrections, taken}
    for role in (RECSYS, CSP):
        alone, found = (transcript_file(tmp_path / name, role) for name in ("alone", "workers"))
        assert same_records(alone, found)


def same_records(one: Path, other: Path) -> bool:
    """Whether two transcripts hold the same messages, each direction in the same order."""
    return by_direction(one) == by_direction(other)


def by_direction(path: Path) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for record in read(path):
        found.setdefault(f"{record.direction} {record.peer}", []).append(record.message)
    return found


@pytest.mark.req("PPMF-ERR-003", "PPMF-OTE-006")
def test_what_has_a_wrong_length_is_refused_before_a_worker_is_asked() -> None:
    share = Coins.seeded("share").words(2 * CHUNK)
    tau = np.zeros((2, 2 * CHUNK, 2), np.uint64)

    def refused(me: int, message: Message, line: str) -> None:
        workers = AskedTwice(1, Path("/nowhere"))
        end = replace(ideal_transfers("short")[me], workers=workers)
        program = run_circuit(end, CIRCUIT, share, {"tau": tau}, Site("test"))
        while not isinstance(effect := program.send(None), Receive):
            assert isinstance(effect, Send)
        before = len(workers.questions)
        with pytest.raises(EncodingError, match=line):
            program.send(message)
        assert len(workers.questions) == before

    refused(0, message_of(TransferColumns, columns=bytes(9)), "OT columns for 120 transfers")
    refused(1, message_of(GarbledTables, tables=bytes(7)), "garbled tables: 7 bytes")
