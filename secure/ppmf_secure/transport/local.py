# SPDX-License-Identifier: GPL-3.0-or-later
"""Secure training on one machine: RecSys and CSP in a process each, side by side on two cores.

The users run in the calling process, the only one that ever sees a rating; the servers get the
session and talk through pipes. Each process draws its own coins from the operating system.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from ppmf_secure.coins import Coins
from ppmf_secure.csp import csp
from ppmf_secure.program import CSP, RECSYS, USERS, Phase, Program, Receive, Send
from ppmf_secure.recsys import recsys
from ppmf_secure.session import NONCE_BYTES, Session
from ppmf_secure.suites import suite as suite_of
from ppmf_secure.transcript import Recorder
from ppmf_secure.transport.drive import Measure, Party, Progress
from ppmf_secure.transport.inputs import user_rows
from ppmf_secure.user import users
from ppmf_spec.errors import KINDS, PeerError, PpmfError
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings
from ppmf_spec.wire import Message

_SERVERS: Mapping[str, Callable[..., Program[Any]]] = {RECSYS: recsys, CSP: csp}
_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class RunResult:
    """V as RecSys opened it, and what each party spent in each phase."""

    profiles: ItemProfiles
    measures: tuple[Measure, ...]


def train(
    ratings: Ratings,
    params: Parameters,
    *,
    suite: str,
    coins_label: str | None = None,
    transcripts: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> RunResult:
    """Train with three parties; the result equals F_fix bit for bit.

    coins_label: reproducible coins, for tests alone; by default each party draws its own.
    transcripts: an existing folder for the three transcript files.
    Raises a PpmfError of the party that stopped first.
    """
    root = _coins(coins_label, "session")
    session = Session(params, ratings.users, ratings.items, suite, root.bytes(NONCE_BYTES))
    run = _Run(session, coins_label, transcripts, progress or (lambda _: None))
    return run.finish(ratings)


class _Run:
    """The two server processes, and the calling process' ends of their pipes."""

    def __init__(
        self,
        session: Session,
        coins_label: str | None,
        transcripts: Path | None,
        progress: Callable[[Progress], None],
    ) -> None:
        self._session = session
        self._coins_label = coins_label
        self._transcripts = transcripts
        self._progress = progress
        context = multiprocessing.get_context("spawn")
        between = context.Pipe()
        self._data: dict[str, Connection] = {}
        self._control: dict[str, Connection] = {}
        self._processes = []
        with _one_thread_each():
            for name, peer_end in zip((RECSYS, CSP), between, strict=True):
                data, data_end = context.Pipe()
                control, control_end = context.Pipe(duplex=False)
                peer = CSP if name == RECSYS else RECSYS
                ends = {peer: peer_end, USERS: data_end}
                arguments = (name, session, ends, control_end, coins_label, transcripts)
                process = context.Process(target=_serve, args=arguments, daemon=True)
                process.start()
                for end in (peer_end, data_end, control_end):
                    end.close()
                self._data[name], self._control[name] = data, control
                self._processes.append(process)

    def finish(self, ratings: Ratings) -> RunResult:
        """Play the users, follow the servers to their ends, and put the results together."""
        measures: list[Measure] = []
        failures: list[PpmfError] = []
        results: dict[str, Any] = {}
        crowd = threading.Thread(
            target=self._play_users, args=(ratings, measures, failures), daemon=True
        )
        crowd.start()
        try:
            for name, kind, content in self._reports():
                if kind == "progress":
                    self._progress(content)
                elif kind == "failed":
                    failures.append(_failure(name, *content))
                else:
                    results[name], spent = content
                    measures += spent
            crowd.join(timeout=None if not failures else 1)
        finally:
            for process in self._processes:
                if failures or not results:
                    process.terminate()
                process.join()
        if failures:
            raise min(failures, key=lambda failure: isinstance(failure, PeerError))
        return RunResult(results[RECSYS], tuple(measures))

    def _reports(self) -> Iterator[tuple[str, str, Any]]:
        """What the servers report, until both pipes are closed."""
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

    def _play_users(
        self, ratings: Ratings, measures: list[Measure], failures: list[PpmfError]
    ) -> None:
        with Recorder(self._transcripts, USERS) as recorder:
            party = Party(USERS, self._session.id, recorder, self._progress)
            program = users(
                self._session,
                suite_of(self._session.suite),
                user_rows(ratings),
                _coins(self._coins_label, USERS),
            )
            try:
                _drive(party, program, self._data)
            except PpmfError as failure:
                failures.append(failure)
            measures += party.measures()


def _serve(
    name: str,
    session: Session,
    ends: dict[str, Connection],
    control: Connection,
    coins_label: str | None,
    transcripts: Path | None,
) -> None:
    """A server process: run the party's program and report how it ended."""

    def report(progress: Progress) -> None:
        control.send(("progress", progress))

    with Recorder(transcripts, name) as recorder:
        party = Party(name, session.id, recorder, report)
        program = _SERVERS[name](session, suite_of(session.suite), _coins(coins_label, name))
        try:
            result = _drive(party, program, ends)
        except PpmfError as failure:
            control.send(("failed", (failure.kind, str(failure))))
        except KeyboardInterrupt:
            pass
        else:
            control.send(("done", (result, party.measures())))


def _drive(party: Party, program: Program[Any], ends: Mapping[str, Connection]) -> Any:
    """Run a program over pipes. Sending never waits: a thread a peer writes what is queued."""
    writers = {peer: _Writer(end) for peer, end in ends.items()}
    reply: Message | None = None
    try:
        while True:
            try:
                effect = program.send(reply)
            except StopIteration as end:
                return end.value
            reply = None
            match effect:
                case Send(to, message):
                    writers[to].put(party.outgoing(to, message))
                case Receive(sender):
                    try:
                        data = ends[sender].recv_bytes()
                    except (EOFError, OSError) as error:
                        raise PeerError(f"{party.name}: {sender} disappeared") from error
                    reply = party.incoming(effect, data)
                case Phase():
                    party.enter(effect)
    finally:
        for writer in writers.values():
            writer.close()


class _Writer:
    """Writes queued messages to a pipe from a thread of its own."""

    def __init__(self, end: Connection) -> None:
        self._end = end
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def put(self, data: bytes) -> None:
        self._queue.put(data)

    def close(self) -> None:
        """Write out what is queued, then hang up."""
        self._queue.put(None)
        self._thread.join()

    def _write(self) -> None:
        # a peer that is gone is noticed by whoever waits for its next message
        with suppress(OSError):
            while (data := self._queue.get()) is not None:
                self._end.send_bytes(data)


def _failure(name: str, kind: str, text: str) -> PpmfError:
    """The error a server process stopped with, in this process."""
    of_kind = {error.kind: error for error in KINDS}
    return of_kind[kind](f"{name}: {text}")


def _coins(label: str | None, party: str) -> Coins:
    return Coins.system() if label is None else Coins.seeded(f"{label}/{party}")


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Child processes started here use one BLAS thread: the two servers have a core each."""
    before = {name: os.environ.get(name) for name in _THREAD_SETTINGS}
    os.environ.update(dict.fromkeys(_THREAD_SETTINGS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
