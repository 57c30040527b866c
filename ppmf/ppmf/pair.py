# SPDX-License-Identifier: Apache-2.0
"""Both servers of a trial on this machine: two processes, and the folder of all that they have.

Whoever starts both servers sees what each of them sees, so such a pair protects nobody, and every
session of it is a trial. Everything else is as two operators do it: the keys, the certificates, the
enrolment, the proposal and the acceptance, the link over TLS, and the users' requests over HTTP.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import httpx

from ppmf import serving
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.session.enrolment import consent_key, make_pseudonym, token_digest
from ppmf_secure.session.invitations import (
    Invitation,
    csp_halves,
    read_invitation,
    recsys_halves,
    whole_link,
)
from ppmf_secure.session.private_files import private_folder
from ppmf_secure.session.session import NONCE_BYTES, Proposal
from ppmf_secure.session.transcript import (
    SESSION_FILE,
    Recorder,
    record_session,
    transcript_file,
)
from ppmf_service import keys, page
from ppmf_service.client import UserClient, new_http
from ppmf_service.config import NEVER, TRIAL, Ports, ServerConfig, read_config
from ppmf_service.session_rows import SessionRow
from ppmf_service.states import State
from ppmf_service.storage import opened
from ppmf_spec.errors import PeerError, StateError
from ppmf_spec.files import read_text, write_atomically
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import canonical_order
from ppmf_spec.roles import CSP, RECSYS, USERS, Role

SERVERS = (RECSYS, CSP)
_USERS_AT_ONCE = 4
_PATIENCE = 60.0
"""The seconds within which a server that was started has to answer."""

_LOOK_AGAIN = 0.2
_DAY = 86_400
_SETTING = "transcripts"


class Pair:
    """Two servers whose folders are `folder`/recsys and `folder`/csp."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[Role, subprocess.Popen[bytes]] = {}
        """The servers that run."""

    @property
    def made(self) -> bool:
        """Whether the folders of both servers are there."""
        return all(self._written(role).is_file() for role in SERVERS)

    def make(self) -> None:
        """Make both servers' folders, each with the other's certificate, on ports that are free.

        Raises StateError if the folder holds something else.
        """
        if self.folder.exists() and any(self.folder.iterdir()):
            raise StateError(f"{self.folder}: is not empty, and holds no pair of servers")
        private_folder(self.folder)
        ports = Ports(*_free_ports(len(Ports.__slots__)))
        for role in SERVERS:
            serving.make_server(self.folder / role, role, ports)
        for role in SERVERS:
            certificate = (self.folder / role / f"{role}.pem").read_bytes()
            (self.folder / role.peer / f"{role}.pem").write_bytes(certificate)

    def config(self, role: Role) -> ServerConfig:
        """The configuration of a server."""
        return read_config(self._written(role))

    def enrol(self, count: int) -> tuple[str, ...]:
        """Enrol so many new users at both servers, and write their invitations; their pseudonyms,
        in canonical order.
        """
        coins = Coins.system()
        found: set[str] = set()
        while len(found) < count:
            found.add(make_pseudonym(coins))
        users = canonical_order(found)
        recsys, csp = self.config(RECSYS), self.config(CSP)
        public = keys.public_point(keys.read_signing_key(csp.signing_key, csp.passphrase))
        tokens = recsys_halves(users, coins, recsys.api.public_url, csp.api.public_url)
        codes = csp_halves(users, coins, keys.fingerprint(public))
        private_folder(self.invitations)
        for both in zip(tokens, codes, strict=True):
            content = Invitation(*both).text()
            keys.write_private_file(self.invitations / f"{both[0].user}.txt", content.encode())
        with opened(recsys) as storage:
            storage.members.enrol_tokens({one.user: token_digest(one.token) for one in tokens})
        with opened(csp) as storage:
            storage.members.enrol_consent_keys({one.user: consent_key(one.code) for one in codes})
        return users

    def users(self) -> tuple[str, ...]:
        """The pseudonyms of all who are enrolled, in canonical order."""
        with opened(self.config(RECSYS)) as storage:
            return storage.members.users()

    @property
    def invitations(self) -> Path:
        """The folder of the users' invitations: a file a user, with both halves."""
        return self.folder / "invitations"

    def invitation(self, user: str) -> Invitation:
        """The invitation of a user."""
        return read_invitation(read_text(self.invitations / f"{user}.txt"))

    def link(self, user: str) -> str:
        """The link that opens the page for users with a user's whole invitation."""
        return whole_link(self.config(RECSYS).api.public_url, self.invitation(user))

    def write_titles(self, titles: Mapping[str, str]) -> None:
        """Let the page for users show these titles of items."""
        folder = self.config(RECSYS).folder
        private_folder(folder)
        page.write_titles(folder, titles)

    def propose(
        self, params: Parameters, users: Sequence[str], items: Sequence[str], suite: str
    ) -> SessionRow:
        """Propose a session of these users and items, a trial, as RecSys' operator does."""
        with opened(self.config(RECSYS)) as storage:
            config, now = storage.config, storage.database.clock.now()
            key = keys.read_signing_key(config.signing_key, config.passphrase)
            proposal = Proposal(
                params,
                tuple(users),
                tuple(items),
                suite,
                keys.public_point(key),
                Coins.system().bytes(NONCE_BYTES),
                closes=now + _DAY,
                expires=now + 2 * _DAY,
                addresses=(config.api.public_url, config.link.peer_url),
                trial=True,
            )
            return storage.sessions.propose(proposal)

    def is_of(
        self, row: SessionRow, params: Parameters, users: int, items: Sequence[str], suite: str
    ) -> bool:
        """Whether a session is one of so many users, these items and these parameters."""
        with opened(self.config(RECSYS)) as storage:
            found = storage.sessions.proposal(row.key)
        shown = (found.parameters, len(found.users), found.items, found.suite)
        return shown == (params, users, tuple(items), suite)

    def accept(self, proposed: bytes) -> bytes:
        """Accept the proposal once CSP has it, as CSP's operator does; the id of the session."""
        with opened(self.config(CSP)) as storage:
            _until(lambda: storage.sessions.known(proposed), "the proposal did not reach CSP")
            config = storage.config
            key = keys.read_signing_key(config.signing_key, config.passphrase)
            return storage.sessions.accept(proposed, key, Coins.system(), peer=config.link.peer_key)

    def rows(self, role: Role = RECSYS) -> list[SessionRow]:
        """The sessions of a server, the oldest first."""
        with opened(self.config(role)) as storage:
            return storage.sessions.all()

    def until_state(
        self, key: bytes, wanted: Iterable[State], shown: Callable[[SessionRow], None]
    ) -> SessionRow:
        """Wait until RecSys' session is in one of these states; it is shown whenever it changed.

        No states are all of those in which a session ends. Raises StateError if it ended in
        another one than is wanted.
        """
        wanted = frozenset(wanted or (state for state in State if state.final))
        last: SessionRow | None = None
        with opened(self.config(RECSYS)) as storage:
            while True:
                row = storage.sessions.get(key)
                if row != last:
                    shown(row)
                    last = row
                if row.state in wanted:
                    return row
                if row.state.final:
                    why = ": ".join(row.last_error or ())
                    raise StateError(f"the session is {row.state}; {why}")
                time.sleep(_LOOK_AGAIN)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The context in which both servers run, each as a process of its own."""
        with ExitStack() as stack:
            for role in SERVERS:
                stack.enter_context(self._server(role))
            for role in SERVERS:
                url = self.config(role).api.public_url
                _until(partial(_answers, url), f"{role} does not answer: see its log")
            yield

    def keep_transcripts(self, kept: bool) -> None:
        """Let both servers keep, or not keep, what they send in sessions from now on. They read
        their configurations when they start.
        """
        for role in SERVERS:
            path = self._written(role)
            lines = [one for one in read_text(path).splitlines() if not one.startswith(_SETTING)]
            at = lines.index("[policy]") + 1
            lines.insert(at, f'{_SETTING} = "{TRIAL if kept else NEVER}"')
            write_atomically(path, "\n".join([*lines, ""]).encode())

    def transcripts(self, session_id: bytes) -> Path | None:
        """The folder of the transcripts of all parties, put together for an audit; None if a server
        has kept none. That of the users is of what `play` sent.
        """
        folder = self.folder / "transcripts"
        kept = {role: self.config(role).transcripts_folder(session_id) for role in SERVERS}
        if not all(transcript_file(kept[role], role).is_file() for role in SERVERS):
            return None
        private_folder(folder)
        for role in SERVERS:
            link = folder / role
            link.unlink(missing_ok=True)
            link.symlink_to((kept[role] / role).absolute())
        record_session(folder, (kept[RECSYS] / SESSION_FILE).read_bytes())
        sent = [self._sent(session_id, user) for user in self.users()]
        with Recorder(folder, USERS) as recorder:
            for path in sent:
                if path.is_file():
                    recorder.record("sent", RECSYS, path.read_bytes())
        return folder

    def play(
        self,
        session_id: bytes,
        rows: Sequence[tuple[str, Row]],
        done: Callable[[int], None] = lambda _: None,
    ) -> int:
        """Upload what each of these users rated, over HTTP, as their own programs do.

        Who has uploaded already, before an interruption, does not do so again.
        done: told the number of users who have finished. Returns the bytes that they sent. Raises
        as `UserClient.session` and `UserClient.put`.
        """
        private_folder(self._sent(session_id, "").parent.parent)
        private_folder(self._sent(session_id, "").parent)
        with new_http() as http, ThreadPoolExecutor(_USERS_AT_ONCE) as pool:
            sent = 0
            played = pool.map(lambda one: self._play_one(http, session_id, *one), rows)
            for number, count in enumerate(played, start=1):
                sent += count
                done(number)
            return sent

    def _play_one(self, http: httpx.Client, session_id: bytes, user: str, row: Row) -> int:
        client = UserClient(self.invitation(user), http)
        session = client.session(session_id).session
        if client.receipt(session) is not None:
            return 0
        path = self._sent(session_id, user)
        if not path.is_file():
            data = client.make(session, 1, row, Coins.system())
            keys.write_private_file(path, data)
        data = path.read_bytes()
        client.put(session, data)
        return len(data)

    def _sent(self, session_id: bytes, user: str) -> Path:
        """The file of what a user sends, kept before it is sent (PPMF-API-018)."""
        return self.folder / "uploads" / session_id.hex() / f"{user}.cbor"

    @contextmanager
    def _server(self, role: Role) -> Iterator[None]:
        """The context of the process of one server, which logs into a file of its folder."""
        command = [sys.executable, "-m", "ppmf.main", "serve", role]
        with (self.folder / role / "log.jsonl").open("ab") as log:
            process = subprocess.Popen(
                [*command, "--config", str(self._written(role))],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for this process, which ends both
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        self.processes[role] = process
        try:
            yield
        finally:
            del self.processes[role]
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _written(self, role: Role) -> Path:
        return self.folder / role / f"{role}.toml"


def _until(holds: Callable[[], bool], otherwise: str) -> None:
    """Wait until something holds; PeerError with this text if it does not in time."""
    end = time.monotonic() + _PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise PeerError(otherwise)
        time.sleep(_LOOK_AGAIN)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=_LOOK_AGAIN * 10).status_code == 200
    except httpx.HTTPError:
        return False


def _free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on now."""
    with ExitStack() as stack:
        ends = [stack.enter_context(socket.socket()) for _ in range(count)]
        for end in ends:
            end.bind(("127.0.0.1", 0))
        return [int(end.getsockname()[1]) for end in ends]
