# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers through Dask distributed, which carries calls, finds lost processes and does TLS.

Each server has a cluster of its own: a scheduler and its workers, which are in the server's trust
domain (PPMF-WRK-001). What is needed of Dask is little: to run a function on one named worker, and
to be told that a worker is gone. Which shard lies where is decided here, not by Dask's scheduler,
since a shard must not move.

A shard lives in a module of the worker's process. A worker that is asked for one that it does not
have answers so, and the server loads the shard anew, there or elsewhere.

The large arrays of a task go through files in the folder that the server and its workers share:
Dask would copy them several times, and hand them to its scheduler.
"""

from __future__ import annotations

import io
import os
import pickle
import tempfile
import time
import warnings
from asyncio import run_coroutine_threadsafe
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from concurrent.futures import Future as Awaited
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import numpy as np
from distributed import Client, Future, KilledWorker, LocalCluster, wait
from distributed.comm.core import CommClosedError
from distributed.security import Security

from ppmf_secure.arrays import aligned_room
from ppmf_secure.primitives.workers import (
    TASKS,
    Answer,
    Call,
    ProcessHealth,
    WorkerHealth,
    Workers,
    remove_shards,
)
from ppmf_secure.transport.process_health import health_here
from ppmf_spec.errors import PeerError

_AWAITED = 0.5
"""The seconds that results are awaited before it is looked whether a worker is gone."""

_PATIENCE = 60
"""The seconds that a server without any worker waits for one."""

_LOOK = 3
"""The seconds that an answer is awaited before it is looked whether any worker is left."""

_CONNECTING = 10
"""The seconds that it may take to reach the scheduler or a worker, and so those that are lost with
an answer whose worker is gone. Dask's own are 30."""

_SOON = 5
"""The seconds within which workers say how they are, or that they have forgotten a shard."""

_UNDER_WAY = 2
"""The tasks that each worker has waiting or under way."""

_IN_FILES = 1 << 16
"""The bytes from which on an array of a task goes through a file."""

_DEADLY = "a task of workers has ended whoever was asked: they may have too little memory"

_MOST_LOSSES = 8
"""How often a shard may be lost while it is loaded or asked; then it is what ends its workers."""

_LOST = object()
"""Stands for the answer of a worker that is gone."""

_shards: dict[str, Any] = {}
"""The shards of this process, where it is a worker."""


class WorkersLostError(PeerError):
    """A server has no worker left, and none came back."""


class _NotHereError(Exception):
    """The worker does not have the shard that it was asked for."""


def _load(name: str, call: Call) -> None:
    _shards[name] = call()


def _ask(name: str, call: Call) -> Any:
    if name not in _shards:
        raise _NotHereError(name)
    return call.function(_shards[name], *call.arguments)


def _run(question: _Packed, folder: Path) -> _Packed:
    return _Packed.of(_unpacked(question)(), folder)


def _drop(names: Sequence[str]) -> None:
    for name in names:
        _shards.pop(name, None)


def _own_health() -> tuple[tuple[str, ...], ProcessHealth]:
    """The shards of this worker, and how its process does."""
    return tuple(sorted(_shards)), health_here()


@dataclass(frozen=True, slots=True, repr=False)
class Cluster:
    """Where the workers of one server are.

    address: the scheduler's, such as tls://10.0.0.5:8786. security: its certificates.
    folder: a folder of the server that all its workers see under the same path.
    """

    address: str
    security: Security
    folder: Path

    @classmethod
    def of_files(
        cls, address: str, ca: Path, certificate: Path, key: Path, folder: Path
    ) -> Cluster:
        """A cluster whose certificates are files in PEM: the authority's, and this server's."""
        security = Security(
            require_encryption=True,
            tls_ca_file=str(ca),
            tls_client_cert=str(certificate),
            tls_client_key=str(key),
        )
        return cls(address, security, folder)


@dataclass(frozen=True, slots=True, repr=False)
class _Packed:
    """Something that goes to a worker or comes from there.

    head: its pickle. sizes: the bytes of its large arrays, which lie one after the other in a file.
    """

    head: bytes
    sizes: tuple[int, ...]
    file: Path | None

    @classmethod
    def of(cls, value: Any, folder: Path) -> _Packed:
        """Pack something, its large arrays into a new file in the folder."""
        large: list[memoryview] = []

        def stays(buffer: pickle.PickleBuffer) -> bool:
            raw = buffer.raw()
            if raw.nbytes < _IN_FILES:
                return True
            large.append(raw)
            return False

        written = io.BytesIO()
        _Pickler(written, protocol=5, buffer_callback=stays).dump(value)
        head = written.getvalue()
        if not large:
            return cls(head, (), None)
        descriptor, name = tempfile.mkstemp(prefix=TASKS, dir=folder)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            for raw in large:
                _write(file.fileno(), raw)
        return cls(head, tuple(raw.nbytes for raw in large), Path(name))

    def remove(self) -> None:
        """Remove the file, if there is one."""
        if self.file is not None:
            self.file.unlink(missing_ok=True)


class _Pickler(pickle.Pickler):
    """Arrays with gaps go without them: otherwise they would lie in the pickle itself."""

    def reducer_override(self, value: Any) -> Any:
        """How to pickle an array with gaps; all else as usual."""
        if isinstance(value, np.ndarray) and not value.flags.c_contiguous:
            return np.ascontiguousarray(value).__reduce_ex__(5)
        return NotImplemented


def _write(descriptor: int, data: memoryview) -> None:
    """Write all of it: one call writes 2 GiB at most."""
    while data:
        data = data[os.write(descriptor, data) :]


def _unpacked(packed: _Packed) -> Any:
    """What was packed; its arrays can be written to."""
    buffers = []
    if packed.file is not None:
        with packed.file.open("rb", buffering=0) as file:
            for size in packed.sizes:
                room = aligned_room(size)
                at = 0
                while at < size:
                    count = file.readinto(room[at:])
                    if not count:
                        raise PeerError(f"{packed.file}: it ends too early")
                    at += count
                buffers.append(room)
    return pickle.loads(packed.head, buffers=buffers)


class _Asked(Answer):
    """A call that a worker answers. The question is kept until the answer is there."""

    def __init__(self, workers: DaskWorkers, call: Call) -> None:
        self._workers = workers
        self._question = _Packed.of(call, workers.tasks)
        self._future = workers.put_task(self._question)

    def get(self) -> Any:
        """The answer. Dask gives the task of a lost worker to another one."""
        try:
            packed = self._packed()
        finally:
            self._question.remove()
        try:
            return _unpacked(packed)
        finally:
            packed.remove()

    def _packed(self) -> _Packed:
        result = self._workers.result_of(self._future)
        while True:
            try:
                packed: _Packed = result.result(timeout=_LOOK)
                return packed
            except TimeoutError:
                self._workers.check_alive()
                if result.done():  # it is the connection's
                    result = self._workers.result_of(self._future)
            except KilledWorker as error:
                raise WorkersLostError(_DEADLY) from error
            except (CancelledError, CommClosedError):
                self._workers.check_alive()
                self._future = self._workers.put_task(self._question)
                result = self._workers.result_of(self._future)


class DaskWorkers(Workers):
    """The workers of a cluster; a context that ends the connection, and removes the files of its
    shards.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._folder = cluster.folder
        try:
            self._client = Client(
                cluster.address,
                security=cluster.security,
                direct_to_workers=True,
                set_as_default=False,
                timeout=_CONNECTING,
            )
        except OSError as error:
            raise WorkersLostError(f"{cluster.address}: no scheduler answers there") from error
        self._calls: dict[str, Call] = {}
        self._places: dict[str, str] = {}
        try:
            self._count = len(self._alive())
            self._tasks = Path(tempfile.mkdtemp(prefix=TASKS, dir=self._folder))
        except BaseException:
            self._client.close()
            raise

    def __enter__(self) -> DaskWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        self._forget(list(self._calls))
        self._client.close()
        remove_shards(self._folder)

    @property
    def count(self) -> int:
        """As many as there were workers at the beginning."""
        return self._count

    @property
    def folder(self) -> Path:
        """That of the cluster."""
        return self._folder

    @property
    def tasks(self) -> Path:
        """Where the arrays of its tasks lie. It is not there any more at the end, so that a worker
        that is still busy then leaves nothing.
        """
        return self._tasks

    def load(self, shards: Mapping[str, Call]) -> None:
        """Load each shard on the worker that has the fewest, all workers at the same time."""
        self._calls |= shards
        self._place(shards)

    def multiply(self, questions: Mapping[str, Call]) -> Iterator[Any]:
        """The answers as they come. A question to a worker that is gone is put to another one,
        which loads the shard first.
        """
        due, losses = set(questions), 0
        while due:
            losses = _one_more(losses)
            asked = {self._put(_ask, name, name, questions[name]): name for name in due}
            due = set()
            for name, answer in self._answers(asked):
                if answer is _LOST:
                    due.add(name)
                else:
                    yield answer
            self._place(due)

    def ask(self, call: Call) -> Answer:
        """The answer, which is under way."""
        return _Asked(self, call)

    def run(self, tasks: Iterator[Call]) -> Iterator[Any]:
        """The results in their order."""
        under_way: deque[Answer] = deque()
        for task in tasks:
            under_way.append(self.ask(task))
            if len(under_way) >= _UNDER_WAY * self._count:
                yield under_way.popleft().get()
        while under_way:
            yield under_way.popleft().get()

    def put_task(self, question: _Packed) -> Future[_Packed]:
        """Have any worker answer a question."""
        return self._client.submit(_run, question, self._tasks, pure=False)

    def check_alive(self) -> None:
        """Wait until a worker is there. Raises WorkersLostError if none comes."""
        self._alive()

    def drop(self, names: Sequence[str]) -> None:
        """Forget shards, here and at all workers."""
        for name in names:
            del self._calls[name]
            self._places.pop(name, None)
        self._forget(names)

    def health(self) -> list[WorkerHealth]:
        """What each worker says of itself; nothing if they do not all answer soon."""
        try:
            told = self._client.run(_own_health, on_error="ignore", callback_timeout=_SOON)
        except (OSError, TimeoutError):
            return []
        return [WorkerHealth(address, *found) for address, found in sorted(told.items())]

    def _forget(self, names: Sequence[str]) -> None:
        """Have all workers forget shards. One that is gone has forgotten them; one that does not
        answer is not waited for, and does it when it goes on.
        """
        with suppress(OSError):
            self._client.run(_drop, names, on_error="ignore", callback_timeout=_SOON)

    def _alive(self) -> list[str]:
        """The addresses of the workers; some are there, or WorkersLostError is raised."""
        until = time.monotonic() + _PATIENCE
        while True:
            found = sorted(self._client.scheduler_info(n_workers=-1)["workers"])
            if found:
                return found
            if time.monotonic() > until:
                raise WorkersLostError(f"no worker is left, and none came back in {_PATIENCE} s")
            time.sleep(_AWAITED)

    def _place(self, names: Iterable[str]) -> None:
        """Load shards, each on a worker that is there and has the fewest, until all are loaded."""
        due, losses = set(names), 0
        while due:
            losses = _one_more(losses)
            load = dict.fromkeys(self._alive(), 0)
            for name, address in self._places.items():
                if address in load and name not in due:
                    load[address] += 1
            asked = {}
            for name in sorted(due):
                address = min(load, key=lambda each: (load[each], each))
                load[address] += 1
                self._places[name] = address
                asked[self._put(_load, name, name, self._calls[name])] = name
            due = {name for name, answer in self._answers(asked) if answer is _LOST}

    def _put(self, function: Callable[..., Any], name: str, *arguments: Any) -> Future[Any]:
        """Have the worker that has, or is to have, a shard run a function."""
        with warnings.catch_warnings():  # of arguments that are longer than usual
            warnings.simplefilter("ignore", UserWarning)
            return self._client.submit(
                function, *arguments, workers=[self._places[name]], pure=False
            )

    def _answers(self, asked: Mapping[Future[Any], str]) -> Iterator[tuple[str, Any]]:
        """The name of a shard and the answer about it, as they come. The answer is _LOST where the
        worker is gone, or has not the shard. Raises what a call raised.
        """
        waiting = dict(asked)
        while waiting:
            for future in self._ended(waiting):
                yield waiting[future], self._answer(future, self._places[waiting[future]])
                del waiting[future]
            alive = self._client.scheduler_info(n_workers=-1)["workers"]
            for future in [f for f, name in waiting.items() if self._places[name] not in alive]:
                self._client.cancel(future, force=True)
                yield waiting.pop(future), _LOST

    def _answer(self, future: Future[Any], place: str) -> Any:
        """The answer of the worker at a place, which has ended; _LOST if the worker is gone."""
        result = self.result_of(future)
        while True:
            try:
                return result.result(timeout=_AWAITED)
            except (TimeoutError, CommClosedError):
                if place not in self._client.scheduler_info(n_workers=-1)["workers"]:
                    self._client.cancel(future, force=True)
                    return _LOST
                if result.done():
                    result = self.result_of(future)
            except (_NotHereError, CancelledError, KilledWorker):
                return _LOST

    def result_of(self, future: Future[Any]) -> Awaited[Any]:
        """What a future gives, fetched in the client's own thread.

        Future.result(timeout) would not do: what Dask fetches it fetches for all who wait, and it
        stops that for all when the time of one is over.
        """
        fetching = self._client.gather(future, asynchronous=True)
        loop: Any = self._client.loop  # a tornado loop, on one of asyncio
        return run_coroutine_threadsafe(fetching, loop.asyncio_loop)

    def _ended(self, waiting: Iterable[Future[Any]]) -> list[Future[Any]]:
        """The futures that ended within a moment, at least one if any does."""
        with self._client.as_current():
            try:
                ended = wait(list(waiting), timeout=_AWAITED, return_when="FIRST_COMPLETED")
            except TimeoutError:
                return []
        return list(ended.done)


def _one_more(times: int) -> int:
    """How often shards were asked; WorkersLostError if that is too often."""
    if times > _MOST_LOSSES:
        raise WorkersLostError(_DEADLY)
    return times + 1


@contextmanager
def local_cluster(workers: int, folder: Path) -> Iterator[Cluster]:
    """A cluster of processes of this machine, which ends with the context. Its certificates are
    made for it and stay in memory.
    """
    shards = folder / "shards"
    for each in (folder, shards):
        each.mkdir(mode=0o700)
    security = Security.temporary()
    nothing_served: dict[str, list[str] | bool] = {
        f"distributed.{of}.http.routes": [] for of in ("scheduler", "worker")
    }
    nothing_served["distributed.worker.profile.enabled"] = False  # nor sampled all the time
    with (
        dask.config.set(nothing_served),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            protocol="tls://",
            security=security,
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
            local_directory=str(folder / "dask"),
            silence_logs="ERROR",
            env=dict(os.environ),
        ) as cluster,
    ):
        yield Cluster(cluster.scheduler_address, security, shards)
