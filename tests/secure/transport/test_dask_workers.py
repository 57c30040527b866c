# SPDX-License-Identifier: Apache-2.0
"""Workers through Dask, as real processes that are killed."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ppmf_reference import fixed
from ppmf_secure.primitives import shares as shares_module
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_secure.primitives.workers import Answer, Call
from ppmf_secure.protocols.conversion import convert
from ppmf_secure.session.checkpoint import RatingBits, RatingShares
from ppmf_secure.transport import dask_workers, processes
from ppmf_secure.transport.dask_workers import Cluster, DaskWorkers, local_cluster
from ppmf_secure.transport.processes import LocalWorkers
from ppmf_spec.errors import EncodingError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS
from tests.support.ratings import ratings_of
from tests.support.small_ranges import CHUNK, circuit_and_products, small
from tests.support.two_servers import ideal_transfers, run_both

Words = NDArray[np.uint64]

RATINGS = ratings_of(3, 4, {(0, 0): 4, (0, 2): -5, (1, 1): 3, (2, 1): -2, (2, 3): 1})
PARAMETERS = Parameters(rank=2, iterations=2)
SUITE = "rlwe-64-insecure"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with local_cluster(2, tmp_path_factory.mktemp("cluster") / "csp") as made:
        yield made


@pytest.fixture
def workers(cluster: Cluster) -> Iterator[DaskWorkers]:
    until = time.monotonic() + 60
    while True:  # a worker that an earlier test killed comes back
        with DaskWorkers(cluster) as found:
            if found.count == 2 or time.monotonic() > until:
                yield found
                return
        time.sleep(0.1)


def pids(workers: DaskWorkers) -> list[int]:
    return sorted(workers._client.run(os.getpid).values())


def slowly(shard: int, seconds: float) -> int:
    time.sleep(seconds)
    return shard


def refuses() -> None:
    raise EncodingError("encrypted group 7: bad")


def refuses_large(_: Words) -> None:
    refuses()


def test_shards_lie_apart_and_answer(workers: DaskWorkers) -> None:
    workers.load({name: Call(np.full, (3, value)) for name, value in (("a", 5), ("b", 7))})
    found = workers.multiply({name: Call(np.add, (np.ones(3),)) for name in ("a", "b")})
    assert sorted(answer.tolist() for answer in found) == [[6] * 3, [8] * 3]
    told = workers.health()
    assert sorted(one.shards for one in told) == [("a",), ("b",)]
    assert all(one.process.most_memory >= one.process.memory > 1 << 20 for one in told)
    assert all(one.process.cpu_seconds > 0 for one in told)
    workers.drop(["a"])
    assert sorted(one.shards for one in workers.health()) == [(), ("b",)]


def test_results_of_tasks_come_in_their_order(workers: DaskWorkers) -> None:
    tasks = (Call(pow, (number, 2)) for number in range(20))
    assert list(workers.run(tasks)) == [number**2 for number in range(20)]


def test_what_a_call_raises_is_raised(workers: DaskWorkers) -> None:
    with pytest.raises(EncodingError, match="group 7: bad"):
        workers.load({"bad": Call(refuses, ())})
    with pytest.raises(EncodingError, match="group 7: bad"):
        list(workers.run(iter([Call(refuses, ())])))


@pytest.mark.req("PPMF-WRK-003")
def test_the_shard_of_a_worker_that_was_killed_is_loaded_again(workers: DaskWorkers) -> None:
    """Before it is asked, and while it answers."""
    workers.load({"a": Call(int, (5,)), "b": Call(int, (7,))})
    os.kill(pids(workers)[0], signal.SIGKILL)
    both = {name: Call(slowly, (0.0,)) for name in ("a", "b")}
    assert sorted(workers.multiply(both)) == [5, 7]
    victim = pids(workers)[0]
    threading.Timer(0.3, os.kill, (victim, signal.SIGKILL)).start()
    both = {name: Call(slowly, (1.5,)) for name in ("a", "b")}
    assert sorted(workers.multiply(both)) == [5, 7]
    assert victim not in pids(workers)


def doubled(values: Words, small: Words, seconds: float) -> tuple[Words, Words]:
    """What a worker answers; it writes to what it was given."""
    time.sleep(seconds)
    values *= np.uint64(2)
    return values, small + np.uint64(1)


@pytest.mark.req("PPMF-WRK-003")
def test_calls_are_answered_whoever_is_lost(workers: DaskWorkers) -> None:
    """Large arrays go through files, of which none is left; what was asked is asked again."""
    sizes = [8, 1 << 10, 1 << 16]
    arrays = [np.arange(2 * size, dtype=np.uint64)[::2] // np.uint64(2) for size in sizes]
    arrays[2] = np.repeat(arrays[2], 2)[::2]
    assert not arrays[2].flags.c_contiguous
    small = np.arange(3, dtype=np.uint64)
    asked = [workers.ask(Call(doubled, (each, small, 0.7))) for each in arrays]
    assert len(list(workers.tasks.iterdir())) == 1
    threading.Timer(0.3, os.kill, (pids(workers)[0], signal.SIGKILL)).start()
    for before, answer in zip(arrays, asked, strict=True):
        large, rest = answer.get()
        assert large.tolist() == [2 * value for value in range(len(before))]
        assert rest.tolist() == [1, 2, 3]
        large += np.uint64(1)
    assert arrays[0].tolist() == list(range(8))
    assert list(workers.tasks.iterdir()) == []
    failing = workers.ask(Call(refuses_large, (arrays[2],)))
    with pytest.raises(EncodingError, match="group 7: bad"):
        failing.get()
    assert list(workers.tasks.iterdir()) == []


class Killing(DaskWorkers):
    """Workers of which one is killed once it has been asked for a certain thing, a second time."""

    def __init__(self, cluster: Cluster, function: str) -> None:
        super().__init__(cluster)
        self._function, self._asked = function, 0
        self.killed = False

    def ask(self, call: Call) -> Answer:
        answer = super().ask(call)
        self._asked += call.function.__name__ == self._function
        if self._asked == 2 and not self.killed:
            self.killed = True
            os.kill(pids(self)[0], signal.SIGKILL)
        return answer


@pytest.mark.req("PPMF-WRK-003", "PPMF-WRK-006")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("server", "function"),
    [
        *((0, each) for each in ("garbled", "chosen_keys", "corrections", "taken")),
        *((1, each) for each in ("columns_of", "evaluated", "sent_keys", "corrections", "taken")),
    ],
)
def test_circuits_and_products_whoever_is_lost(
    cluster: Cluster, workers: DaskWorkers, server: int, function: str
) -> None:
    """A worker is killed while it has chunks of that."""
    with small(), (killing := Killing(cluster, function)):
        alone = circuit_and_products(5 * CHUNK, [3, 2], (None, None))
        some = [None, killing] if server else [killing, None]
        found = circuit_and_products(5 * CHUNK, [3, 2], some)
        assert killing.killed
    assert found[1] == alone[1]
    for mine, without in zip(found[0], alone[0], strict=True):
        assert all(np.array_equal(*each) for each in zip(mine, without, strict=True))


@pytest.mark.req("PPMF-WRK-003", "PPMF-WRK-005")
@pytest.mark.slow
@pytest.mark.parametrize(("server", "function"), [(0, "answer_at_csp"), (1, "end_at_recsys")])
def test_the_conversion_whoever_is_lost(
    cluster: Cluster,
    workers: DaskWorkers,
    monkeypatch: pytest.MonkeyPatch,
    server: int,
    function: str,
) -> None:
    """A worker is killed while it has some of 50 chunks; the shares are those without workers."""
    monkeypatch.setattr(shares_module, "CHUNK", 64)
    code, coins = RatingCode(-3, 9), Coins.seeded("bits")
    bits = [RatingBits(np.packbits(coins.bits((5, 40, 80)), axis=2)) for _ in range(2)]

    def shares(some: Sequence[DaskWorkers | None]) -> list[RatingShares]:
        ends = zip(ideal_transfers("conversion"), some, strict=True)
        mine, other = (replace(one, workers=each) for one, each in ends)
        return [*run_both(convert(mine, bits[0], 80, code), convert(other, bits[1], 80, code))]

    alone = shares([None, None])
    with (killing := Killing(cluster, function)):
        found = shares([None, killing] if server else [killing, None])
        assert killing.killed
    for mine, without in zip(found, alone, strict=True):
        assert np.array_equal(mine.rated, without.rated)
        assert np.array_equal(mine.rating, without.rating)


@pytest.mark.req("PPMF-WRK-001")
def test_who_has_no_certificate_reaches_neither_scheduler_nor_workers(workers: DaskWorkers) -> None:
    scheduler = workers._client.scheduler_info()["address"]
    for address in (scheduler, *(one.address for one in workers.health())):
        host, _, port = address.removeprefix("tls://").rpartition(":")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection((host, int(port)), timeout=10) as plain,
            context.wrap_socket(plain) as encrypted,
            pytest.raises(ssl.SSLError, match="certificate required"),
        ):
            encrypted.recv(1)  # in TLS 1.3 a client hears of it only now


@pytest.mark.req("PPMF-WRK-001")
def test_nothing_is_left_of_shards_at_the_end(cluster: Cluster) -> None:
    with DaskWorkers(cluster) as found:
        found.load({"a": Call(int, (5,))})
        (cluster.folder / "matrix").mkdir()
        (cluster.folder / "matrix" / "0.own").write_bytes(b"secret")
        found.ask(Call(len, (np.zeros(1 << 17, np.uint8),)))
    assert list(cluster.folder.iterdir()) == []
    with DaskWorkers(cluster) as found:
        assert all(one.shards == () for one in found.health())


def large_after(folder: Path, seconds: float) -> Words:
    """What a worker makes that is not waited for."""
    (folder / "begun").touch()
    time.sleep(seconds)
    (folder / "made").touch()
    return np.zeros(1 << 17, np.uint64)


def until_there(path: Path) -> None:
    until = time.monotonic() + 60
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.02)


@pytest.mark.req("PPMF-WRK-001")
def test_a_worker_that_ends_later_than_its_server_leaves_nothing(
    cluster: Cluster, tmp_path: Path
) -> None:
    with DaskWorkers(cluster) as found:
        found.ask(Call(large_after, (tmp_path, 0.5)))
        until_there(tmp_path / "begun")
    until_there(tmp_path / "made")
    time.sleep(0.2)  # so that it could write what it made
    assert list(cluster.folder.iterdir()) == []


@pytest.mark.req("PPMF-WRK-003")
def test_an_answer_that_could_not_be_fetched_is_fetched_again(
    workers: DaskWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch, times = DaskWorkers.result_of, itertools.count()

    def fails_first(self: DaskWorkers, future: Any) -> Future[Any]:
        if next(times):
            return fetch(self, future)
        late: Future[Any] = Future()
        late.set_exception(TimeoutError("a connection took too long"))
        return late

    monkeypatch.setattr(DaskWorkers, "result_of", fails_first)
    assert workers.ask(Call(pow, (3, 2))).get() == 9


@pytest.mark.req("PPMF-WRK-003")
def test_a_worker_that_stands_still_does_not_hold_up_the_end(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_workers, "_SOON", 0.3)
    with DaskWorkers(cluster) as workers:
        workers.load({name: Call(int, (5,)) for name in ("a", "b")})
        victim = pids(workers)[0]
        os.kill(victim, signal.SIGSTOP)
        goes_on = threading.Timer(20, os.kill, (victim, signal.SIGCONT))
        goes_on.start()
        workers.drop(["a"])
    assert goes_on.is_alive()
    goes_on.cancel()
    os.kill(victim, signal.SIGCONT)
    until = time.monotonic() + 20
    with DaskWorkers(cluster) as workers:
        while any(one.shards for one in workers.health()) and time.monotonic() < until:
            time.sleep(0.05)
        assert [one.shards for one in workers.health()] == [(), ()]


def ends(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.req("PPMF-WRK-003")
def test_a_task_that_ends_every_worker_ends_in_one_line(workers: DaskWorkers) -> None:
    with pytest.raises(dask_workers.WorkersLostError, match="ended whoever was asked"):
        workers.ask(Call(ends, ())).get()


@pytest.mark.slow
@pytest.mark.req("PPMF-WRK-003")
def test_a_question_that_ends_every_worker_ends_in_one_line(
    workers: DaskWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_workers, "_MOST_LOSSES", 1)
    workers.load({"a": Call(int, (5,))})
    with pytest.raises(dask_workers.WorkersLostError, match="ended whoever was asked"):
        list(workers.multiply({"a": Call(ends, ())}))


def test_without_any_worker_the_server_waits_and_then_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_workers, "_PATIENCE", 0.3)
    with (
        local_cluster(0, tmp_path / "none") as made,
        pytest.raises(dask_workers.WorkersLostError, match="no worker"),
    ):
        DaskWorkers(made)


@pytest.mark.slow
@pytest.mark.req("PPMF-WRK-002")
@pytest.mark.parametrize("count", [1, 3])
def test_a_training_with_workers_is_the_same_bit_for_bit(tmp_path: Path, count: int) -> None:
    alone = processes.train(RATINGS, PARAMETERS, suite=SUITE)
    found = processes.train(
        RATINGS, PARAMETERS, suite=SUITE, workers=LocalWorkers(count, tmp_path / "workers")
    )
    assert found.profiles == alone.profiles == fixed.train(RATINGS, PARAMETERS)
    sent = [
        sorted((one.party, one.phase, one.bytes_sent) for one in run.measures)
        for run in (found, alone)
    ]
    assert sent[0] == sent[1]
    assert not (tmp_path / "workers").exists()
    assert {party: len(one.workers) for party, one in found.health.items()} == {
        RECSYS: count,
        CSP: count,
    }


@pytest.mark.slow
@pytest.mark.req("PPMF-WRK-002", "PPMF-WRK-010")
def test_a_run_is_resumed_with_other_workers_than_it_had(tmp_path: Path) -> None:
    """What a run that was killed has left in the workers' folder is in nobody's way."""
    checkpoints, workers = tmp_path / "checkpoints", tmp_path / "workers"
    processes.train(RATINGS, PARAMETERS, suite=SUITE, checkpoints=checkpoints)
    (workers / "csp" / "shards").mkdir(parents=True)
    workers.chmod(0o700)
    found = processes.resume(
        checkpoints, workers=LocalWorkers(2, workers), matrices=tmp_path / "matrices"
    )
    assert found.profiles == fixed.train(RATINGS, PARAMETERS)
    assert all(len(one.workers) == 2 for one in found.health.values())
    assert not workers.exists()
    assert not (tmp_path / "matrices").exists()
