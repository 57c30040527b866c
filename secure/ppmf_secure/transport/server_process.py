# SPDX-License-Identifier: GPL-3.0-or-later
"""A server in a process of its own, and what it reports to the process that started it."""

from __future__ import annotations

import multiprocessing
import os
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ppmf_secure.driver import Driver
from ppmf_secure.effects import Program
from ppmf_secure.parties.csp import csp
from ppmf_secure.parties.recsys import recsys
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.room import MEMORY, Room
from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.primitives.workers import ProcessHealth, WorkerHealth, Workers
from ppmf_secure.protocols.admission import AbandonedError
from ppmf_secure.protocols.message_plan import limits
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.session import Session
from ppmf_secure.session.set_up import Agreed
from ppmf_secure.session.transcript import Recorder
from ppmf_secure.transport.pipes import PipeEnds
from ppmf_secure.transport.process_health import health_here
from ppmf_secure.transport.recorded_ends import Account, Progress
from ppmf_secure.transport.store import Store
from ppmf_spec.errors import KINDS, PeerError, PpmfError
from ppmf_spec.roles import CSP, RECSYS, Role

_SERVERS: Mapping[Role, Callable[..., Program[Any]]] = {RECSYS: recsys, CSP: csp}


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of a run that all its processes need.

    transcripts, checkpoints: the folders, if these are wanted.
    coins_label: a label for reproducible coins, for tests alone.
    room: where encrypted matrices lie, here or at the workers.
    """

    transcripts: Path | None
    checkpoints: Path | None
    coins_label: str | None
    room: Room = MEMORY


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """How a server's process and those of its workers did, at the end of a run."""

    server: ProcessHealth
    workers: tuple[WorkerHealth, ...] = ()


class StoppedError(PeerError):
    """A party stopped for a reason that lies outside the protocol: a full disk, or a bug."""


class _ReportingEnds(PipeEnds):
    """The ends of a server, which report every refusal to the calling process at once."""

    def __init__(
        self,
        account: Account,
        pipes: Mapping[Role, Connection],
        tell: Callable[[str, object], None],
    ) -> None:
        super().__init__(account, pipes)
        self._tell = tell

    def refuse(self, to: Role, error: PpmfError) -> None:
        """Note a refusal, and report it."""
        known = len(self.refusals)
        super().refuse(to, error)
        if len(self.refusals) > known:  # there is a bound on what the calling process is told
            self._tell("refused", (error.kind, str(error)))


@dataclass(frozen=True, slots=True, repr=False)
class CspSecrets:
    """What CSP's process gets of the set-up: its private key for seals, and the consent keys."""

    sealing: bytes
    consent_keys: dict[str, bytes]

    @classmethod
    def of(cls, agreed: Agreed) -> CspSecrets:
        """CSP's part of what was agreed on."""
        return cls(agreed.sealing.secret_bytes(), dict(agreed.consent_keys))

    def as_arguments(self) -> dict[str, Any]:
        """The arguments of CSP's program."""
        return {"sealing": SealingKey(self.sealing), "consent_keys": self.consent_keys}


def serve(
    name: Role,
    session: Session,
    epoch: int,
    pipes: dict[Role, Connection],
    control: Connection,
    options: RunOptions,
    secrets: CspSecrets | None,
    cluster: Any = None,
) -> None:
    """The main function of a server's process: it runs the server and reports how that ended.

    pipes: to the other parties. control: for reports to the calling process, each a kind
    ("progress", "refused", "abandoned", "failed", "stopped" or "done") with its content. secrets:
    CSP's, in the first epoch. cluster: this server's, a `dask_workers.Cluster`, if it has one.
    """
    end_with_parent()

    def tell(kind: str, content: object) -> None:
        with suppress(OSError):  # if the calling process is gone, there is nobody to report to
            control.send((kind, content))

    def report(progress: Progress) -> None:
        tell("progress", progress)

    with ExitStack() as held:
        try:
            recorder = held.enter_context(Recorder(options.transcripts, name, epoch=epoch))
            store = Store.of_run(options.checkpoints, name, session, epoch)
            held.enter_context(store.lock())
            if epoch:  # this server may have kept a higher number than the run's folder
                epoch = max(epoch, store.last_epoch() + 1)
            else:
                store.begin(epoch)
            account = Account(name, recorder, report, store)
            suite = cipher_suite(session.suite)
            of_csp = {} if secrets is None else secrets.as_arguments()
            workers = held.enter_context(workers_of(cluster)) if cluster else None
            program = _SERVERS[name](
                session,
                suite,
                coins_of(options.coins_label, name),
                workers=workers,
                room=options.room,
                epoch=epoch,
                kept=store.kept() if epoch else None,
                **of_csp,
            )
            with _ReportingEnds(account, pipes, tell) as ends:
                bounded = limits(session, suite, epoch)
                driver = Driver(name, program, ends, session.id, epoch=epoch, limits=bounded)
                result = driver.complete()
            health = ServerHealth(health_here(), tuple(workers.health()) if workers else ())
        except AbandonedError as end:
            tell("abandoned", (end.kind, str(end)))
        except PpmfError as failure:
            tell("failed", (failure.kind, str(failure)))
        except Exception as error:
            tell("stopped", (PeerError.kind, stop_text(error)))
        else:
            tell("done", (result, account.measures(), health))


def workers_of(cluster: Any) -> AbstractContextManager[Workers]:
    """The workers of a cluster. Dask is an extra, and is loaded where it is asked for alone."""
    from ppmf_secure.transport.dask_workers import DaskWorkers

    return DaskWorkers(cluster)


def end_with_parent() -> None:
    """From now on, end this process as soon as the one that started it is gone, even if killed.

    A server waits for its peer alone most of the time, and would not notice.
    """
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def stop_text(error: Exception) -> str:
    """Why a party stopped outside the protocol: the file that the system did not let it read or
    write, too little memory, or else the place of a bug. The text of any other exception may hold
    secrets.
    """
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file of the run'}: {error.strerror}"
    if isinstance(error, MemoryError):
        return "not enough memory: workers share it, and matrices on the disk need little of it"
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return f"stopped on {type(error).__name__} at {where}, a bug in ppmf"


def failure_of(name: Role, kind: str, text: str) -> PpmfError:
    """The error with which a party stopped, from its report."""
    of_kind = {error.kind: error for error in KINDS}
    return of_kind[kind](f"{name}: {text}")


def coins_of(label: str | None, party: str) -> Coins:
    """A party's coins: those of a label for tests, else those of the operating system."""
    return Coins.system() if label is None else Coins.seeded(f"{label}/{party}")
