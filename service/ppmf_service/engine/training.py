# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine runs of the protocol: the decision who takes part, and the epochs after it.

The programs are those of `ppmf_secure`. The decision travels as control messages, before any epoch;
its ends give the program what the database and the peer have said. An epoch travels on a stream of
the link.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from ppmf_secure.driver import Driver
from ppmf_secure.effects import Program
from ppmf_secure.link.streams import Stream
from ppmf_secure.parties.csp import csp
from ppmf_secure.parties.recsys import recsys
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.room import MEMORY, Room
from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.primitives.workers import WorkerHealth, Workers
from ppmf_secure.protocols import admission
from ppmf_secure.protocols.admission import AbandonedError, take_closing, take_uploads
from ppmf_secure.protocols.message_plan import limits
from ppmf_secure.session.checkpoint import read_admission, read_closing
from ppmf_secure.session.cipher_suites import CipherSuite
from ppmf_secure.session.session import Session
from ppmf_secure.session.transcript import Recorder
from ppmf_secure.transport.recorded_ends import Account, Measure, Progress, RecordedEnds
from ppmf_secure.transport.store import Store
from ppmf_service.clock import Clock
from ppmf_service.link.ends import LinkEnds
from ppmf_service.link.link import Link
from ppmf_spec import wire
from ppmf_spec.errors import PeerError, PpmfError, StateError
from ppmf_spec.roles import CSP, RECSYS, USERS, Role
from ppmf_spec.wire import Bulk

_SERVERS: Mapping[Role, Callable[..., Program[Any]]] = {RECSYS: recsys, CSP: csp}


class LostError(StateError):
    """What a session needs in order to go on is lost, and it ends."""


class Decision:
    """The program that decides who takes part, at one server, and its one message to the peer.

    answer: the closing or the admission, once it may be sent.
    """

    def __init__(
        self,
        program: Program[Any],
        ends: _DecisionEnds,
        session: Session,
        suite: CipherSuite,
        recorder: Recorder,
    ) -> None:
        self._ends = ends
        bounded = limits(session, suite, 0)
        self._driver = Driver(ends.account.party, program, ends, session.id, limits=bounded)
        self._recorder = recorder
        self.abandoned: AbandonedError | None = None

    @property
    def answer(self) -> bytes | None:
        """What the program has sent; at CSP only once it has kept all that follows from it."""
        kept = self._driver.finished or self.abandoned is not None
        return self._ends.sent if kept or self._ends.account.party is RECSYS else None

    def advance(self, said: bytes | None = None) -> bool:
        """Run the program as far as it goes, and return whether it has finished or abandoned.

        said: what the peer said, once. Raises what the program refuses, and OSError where the
        database or the disk is not what it was.
        """
        if said is not None:
            self._ends.said = said
        try:
            self._driver.advance()
        except AbandonedError as end:
            self.abandoned = end
        return self._driver.finished or self.abandoned is not None

    def close(self) -> None:
        """End the program where it stands, and its transcript."""
        self._driver.close()
        self._recorder.close()


def decide_at_recsys(
    session: Session,
    suite: CipherSuite,
    uploads: Iterator[bytes],
    store: Store,
    path: str,
    recorder: Recorder,
) -> Decision:
    """RecSys' decision, from the uploads that were frozen (PPMF-ADM-001 to -008).

    path: of the database, for an error.
    """
    ends = _DecisionEnds(Account(RECSYS, recorder, store=store), _checked(uploads, path))
    ends.account.clock = _never  # the intake was closed by the database, and not by this program
    return Decision(take_uploads(session), ends, session, suite, recorder)


def decide_at_csp(
    session: Session,
    suite: CipherSuite,
    key: SealingKey,
    consent_keys: Mapping[str, bytes],
    store: Store,
    by: Callable[[], int],
    recorder: Recorder,
) -> Decision:
    """CSP's decision, for the closing that RecSys sends (PPMF-ADM-004 to -008).

    by: the time, or 0 while the clock is in doubt: then it is not yet time (PPMF-SRV-026).
    """
    ends = _DecisionEnds(Account(CSP, recorder, store=store), iter(()))
    ends.account.clock = by
    program = take_closing(session, key, consent_keys)
    return Decision(program, ends, session, suite, recorder)


def kept_decision(session: Session, store: Store) -> admission.Decision | None:
    """The decision that this server has made and of which it has kept all; None if there is none.

    Raises EncodingError for a damaged file (PPMF-ADM-007).
    """
    closing, admitted = store.kept_once("closing"), store.kept_once("admission")
    if closing is None or admitted is None or store.kept_once("ratings") is None:
        return None
    return admission.Decision(read_closing(session, closing), read_admission(session, admitted))


def kept_closing(session: Session, store: Store) -> wire.Closing | None:
    """The closing that this server has kept, if any; raises as `kept_decision`."""
    data = store.kept_once("closing")
    return None if data is None else read_closing(session, data)


def _never() -> float:
    return 0.0


def _checked(uploads: Iterator[bytes], path: str) -> Iterator[bytes]:
    """The uploads; what is wrong with one on this server's disk is no user's fault."""
    try:
        yield from uploads
    except PpmfError as error:
        raise OSError(errno.EIO, str(error), path) from error


class _DecisionEnds(RecordedEnds):
    """Ends over what the users have uploaded and what the peer has said."""

    def __init__(self, account: Account, uploads: Iterator[bytes]) -> None:
        super().__init__(account)
        self._uploads = uploads
        self.said: bytes | None = None
        self.sent: bytes | None = None

    def put(self, to: Role, pieces: Sequence[Bulk]) -> None:
        """Note the one message to the peer."""
        self.sent = b"".join(pieces)

    def get(self, sender: Role, most: int | None, until: int | None) -> Bulk | None:
        """The next upload, or what the peer has said."""
        if sender is USERS:
            try:
                return next(self._uploads)
            except StopIteration:
                raise PeerError("all uploads are here") from None
        found, self.said = self.said, None
        return found

    def refuse(self, to: Role, error: PpmfError) -> None:
        """Raise OSError: every upload was checked before it was acknowledged."""
        raise OSError(errno.EIO, f"an upload in the database is not right: {error}", "uploads")

    def wait(self, until: int) -> None:
        """Nobody waits here: the program is asked again."""


class Epoch:
    """One epoch of a session at one server, on a stream of the link. health: of how many workers
    there were, and what those say of themselves that answered last; None without workers.

    on_begin: told the number of the epoch, once it is kept. on_progress: told each phase.
    number: of the epoch. asked: whether somebody else wants the thread. recorder: makes what
    records the epoch of a number. workers: those of this server, from when it begins to its end.
    room: where encrypted matrices lie.
    """

    def __init__(
        self,
        me: Role,
        number: int,
        session: Session,
        suite: CipherSuite,
        store: Store,
        link: Link,
        stream: Stream,
        coins: Coins,
        clock: Clock,
        *,
        on_begin: Callable[[int], None],
        on_progress: Callable[[Progress], None],
        asked: Callable[[], bool],
        recorder: Callable[[int], Recorder],
        workers: AbstractContextManager[Workers | None],
        room: Room = MEMORY,
    ) -> None:
        self.session_id = session.id
        self.health: tuple[int, tuple[WorkerHealth, ...]] | None = None
        self._link = link
        self.stream = stream
        with ExitStack() as held:
            recording = held.enter_context(recorder(number))
            account = self._account = Account(me, recording, on_progress, store)
            account.clock = clock.now
            ends = _EpochEnds(account, link, stream, asked, on_begin)
            self._workers = held.enter_context(workers)
            program = _SERVERS[me](
                session,
                suite,
                coins,
                epoch=number,
                kept=store.kept(),
                workers=self._workers,
                room=room,
            )
            bounded = limits(session, suite, number)
            self._driver = Driver(me, program, ends, session.id, epoch=number, limits=bounded)
            self._held = held.pop_all()

    def advance(self) -> bool:
        """Run the program as far as it goes, and return whether it has finished.

        Raises what ends the epoch; the peer is told.
        """
        try:
            self._driver.advance()
        except PpmfError as error:
            self.give_up(error)
            raise
        except OSError:
            self.give_up(StateError("a file could not be read or written"))
            raise
        except BaseException:
            self.give_up(StateError("stopped on a bug"))
            raise
        if self._driver.finished:
            self._link.finish(self.stream)
            self.ask_workers()
            self._held.close()
        return self._driver.finished

    def give_up(self, error: PpmfError) -> None:
        """End the epoch, and tell the peer why."""
        self._link.give_up(self.stream, error)
        self._driver.close()
        self._held.close()

    def ask_workers(self) -> None:
        """Ask the workers, if there are any, how they are; `health` has what they say."""
        if self._workers is not None:
            self.health = self._workers.count, tuple(self._workers.health())

    @property
    def taken(self) -> tuple[Measure, ...]:
        """What the epoch took until now, by phase."""
        return self._account.measures()

    @property
    def result(self) -> Any:
        """What the program returned: V at RecSys."""
        return self._driver.result


class _EpochEnds(LinkEnds):
    """Ends over a stream that tell the number of the epoch."""

    def __init__(
        self,
        account: Account,
        link: Link,
        stream: Stream,
        asked: Callable[[], bool],
        on_begin: Callable[[int], None],
    ) -> None:
        super().__init__(account, link, stream, asked)
        self._on_begin = on_begin

    def begin(self, epoch: int) -> None:
        """Keep the number of the epoch, and tell it."""
        super().begin(epoch)
        self._on_begin(epoch)
