# SPDX-License-Identifier: Apache-2.0
"""Encrypted matrices in shards at workers: nothing shows, and nothing is computed otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import EncryptedRows, Layout, OwnerKey
from ppmf_secure.primitives.encryption.lattice import owner as owner_module
from ppmf_secure.primitives.encryption.lattice.scheme import FittedRlwe
from ppmf_secure.primitives.workers import Call, OneProcess, Workers
from ppmf_spec.errors import EncodingError, PpmfError, RangeError
from tests.support.lattice_schemes import SMALL

Words = NDArray[np.uint64]


def set_up(
    layout: Layout, matrix: Words, workers: Workers | None
) -> tuple[FittedRlwe, OwnerKey, list[bytes], EncryptedRows]:
    """An owner, its groups, and the peer's matrix, both with these workers or none."""
    scheme = SMALL.fit([layout])
    own = Coins.seeded("own").words(matrix.shape)
    owner = scheme.generate(Coins.seeded("Q"), workers)
    groups = list(owner.encrypt_rows(matrix - own, layout, Coins.seeded("rows")))
    taken = scheme.peer(owner.public, workers).rows(groups, layout, own)
    return scheme, owner, groups, taken


@pytest.mark.req("PPMF-WRK-002", "PPMF-WRK-003")
@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 70),
    widths=st.lists(st.sampled_from([0, 1, 9, 16, 33, 64, 65, 100]), min_size=1, max_size=3),
    count=st.integers(1, 9),
    wanted=st.integers(1, 5),
    per_task=st.sampled_from([8, 16, 32]),
)
def test_shares_add_up_and_lengths_are_those_of_one_process(
    tmp_path_factory: pytest.TempPathFactory,
    rows: int,
    widths: list[int],
    count: int,
    wanted: int,
    per_task: int,
) -> None:
    layout = Layout(rows, tuple(widths), 1 << 20)
    coins = Coins.seeded("matrix")
    matrix, x = coins.words(layout.shape), coins.words((wanted, rows))
    uses = [slice(0, wanted) for _ in widths]
    workers = OneProcess(count, tmp_path_factory.mktemp("workers"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner_module, "_GROUPS_OF_A_TASK", per_task)
        scheme, owner, groups, taken = set_up(layout, matrix, workers)
    assert [len(group) for group in groups] == scheme.group_bytes(layout)
    answer, p_shares = taken.multiply(x, uses, Coins.seeded("answer"))
    assert len(answer) == scheme.answer_bytes(layout, uses)
    q_shares = owner.decrypt(answer, layout, uses)
    for one, other, part in zip(
        p_shares, q_shares, np.split(matrix, np.cumsum(widths)[:-1], axis=1), strict=True
    ):
        assert np.array_equal(one + other, x @ part)


@pytest.mark.req("PPMF-WRK-002", "PPMF-WRK-003")
def test_an_answer_is_the_same_bytes_with_any_number_of_workers(tmp_path: Path) -> None:
    """The groups are another server's here: taken in by a peer without workers, and by others."""
    layout = Layout(70, (10, 16), 1 << 20)
    coins = Coins.seeded("matrix")
    matrix, own, x = coins.words((70, 26)), coins.words((70, 26)), coins.words((4, 70))
    scheme = SMALL.fit([layout])
    owner = scheme.generate(Coins.seeded("Q"))
    groups = list(owner.encrypt_rows(matrix, layout, Coins.seeded("rows")))
    answers = []
    for count in (None, 1, 2, 5, 40):
        workers = None if count is None else OneProcess(count, tmp_path / str(count))
        if workers is not None:
            workers.folder.mkdir()
        taken = scheme.peer(owner.public, workers).rows(groups, layout, own)
        sent, shares = taken.multiply(x, [slice(0, 4), slice(1, 3)], Coins.seeded("answer"))
        answers.append((sent, [share.tolist() for share in shares]))
    assert all(answer == answers[0] for answer in answers)


class Asked(OneProcess):
    """Workers that are asked everything twice, as after a loss, and that note the questions."""

    def __init__(self, shards: int, folder: Path) -> None:
        super().__init__(shards, folder)
        self.tasks: list[Call] = []
        self.asked: list[str] = []

    def run(self, tasks: Iterator[Call]) -> Iterator[Any]:
        for task in tasks:
            self.tasks.append(task)
            first, second = task(), task()
            assert first == second
            yield second

    def multiply(self, questions: Mapping[str, Call]) -> Iterator[Any]:
        self.asked += questions
        for first, second in zip(
            super().multiply(questions), super().multiply(questions), strict=True
        ):
            assert np.array_equal(first, second)
            yield second


@pytest.mark.req("PPMF-WRK-003")
def test_a_question_that_is_asked_again_is_answered_alike_and_no_two_have_the_same_coins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner_module, "_GROUPS_OF_A_TASK", 8)
    layout = Layout(70, (33, 33), 1 << 20)
    workers, coins = Asked(3, tmp_path), Coins.seeded("matrix")
    scheme = SMALL.fit([layout, layout])
    owner = scheme.generate(Coins.seeded("Q"), workers)
    drawn = Coins.seeded("rows")
    sent: list[bytes] = []
    for _ in range(2):  # both orientations of a run draw from the same coins
        sent += owner.encrypt_rows(coins.words(layout.shape), layout, drawn)
    keys = [task.arguments[-1] for task in workers.tasks]
    assert len(set(keys)) == len(keys) > 10
    assert len({group[:32] for group in sent}) == len(sent) == 140
    taken = scheme.peer(owner.public, workers).rows(sent[:70], layout, coins.words(layout.shape))
    taken.multiply(coins.words((2, 70)), [slice(0, 2)] * 2, coins)
    assert len(set(workers.asked)) == len(workers.asked) == 3, "each shard is asked once"


def test_a_matrix_leaves_no_plain_share_on_the_disk_once_it_is_encrypted(tmp_path: Path) -> None:
    layout = Layout(20, (9,), 64)
    owner = SMALL.fit([layout]).generate(Coins.seeded("Q"), OneProcess(2, tmp_path))
    groups = owner.encrypt_rows(np.ones((20, 9), np.uint64), layout, Coins.seeded("rows"))
    next(groups)
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600]
    list(groups)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.req("PPMF-RLW-013")
def test_a_bad_group_is_named_by_its_number_in_the_matrix(tmp_path: Path) -> None:
    """Its length when it comes, its content when the workers load it."""
    layout = Layout(70, (33, 33), 1 << 20)
    matrix = np.zeros(layout.shape, np.uint64)
    scheme, owner, groups, _ = set_up(layout, matrix, None)

    def error(changed: list[bytes], name: str) -> PpmfError:
        (tmp_path / name).mkdir()
        workers = OneProcess(4, tmp_path / name)
        with pytest.raises(PpmfError) as caught:
            scheme.peer(owner.public, workers).rows(changed, layout, matrix)
        return caught.value

    short = error([*groups[:50], groups[50][:-1], *groups[51:]], "short")
    assert isinstance(short, EncodingError)
    assert str(short).startswith("encrypted group 50:")
    bad = error(
        [*groups[:50], groups[50][:32] + b"\xff" * len(groups[50][32:]), *groups[51:]], "bad"
    )
    assert isinstance(bad, RangeError)
    assert str(bad).startswith("encrypted group 50:")
