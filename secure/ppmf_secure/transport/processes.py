# SPDX-License-Identifier: GPL-3.0-or-later
"""Secure training on one machine: RecSys and CSP in a process each, side by side on two cores.

The users run in the calling process, which is the only one that ever sees a rating. The servers get
the session and communicate over pipes (`server_process`). Each process draws its own coins from the
operating system. Servers may keep checkpoints, each in a folder of its own, from which `resume`
goes on.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import ModuleType
from typing import Any

from ppmf_secure.driver import Driver
from ppmf_secure.parties.users import users
from ppmf_secure.primitives.encryption.interface import FittedScheme
from ppmf_secure.primitives.room import MEMORY, Files, Room
from ppmf_secure.protocols.admission import AbandonedError
from ppmf_secure.protocols.ratings_product import fitted_scheme
from ppmf_secure.protocols.upload import user_rows
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.private_files import private_folder
from ppmf_secure.session.session import Session
from ppmf_secure.session.set_up import Agreed, agree, write
from ppmf_secure.session.transcript import Recorder, record_session
from ppmf_secure.transport.pipes import PipeEnds
from ppmf_secure.transport.recorded_ends import Account, Measure, Progress
from ppmf_secure.transport.server_process import (
    CspSecrets,
    RunOptions,
    ServerHealth,
    StoppedError,
    coins_of,
    failure_of,
    serve,
    stop_text,
)
from ppmf_secure.transport.store import in_use, load_session, save_session
from ppmf_spec.errors import ParametersError, PeerError, PpmfError
from ppmf_spec.extras import needed_by
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings, check_scale
from ppmf_spec.roles import CSP, RECSYS, USERS, Role

_OF_SERVERS = {
    # each server has a core of its own
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # glibc keeps large blocks, since new pages of memory are slow to get
    "MALLOC_MMAP_THRESHOLD_": "2000000000",
    "MALLOC_TRIM_THRESHOLD_": "2000000000",
}
"""The environment of the servers' processes."""


@dataclass(frozen=True, slots=True)
class LocalWorkers:
    """So many workers for each server, on this machine.

    folder: a new one for the files of their shards; it is removed at the end.
    """

    count: int
    folder: Path


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a run: V as RecSys opened it, what each party spent in each phase, why uploads
    were refused, and how the processes of each server did.
    """

    profiles: ItemProfiles
    measures: tuple[Measure, ...]
    refusals: tuple[PpmfError, ...] = ()
    health: Mapping[Role, ServerHealth] = field(default_factory=dict)


def train(
    ratings: Ratings,
    params: Parameters,
    *,
    suite: str,
    coins_label: str | None = None,
    transcripts: Path | None = None,
    checkpoints: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    least: int = 0,
    workers: LocalWorkers | None = None,
    matrices: Path | None = None,
) -> RunResult:
    """Train with three parties. The result equals F_fix bit for bit (PPMF-SES-010).

    suite: the name of the cipher suite.
    coins_label: a label for reproducible coins, for tests alone.
    transcripts: an existing folder for the transcripts of the three parties.
    checkpoints: a folder in which each server keeps its shares, for `resume`.
    progress: called whenever a party enters a phase.
    least: how many users have to take part; 0 for the default (PPMF-SES-015).
    workers: for each server a cluster of processes of this machine, which share its work.
    matrices: a folder for encrypted matrices that are to lie in files (PPMF-WRK-010); it is removed
        at the end. Without it they lie in memory.
    Raises RangeError for ratings of another scale than the parameters', ParametersError for a suite
    that cannot keep its matrices in files, and otherwise the PpmfError of the party that found
    something wrong.
    """
    check_scale(ratings, params)
    chosen = cipher_suite(suite)
    agreed = agree(
        params,
        ratings.users,
        ratings.items,
        suite,
        recsys=coins_of(coins_label, f"session/{RECSYS}"),
        csp=coins_of(coins_label, f"session/{CSP}"),
        least=least,
        trial=not chosen.secure,
    )
    fitted = fitted_scheme(agreed.session, chosen)  # before any process starts
    _check_room(fitted, suite, matrices)
    if checkpoints is not None:
        root = coins_of(coins_label, "tags")
        save_session(checkpoints, agreed.signed, epoch=0, coins=root)
    record_session(transcripts, write(agreed.signed))
    with in_use(checkpoints), _room(matrices) as room, _clusters(workers) as clusters:
        options = RunOptions(transcripts, checkpoints, coins_label, room)
        run = _Run(agreed.session, 0, options, progress or (lambda _: None), agreed, clusters)
        return run.finish(ratings)


def resume(
    checkpoints: Path,
    *,
    coins_label: str | None = None,
    transcripts: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    workers: LocalWorkers | None = None,
    matrices: Path | None = None,
) -> RunResult:
    """Go on with an interrupted run, in a new epoch, without the users.

    workers, matrices: as for `train`; they need not be what the run had before (PPMF-WRK-002).
    Raises StateError if there is nothing to go on from or the run is still going on; otherwise
    raises as `train` does.
    """
    with in_use(checkpoints):
        signed, last = load_session(checkpoints)
        suite = signed.session.suite
        _check_room(fitted_scheme(signed.session, cipher_suite(suite)), suite, matrices)
        save_session(checkpoints, signed, epoch=last + 1)
        label = None if coins_label is None else f"{coins_label}/epoch-{last + 1}"
        record_session(transcripts, write(signed))
        with _room(matrices) as room, _clusters(workers) as clusters:
            options = RunOptions(transcripts, checkpoints, label, room)
            told = progress or (lambda _: None)
            run = _Run(signed.session, last + 1, options, told, clusters=clusters)
            return run.finish(None)


def _check_room(scheme: FittedScheme, suite: str, matrices: Path | None) -> None:
    """Raise ParametersError for matrices that are to lie in files and cannot."""
    if matrices is not None and not scheme.in_files:
        raise ParametersError(
            f"suite {suite}: its encrypted matrices lie in memory alone; those of a lattice suite "
            f"can lie in files"
        )


@contextmanager
def _room(matrices: Path | None) -> Iterator[Room]:
    """Where encrypted matrices lie; a folder of theirs is removed at the end."""
    if matrices is None:
        yield MEMORY
        return
    private_folder(matrices)
    try:
        yield Files(matrices)
    finally:
        shutil.rmtree(matrices)


@contextmanager
def _clusters(workers: LocalWorkers | None) -> Iterator[Mapping[Role, Any]]:
    """A cluster for each server, if any are wanted; then their folder is removed."""
    if workers is None:
        yield {}
        return
    with needed_by("a training with workers"):
        from ppmf_secure.transport.dask_workers import local_cluster

    private_folder(workers.folder)
    for name in (RECSYS, CSP):  # of a run that was killed
        shutil.rmtree(workers.folder / name, ignore_errors=True)
    try:
        with ExitStack() as held:
            with starting_servers():
                made = {
                    name: held.enter_context(local_cluster(workers.count, workers.folder / name))
                    for name in (RECSYS, CSP)
                }
            yield made
    finally:
        shutil.rmtree(workers.folder)


class _Run:
    """The two server processes of an epoch, with the calling process' ends of their pipes."""

    def __init__(
        self,
        session: Session,
        epoch: int,
        options: RunOptions,
        progress: Callable[[Progress], None],
        agreed: Agreed | None = None,
        clusters: Mapping[Role, Any] | None = None,
    ) -> None:
        self._session = session
        self._options = options
        self._consent_keys = agreed.consent_keys if agreed else {}
        self._progress = progress
        context = multiprocessing.get_context("spawn")
        between = context.Pipe()
        self._data: dict[Role, Connection] = {}
        self._control: dict[Role, Connection] = {}
        self._processes: dict[Role, SpawnProcess] = {}
        with starting_servers():
            for name, peer_end in zip((RECSYS, CSP), between, strict=True):
                data, data_end = context.Pipe()
                control, control_end = context.Pipe(duplex=False)
                pipes = {name.peer: peer_end, USERS: data_end}
                secrets = CspSecrets.of(agreed) if agreed and name is CSP else None
                cluster = (clusters or {}).get(name)
                arguments = (name, session, epoch, pipes, control_end, options, secrets, cluster)
                process = context.Process(target=serve, args=arguments, name=name, daemon=True)
                process.start()
                for end in (peer_end, data_end, control_end):
                    end.close()
                self._data[name], self._control[name] = data, control
                self._processes[name] = process

    def finish(self, ratings: Ratings | None) -> RunResult:
        """The result of the run, once both servers have ended.

        ratings: those of the users, who are run beside the servers; None in a later epoch.
        """
        measures: list[Measure] = []
        failures: dict[Role, PpmfError] = {}
        refusals: list[PpmfError] = []
        results: dict[Role, Any] = {}
        health: dict[Role, ServerHealth] = {}
        users_thread = threading.Thread(
            target=self._run_users, args=(ratings, measures, failures), daemon=True
        )
        if ratings is not None:
            users_thread.start()
        try:
            for name, kind, content in self._reports():
                if kind == "progress":
                    self._progress(content)
                elif kind == "refused":
                    refusals.append(failure_of(name, *content))
                elif kind == "failed":
                    failures[name] = failure_of(name, *content)
                elif kind == "abandoned":
                    failures[name] = AbandonedError(str(failure_of(name, *content)))
                elif kind == "stopped":
                    failures[name] = StoppedError(str(failure_of(name, *content)))
                else:
                    results[name], spent, health[name] = content
                    measures += spent
            if ratings is not None:
                users_thread.join(timeout=1 if failures else None)
        except BaseException:
            for process in self._processes.values():
                process.terminate()
            raise
        finally:
            for process in self._processes.values():
                process.join()
        self._raise_first_cause(failures, refusals, results)
        return RunResult(results[RECSYS], tuple(measures), tuple(refusals), health)

    def _raise_first_cause(
        self,
        failures: Mapping[Role, PpmfError],
        refusals: Sequence[PpmfError],
        results: Mapping[Role, Any],
    ) -> None:
        """Raise the first error that there is, in the order in which errors cause each other.

        That is: an error that a party found itself, or of the users; that too few users take part;
        the refusal of an upload, if the run failed afterwards; the end of a process without a
        report; a party that missed another one.
        """
        own = [
            error
            for name, error in failures.items()
            if name is USERS or isinstance(error, StoppedError) or not isinstance(error, PeerError)
        ]
        abandoned = [error for error in failures.values() if isinstance(error, AbandonedError)]
        died = [
            PeerError(f"{name} stopped, exit status {process.exitcode}")
            for name, process in self._processes.items()
            if name not in results and name not in failures
        ]
        if abandoned and refusals and not own:
            raise AbandonedError(f"{abandoned[0]}; the first refusal: {refusals[0]}")
        missed = refusals if failures else []
        for error in (*own, *abandoned, *missed, *died, *failures.values()):
            raise error

    def _reports(self) -> Iterator[tuple[Role, str, Any]]:
        """The reports of the servers, until both of their pipes are closed."""
        open_ends = {end: name for name, end in self._control.items()}
        while open_ends:
            for end in wait(list(open_ends)):
                assert isinstance(end, Connection)
                try:
                    kind, content = end.recv()
                except EOFError:
                    del open_ends[end]
                else:
                    yield open_ends[end], kind, content

    def _run_users(
        self, ratings: Ratings, measures: list[Measure], failures: dict[Role, PpmfError]
    ) -> None:
        """Run the users, and note what they spent and how they failed, if they did."""
        try:
            with Recorder(self._options.transcripts, USERS) as recorder:
                account = Account(USERS, recorder, self._progress)
                program = users(
                    self._session,
                    user_rows(ratings),
                    self._consent_keys,
                    coins_of(self._options.coins_label, USERS),
                )
                with PipeEnds(account, self._data) as ends:
                    Driver(USERS, program, ends, self._session.id).complete()
                measures += account.measures()
        except PpmfError as failure:
            failures[USERS] = failure
        except Exception as error:
            failures[USERS] = failure_of(USERS, PeerError.kind, stop_text(error))
        finally:
            # a server that still waits for an upload must see that none will come
            for end in self._data.values():
                end.close()


@contextmanager
def starting_servers() -> Iterator[None]:
    """Let child processes that are started here be servers: with their environment, deaf to Ctrl-C,
    and without the calling program's script.
    """
    with _environment_of_servers(), _ignoring_interrupts(), _without_the_callers_script():
        yield


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Let child processes that are started here ignore Ctrl-C; this process ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set a handler
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _without_the_callers_script() -> Iterator[None]:
    """Keep child processes that are started here from running the calling program's script again.

    multiprocessing imports the module `__main__` in a child, so that a script without the line
    `if __name__ == "__main__"` would begin a second training there. A server needs nothing of it.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


@contextmanager
def _environment_of_servers() -> Iterator[None]:
    """Let child processes that are started here have the environment of servers."""
    before = {name: os.environ.get(name) for name in _OF_SERVERS}
    os.environ.update(_OF_SERVERS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
