# SPDX-License-Identifier: Apache-2.0
"""The whole service under a schedule: both engines, both interfaces, the users, their networks.

All of it runs in one thread, on the storage of the real servers and with a clock that only the
schedule moves. A schedule is a list of actions; whatever it is, once the network is quiet the
servers publish the oracle's profiles of those whose uploads stand (`Simulation.check`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

import httpx
import numpy as np
import pytest
from anyio.from_thread import BlockingPortal

from ppmf_secure.link.control import AdmissionControl, ClosingControl, Control
from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.protocols.admission import read_rows
from ppmf_secure.session.session import Session
from ppmf_secure.transport import store
from ppmf_secure.transport.store import Store
from ppmf_service import submission
from ppmf_service.api.csp_api import csp_app
from ppmf_service.api.metrics import Metrics
from ppmf_service.api.users_api import users_app
from ppmf_service.client import Receipt, UserClient
from ppmf_service.clock import SettableClock
from ppmf_service.database import Database
from ppmf_service.engine import recsys
from ppmf_service.link.control_messages import ControlMessages
from ppmf_service.link.ends import LinkEnds
from ppmf_service.states import State
from ppmf_service.user_folder import UserFolder
from ppmf_spec import profiles, wire
from ppmf_spec.errors import PeerError, StateError
from ppmf_spec.roles import CSP, RECSYS, Role
from ppmf_spec.wire import Bulk
from tests.support.engines import TURN_SECONDS, World
from tests.support.faulty_proxy import Fault, FaultyProxy
from tests.support.ratings import ratings_of
from tests.support.served import Served
from tests.support.services import CLOSES

USERS, ITEMS, LEAST = 3, 4, 2
GRACE = 20
"""The seconds for which the intake stays open once all users are present."""

# -- actions -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Turns:
    """Nothing goes wrong for so many turns."""

    count: int


@dataclass(frozen=True)
class Step:
    """One engine steps, and nothing travels."""

    role: Role


@dataclass(frozen=True)
class Carry:
    """That part of what a server has to send arrives, in 256ths; the rest stays on its way."""

    sender: Role
    part: int


@dataclass(frozen=True)
class Cut:
    """The connection of the servers is cut; what is on its way is lost."""


@dataclass(frozen=True)
class Kill:
    """A server dies at its durable write of that number from now, and starts again.

    kept: whether that write is still made.
    """

    role: Role
    write: int
    kept: bool


@dataclass(frozen=True)
class Restart:
    """A server dies between two steps, and starts again."""

    role: Role


@dataclass(frozen=True)
class Wait:
    """Time passes in which nothing happens."""

    seconds: int


@dataclass(frozen=True)
class Rate:
    """A user uploads these ratings, x by item; none withdraw what was uploaded.

    faults: what happens to the requests of it, in order.
    """

    user: int
    rated: Mapping[int, int]
    faults: Sequence[Fault] = ()


@dataclass(frozen=True)
class Late:
    """The requests of a user that were held back arrive, the last first."""

    user: int


Action: TypeAlias = Turns | Step | Carry | Cut | Kill | Restart | Wait | Rate | Late


class KilledError(BaseException):
    """A server ends here; nothing in it catches this."""


# -- users ---------------------------------------------------------------------------------------


class _Running(httpx.BaseTransport):
    """Requests to a server as it runs now."""

    def __init__(self, served: Served, role: Role) -> None:
        self._served = served
        self._role = role

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._served.transport(self._role).handle_request(request)


class _Meanwhile(SettableClock):
    """A user's clock, the servers' one; the servers go on while the user waits."""

    def __init__(self, world: Simulation) -> None:
        self._world = world

    def now(self) -> int:
        return self._world.clock.now()

    def monotonic(self) -> float:
        return self._world.clock.monotonic()

    def advance(self, seconds: float) -> None:
        self._world.clock.advance(max(0.0, seconds - TURN_SECONDS))
        self._world.turn()


@dataclass
class _User:
    """A user, and what they know.

    made: what each serial was used for. acknowledged: the serial of the last acknowledgement.
    """

    client: UserClient
    folder: UserFolder
    proxy: FaultyProxy
    faults: list[Fault]
    session: Session | None = None
    made: dict[int, Mapping[int, int]] = field(default_factory=dict)
    acknowledged: int = 0


# -- the world -----------------------------------------------------------------------------------


class Simulation(World):
    """A session that RecSys' operator has proposed, and all who have to do with it.

    What must never happen is watched all the time, and raises AssertionError: an epoch that a
    server begins twice, two messages of a server under one epoch and number.
    """

    def __init__(self, folder: Path, portal: BlockingPortal) -> None:
        super().__init__(folder, ratings=ratings_of(USERS, ITEMS, {}), grace=GRACE)
        self.served = Served(self.servers, folder, portal, {}, Metrics())
        for role in (RECSYS, CSP):
            self._serve(role)
        self.users = [self._user(folder, user) for user in self.servers.tokens]
        self._patch = pytest.MonkeyPatch()
        self._steps: Role | None = None
        self._kills: dict[Role, Kill] = {}
        self.begun: set[tuple[str, bytes, int]] = set()
        self._sent: dict[tuple[Role, bytes, int, int], bytes] = {}
        self.killed = 0
        self._watch()
        self.key = self.propose(least=LEAST)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _: type[BaseException] | None,
        __: BaseException | None,
        ___: TracebackType | None,
    ) -> None:
        self._patch.undo()
        self.served.__exit__(None, None, None)

    def play(self, schedule: Sequence[Action]) -> None:
        """Let one action after the other happen."""
        for action in schedule:
            self._act(action)

    def _act(self, action: Action) -> None:
        match action:
            case Turns(count):
                for _ in range(count):
                    self.turn()
            case Step(role):
                self.step(role)
            case Carry(sender, part):
                if not all(link.connected for link in self.wire.links.values()):
                    self.wire.connect()
                self.wire.deliver(sender, self.wire.fill(sender) * part // 256)
            case Cut():
                self.wire.cut()
            case Kill(role):
                self._kills[role] = action
            case Restart(role):
                self.restart(role)
            case Wait(seconds):
                self.clock.advance(seconds)
            case Rate(user, rated, faults):
                self._rate(self.users[user], rated, faults)
            case Late(user):
                self.users[user].proxy.deliver_late()

    # -- servers -----------------------------------------------------------------------------------

    def _serve(self, role: Role) -> None:
        config, database = self.configs[role], self.server(role).database
        app = users_app if role is RECSYS else csp_app
        self.served.apps[role] = app(config, database, self.clock)

    def restart(self, role: Role) -> None:
        super().restart(role)
        self._serve(role)

    def step(self, role: Role) -> None:
        self._steps = role
        try:
            super().step(role)
        except KilledError:
            self._steps = None
            self.killed += 1
            self.restart(role)
        finally:
            self._steps = None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A durable write of the server that steps; it may be its last."""
        kill = None if self._steps is None else self._kills.pop(self._steps, None)
        if kill is not None and kill.write > 1:
            self._kills[kill.role] = Kill(kill.role, kill.write - 1, kill.kept)
            kill = None
        if kill is not None and not kill.kept:
            raise KilledError
        yield
        if kill is not None:
            raise KilledError

    def _watch(self) -> None:
        """See to what the servers keep and send."""
        real: dict[str, Callable[..., Any]] = {
            "write": store.write_durably,
            "transaction": Database.transaction,
            "begin": Store.begin,
            "put": LinkEnds.put,
            "send": ControlMessages.send,
        }

        def write(path: Path, content: bytes) -> None:
            with self._writing():
                real["write"](path, content)

        @contextmanager
        def transaction(database: Database) -> Iterator[Any]:
            with self._writing(), real["transaction"](database) as connection:
                yield connection

        def begin(kept: Store, epoch: int) -> None:
            real["begin"](kept, epoch)
            begun = (kept._keeper.party, kept._keeper.session_id, epoch)
            assert begun not in self.begun, "an epoch is begun twice"
            self.begun.add(begun)

        def put(ends: LinkEnds, to: Role, pieces: Sequence[Bulk]) -> None:
            self._note_sent(ends.account.party, b"".join(pieces))
            real["put"](ends, to, pieces)

        def send(control: ControlMessages, message: Control) -> None:
            if isinstance(message, ClosingControl | AdmissionControl):
                sender = RECSYS if isinstance(message, ClosingControl) else CSP
                self._note_sent(sender, message.message)
            real["send"](control, message)

        self._patch.setattr(store, "write_durably", write)
        self._patch.setattr(recsys, "write_durably", write)
        self._patch.setattr(Database, "transaction", transaction)
        self._patch.setattr(Store, "begin", begin)
        self._patch.setattr(LinkEnds, "put", put)
        self._patch.setattr(ControlMessages, "send", send)

    def _note_sent(self, sender: Role, data: bytes) -> None:
        found = wire.decode(data)
        under = (sender, found.session, found.epoch, found.number)
        same = self._sent.setdefault(under, data) == data
        assert same, f"{sender}: two messages under epoch {found.epoch}, number {found.number}"

    # -- users -------------------------------------------------------------------------------------

    def _user(self, folder: Path, name: str) -> _User:
        faults: list[Fault] = []
        drawn = iter(lambda: faults.pop(0) if faults else Fault.NONE, None)
        proxy = FaultyProxy(_Running(self.served, RECSYS), drawn)
        http = self.served.http(recsys=proxy, csp=_Running(self.served, CSP))
        coins = self.coins.child(f"client/{name}")
        client = UserClient(self.served.invitation(name), http, _Meanwhile(self), coins)
        return _User(client, UserFolder(folder / name), proxy, faults)

    def _rate(self, user: _User, rated: Mapping[int, int], faults: Sequence[Fault]) -> None:
        """A user's program starts, uploads or withdraws, and ends."""
        user.faults[:] = faults
        if user.session is None:
            with suppress(StateError, PeerError):  # the session is not open yet, or not found
                user.session = user.client.newest().session
        if user.session is None or not (rated or user.made):
            return
        receipt = None
        try:
            receipt = self._submit(user, user.session, rated)
        except StateError as refusal:
            self._check_closed(refusal)
        except PeerError:  # no answer: it may have arrived or not
            pass
        if (last := user.folder.last(user.session.id)) is not None:
            user.made.setdefault(last.serial, rated)
        if receipt is not None:
            assert user.made.get(receipt.serial, rated) == rated, "something else is acknowledged"
            assert receipt.serial >= user.acknowledged, "an older upload is acknowledged"
            user.acknowledged = receipt.serial

    def _check_closed(self, refusal: StateError) -> None:
        state = self.row(RECSYS, self.key).state
        late = state is not State.OPEN or self.clock.now() >= CLOSES
        assert late, f"refused while the intake is open: {refusal}"

    def _submit(self, user: _User, session: Session, rated: Mapping[int, int]) -> Receipt:
        if not rated:
            return submission.withdraw(user.client, user.folder, session)
        row = Row(np.array([*rated]), np.array([*rated.values()]))
        coins = self.coins.child(f"upload/{user.client.user}/{len(user.proxy.requests)}")
        return submission.submit(user.client, user.folder, session, row, coins).receipt

    # -- the end -----------------------------------------------------------------------------------

    def check(self) -> None:
        """Let the network be quiet, and check what must have come about."""
        self._kills.clear()
        for user in self.users:
            user.faults.clear()
            user.proxy.deliver_late()
        self.until(lambda: self.row(RECSYS, self.key).id is not None)
        self.clock.advance(max(0, CLOSES - self.clock.now()))
        self.until(lambda: all(self.row(role, self.key).erased for role in (RECSYS, CSP)))
        for role in (RECSYS, CSP):
            for error in self.errors(role):
                assert isinstance(error, PeerError | StateError), error
        for user in self.users:
            _check_serials(user)
        stand = {row: rated for row in range(USERS) if (rated := self._stands(row))}
        if len(stand) < LEAST:
            assert self.states(self.key) == (State.ABANDONED, State.ABANDONED)
            return
        assert self.states(self.key) == (State.FINISHED, State.FINISHED)
        for role in (RECSYS, CSP):
            admitted = self.row(role, self.key).admitted
            assert admitted is not None
            found_in = list(read_rows(admitted, USERS, "admission"))
            assert found_in == list(stand), "others are admitted than those who took part"
        table = {(row, item): x for row, rated in stand.items() for item, x in rated.items()}
        due = self.expected(ratings_of(USERS, ITEMS, table))
        found, data = self.users[0].client.profiles(self.session(self.key))
        assert found == due, "V is not the oracle's"
        assert data == profiles.dumps(due).encode()
        digest = self.row(CSP, self.key).profiles_digest
        assert digest == hashlib.sha256(data).digest()

    def _stands(self, row: int) -> Mapping[int, int]:
        """The ratings of a user that RecSys has: of what was acknowledged last, or of something
        newer that the user sent without an answer.
        """
        user = self.users[row]
        serial = self.server(RECSYS).uploads.receipt(self.key, row).serial
        assert serial >= user.acknowledged, "what was acknowledged is lost"
        return user.made[serial] if serial else {}


def _check_serials(user: _User) -> None:
    """Check that a user never sent two different things under one serial."""
    seen: dict[int, bytes] = {}
    for request in user.proxy.requests:
        if request.method == "PUT":
            message = wire.decode(request.content).message
            assert isinstance(message, wire.Upload)
            serial = message.serial
        elif request.method == "DELETE":
            serial = int(request.url.params["serial"])
        else:
            continue
        same = seen.setdefault(serial, request.content) == request.content
        assert same, f"two uploads under serial {serial}"
