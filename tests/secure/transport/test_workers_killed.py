# SPDX-License-Identifier: Apache-2.0
"""A worker is killed at every kind of question in every phase of a run; nothing shows of it.

The test knows no phase and no kind of question: it wraps the workers, and has the first question of
each kind in each phase kill the process that takes it. What workers come to do later is found too.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ppmf_reference import fixed
from ppmf_secure.primitives import shares
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.workers import Answer, Call, OneProcess, WorkerHealth, Workers
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.transcript import read
from ppmf_secure.transport.dask_workers import DaskWorkers, local_cluster
from ppmf_secure.transport.recorded_ends import Progress
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.ratings import ratings_of
from tests.support.sessions import session_of
from tests.support.small_ranges import small
from tests.support.three_parties import run_epoch

RATINGS = ratings_of(3, 4, {(0, 0): 4, (0, 2): -5, (1, 1): 3, (2, 1): -2, (2, 3): 1})
PARAMETERS = Parameters(rank=2, iterations=2)
SUITE = "rlwe-64-insecure"

Kind = tuple[str, str, str]
"""A phase, how workers are asked in it, and for what."""


def die(flag: Path) -> None:
    """End this process, unless the flag is gone: then another one has died for it."""
    try:
        flag.unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def deadly(flag: Path, call: Call) -> Any:
    die(flag)
    return call()


def deadly_to_a_shard(shard: Any, flag: Path, call: Call) -> Any:
    die(flag)
    return call.function(shard, *call.arguments)


class Killed(Workers):
    """Workers of which one takes every kind of question first, and dies of it, if they are
    deadly. kinds: those that were found, in order.
    """

    def __init__(self, inner: Workers, flags: Path | None) -> None:
        self._inner, self._flags = inner, flags
        self.phase, self.kinds = "keys", list[Kind]()

    def _call(self, how: str, call: Call) -> Call:
        kind = (self.phase, how, call.function.__qualname__)
        if kind in self.kinds:
            return call
        self.kinds.append(kind)
        if self._flags is None:
            return call
        self._until_all_are_back()
        flag = self._flags / str(len(self.kinds))
        flag.touch()
        return Call(deadly_to_a_shard if how == "multiply" else deadly, (flag, call))

    def _until_all_are_back(self) -> None:
        """Wait for those that died before, so that one is left to go on."""
        until = time.monotonic() + 240
        while len(self._inner.health()) < self._inner.count and time.monotonic() < until:
            time.sleep(0.2)

    @property
    def count(self) -> int:
        return self._inner.count

    @property
    def folder(self) -> Path:
        return self._inner.folder

    def load(self, shards: Mapping[str, Call]) -> None:
        self._inner.load({name: self._call("load", call) for name, call in shards.items()})

    def multiply(self, questions: Mapping[str, Call]) -> Iterator[Any]:
        asked = {name: self._call("multiply", call) for name, call in questions.items()}
        return self._inner.multiply(asked)

    def ask(self, call: Call) -> Answer:
        return self._inner.ask(self._call("ask", call))

    def run(self, tasks: Iterator[Call]) -> Iterator[Any]:
        return self._inner.run(self._call("run", task) for task in tasks)

    def drop(self, names: Sequence[str]) -> None:
        self._inner.drop(names)

    def health(self) -> list[WorkerHealth]:
        return self._inner.health()


def run(role: Role, workers: Killed, folder: Path) -> tuple[ItemProfiles, list[bytes]]:
    """The result of a run in which one server has workers, and all that it has sent."""
    folder.mkdir(mode=0o700)

    def entered(progress: Progress) -> None:
        if progress.party is role:
            workers.phase = progress.phase

    session = session_of(PARAMETERS, RATINGS.users, RATINGS.items, SUITE)
    with small(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(shares, "CHUNK", 2)  # so that there is something to divide
        results = run_epoch(
            session,
            cipher_suite(SUITE),
            lambda party: Coins.seeded(f"killed/{party}"),
            ratings=RATINGS,
            transcripts=folder,
            on_progress=entered,
            workers={role: workers},
        )
    sent = [
        one.message for one in read(folder / role / f"{role}.cborseq") if one.direction == "sent"
    ]
    return results[RECSYS], sent


def where_none_is_lost(role: Role, folder: Path) -> tuple[ItemProfiles, list[bytes], list[Kind]]:
    """The same with workers that are this process: V, what was sent, and the kinds of questions."""
    (folder / "shards").mkdir()
    workers = Killed(OneProcess(2, folder / "shards"), None)
    return *run(role, workers, folder / "none lost"), workers.kinds


@pytest.mark.req("PPMF-WRK-002", "PPMF-WRK-003")
def test_workers_are_asked_in_every_phase_of_the_training(tmp_path: Path) -> None:
    profiles, _, kinds = where_none_is_lost(CSP, tmp_path)
    assert profiles == fixed.train(RATINGS, PARAMETERS)
    assert {("set-up", "load"), ("products", "multiply")} <= {kind[:2] for kind in kinds}
    assert {"set-up", "products", "steps", "updates"} <= {kind[0] for kind in kinds}


@pytest.mark.slow
@pytest.mark.req("PPMF-WRK-002", "PPMF-WRK-003")
@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_a_worker_is_killed_at_every_kind_of_question(tmp_path: Path, role: Role) -> None:
    """V is right, and the server has sent what it sends where none is lost, byte for byte."""
    profiles, sent, kinds = where_none_is_lost(role, tmp_path)
    assert profiles == fixed.train(RATINGS, PARAMETERS)
    assert kinds
    flags = tmp_path / "flags"
    flags.mkdir()
    with local_cluster(2, tmp_path / "cluster") as cluster, DaskWorkers(cluster) as inner:
        workers = Killed(inner, flags)
        assert run(role, workers, tmp_path / "killed") == (profiles, sent)
    assert workers.kinds == kinds
    assert not list(flags.iterdir())  # each has killed somebody
