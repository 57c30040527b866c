# SPDX-License-Identifier: Apache-2.0
"""Work by ranges: its order, how much is under way, and ends of transfers that a worker gets."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.effects import Now, Program
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.hashing import BatchKeys
from ppmf_secure.primitives.transfer_extension import columns_bytes
from ppmf_secure.primitives.workers import Answer, Call, OneProcess
from ppmf_secure.protocols.ranges import by_ranges, ranges
from tests.support.two_servers import ideal_transfers

COUNTS = st.lists(st.sampled_from([1, 127, 128, 129, 700]), min_size=1, max_size=4)


class Late(OneProcess):
    """Workers that answer when the answer is asked for, and note what is under way."""

    def __init__(self, folder: Path) -> None:
        super().__init__(1, folder)
        self.under_way = self.most = 0

    def ask(self, call: Call) -> Answer:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        outer = self

        class Waiting(Answer):
            def get(self) -> Any:
                outer.under_way -= 1
                return call()

        return Waiting()


@given(count=st.integers(0, 30), size=st.integers(1, 40))
def test_ranges_cover_all_numbers_in_their_order(count: int, size: int) -> None:
    found = ranges(count, size)
    assert [number for part in found for number in part] == list(range(count))
    assert all(len(part) == size for part in found[:-1])


@pytest.mark.req("PPMF-WRK-002")
@pytest.mark.parametrize("with_workers", [False, True])
@pytest.mark.parametrize("under_way", [1, 2, 5, 20])
def test_answers_are_delivered_in_order_and_so_many_are_under_way(
    tmp_path: Path, under_way: int, with_workers: bool
) -> None:
    workers = Late(tmp_path) if with_workers else None
    steps: list[tuple[str, int]] = []

    def question(number: int) -> Program[Call]:
        steps.append(("question", number))
        yield Now()
        return Call(pow, (number, 2))

    def deliver(number: int, answer: int) -> Program[None]:
        assert answer == number**2
        steps.append(("deliver", number))
        yield Now()

    play(by_ranges(workers, range(7), question, deliver, under_way=under_way))
    for name in ("question", "deliver"):
        assert [number for kind, number in steps if kind == name] == list(range(7))
    if workers is None:
        assert steps[:3] == [("question", 0), ("deliver", 0), ("question", 1)]
    else:
        assert workers.most == min(under_way, 7)
        assert workers.under_way == 0


def play(program: Program[None]) -> None:
    with suppress(StopIteration):
        while True:
            program.send(None)


@pytest.mark.req("PPMF-OTE-006", "PPMF-WRK-003", "PPMF-WRK-005")
@given(parts=st.lists(st.tuples(COUNTS, st.booleans()), min_size=1, max_size=4))
def test_transfers_are_the_same_whoever_makes_them(parts: list[tuple[list[int], bool]]) -> None:
    """Some messages are left to workers, which get their ends as bytes; others are made here."""
    here, split = ([*ideal_transfers("ends")] for _ in range(2))
    coins = Coins.seeded("choices")
    for counts, left in parts:
        choices = [coins.bits(count) for count in counts]
        whole = list(messages(here, choices, counts))
        ends = split
        if left:
            sender, chooser = split[0].sender.leave(counts), split[1].chooser.leave(counts)
            ends = [*ideal_transfers("other")]
            ends[0] = replace(ends[0], sender=pickle.loads(pickle.dumps(sender)))
            ends[1] = replace(ends[1], chooser=pickle.loads(pickle.dumps(chooser)))
        for one, other in zip(whole, messages(ends, choices, counts), strict=True):
            assert bytes(one[0]) == bytes(other[0])
            assert np.array_equal(one[1], other[1])
            assert np.array_equal(one[2], other[2])


def messages(ends: list[Any], choices: list[Any], counts: list[int]) -> Iterator[Any]:
    """The columns, the chosen keys and the sender's of messages from RecSys to CSP."""
    for bits, count in zip(choices, counts, strict=True):
        columns, chosen = ends[1].chooser.extend(bits)
        assert len(columns) == columns_bytes(count)
        yield columns, chosen, ends[0].sender.extend(columns, count)


@pytest.mark.req("PPMF-OTE-004", "PPMF-OTE-005")
@given(counts=COUNTS, label=st.text("abc", max_size=4))
def test_columns_and_keys_can_be_made_apart(counts: list[int], label: str) -> None:
    _, together = ideal_transfers(label)
    _, apart = ideal_transfers(label)
    coins = Coins.seeded(f"choices/{label}")
    choices = [coins.bits(count) for count in counts]
    behind = apart.chooser.leave(())
    first = [together.chooser.extend(bits) for bits in choices]
    for bits, (columns, _) in zip(choices, first, strict=True):
        assert bytes(apart.chooser.columns(bits)) == bytes(columns)
    for bits, (_, keys) in zip(choices, first, strict=True):
        assert np.array_equal(behind.keys(len(bits)), keys)
    more = coins.bits(300)
    for end in (behind, apart.chooser):
        assert bytes(end.columns(more)) == bytes(together.chooser.here().columns(more))


def test_batch_keys_are_the_same_at_a_worker() -> None:
    keys = BatchKeys(bytes(range(32)), 7)
    assert pickle.loads(pickle.dumps(keys)).key("gates", 1, 2, 3) == keys.key("gates", 1, 2, 3)


def test_a_part_of_the_transfers_goes_to_a_worker_only_if_there_is_one(tmp_path: Path) -> None:
    transfers, _ = ideal_transfers("part")
    assert transfers.part(sent=[128], chosen=[128]) is transfers
    workers = OneProcess(1, tmp_path)
    at_workers = replace(transfers, workers=workers).part(sent=[128], chosen=[128])
    assert at_workers.workers is None
    assert pickle.loads(pickle.dumps(at_workers)).me == transfers.me
