# SPDX-License-Identifier: Apache-2.0
"""Both servers as `ppmf serve` runs them: processes that tests kill, stop and start again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.upload import upload, user_rows
from ppmf_secure.session.enrolment import consent_key, make_code, make_token, token_digest
from ppmf_secure.session.private_files import private_folder
from ppmf_secure.session.session import NONCE_BYTES, Proposal
from ppmf_service import config, keys
from ppmf_service.config import ServerConfig
from ppmf_service.session_rows import SessionRow
from ppmf_service.states import State
from ppmf_service.storage import Storage, opened
from ppmf_spec import profiles
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings
from ppmf_spec.roles import CSP, RECSYS, USERS, Role
from ppmf_spec.wire import Link

PATIENCE = 300.0
"""The seconds after which a test gives up; nothing is expected to take as long."""

_LOOK_SECONDS = 0.05


@dataclass
class RealServers:
    """Two folders, and the process of each server that runs.

    environment: that of the processes. prefix: what stands before the command of a server.
    relay_to: makes a relay to CSP's port of the link; the port that RecSys is to dial.
    """

    folder: Path
    ratings: Ratings
    params: Parameters
    suite: str
    environment: dict[str, str] = field(default_factory=dict)
    prefix: dict[Role, list[str]] = field(default_factory=dict)
    relay_to: Callable[[int], int] | None = None
    processes: dict[Role, subprocess.Popen[bytes]] = field(default_factory=dict)
    configs: dict[Role, ServerConfig] = field(default_factory=dict)
    codes: dict[str, bytes] = field(default_factory=dict)

    def set_up(self, accept: str = "trial") -> None:
        """Make both folders, as two operators do, and enrol a user for each of the ratings."""
        link = free_port()
        dialled = self.relay_to(link) if self.relay_to else link
        coins = Coins.system()
        certificates = {}
        for role in (RECSYS, CSP):
            private_folder(self.folder / role)
            key = keys.make_signing_key(coins)
            keys.write_signing_key(self.folder / role / "signing.pem", key)
            certificates[role] = keys.link_certificate(key)[0]
        for role in (RECSYS, CSP):
            (self.folder / role / f"{role.peer}.pem").write_bytes(certificates[role.peer])
            text = config.example(role)
            lines = [line for line in text.splitlines() if not line.startswith("address")]
            path = self.folder / role / f"{role}.toml"
            path.write_text(
                "\n".join(lines)
                .replace('accept = "ask"', f'accept = "{accept}"')
                .replace("[api]", '[api]\naddress = "127.0.0.1:0"')
                .replace("[monitoring]", '[monitoring]\naddress = "127.0.0.1:0"')
                .replace(
                    "[link]",
                    f'[link]\naddress = "127.0.0.1:{link if role is CSP else dialled}"',
                )
            )
            self.configs[role] = config.read_config(path)
        users = [f"u{number:06}" for number in range(self.ratings.n_users)]
        self.codes = {user: make_code(coins) for user in users}
        with self.storage(RECSYS) as recsys, self.storage(CSP) as csp:
            recsys.members.enrol_tokens({user: token_digest(make_token(coins)) for user in users})
            csp.members.enrol_consent_keys({u: consent_key(self.codes[u]) for u in users})

    def storage(self, role: Role) -> Any:
        """The context of a server's storage, beside the server if that runs."""
        return opened(self.configs[role])

    # -- processes ---------------------------------------------------------------------------------

    def start(self, *roles: Role) -> None:
        """Start servers; what they log is appended to a file beside their folder."""
        for role in roles or (CSP, RECSYS):
            command = [*self.prefix.get(role, []), sys.executable, "-m", "ppmf.main", "serve", role]
            with (self.folder / f"{role}.log").open("ab") as log:
                self.processes[role] = subprocess.Popen(
                    [*command, "--config", str(self.folder / role / f"{role}.toml")],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, "OMP_NUM_THREADS": "1", **self.environment},
                )

    def kill(self, role: Role) -> None:
        """Kill a server as a power cut would, and its engine with it."""
        process = self.processes.pop(role)
        process.kill()
        process.wait()

    def engine(self, role: Role) -> int | None:
        """The id of the process of a server's engine, if it runs and is seen.

        Threads and processes may end while they are looked at: that hides no other one.
        """
        found: list[Path] = []
        with suppress(OSError):
            found += Path(f"/proc/{self.processes[role].pid}/task").iterdir()
        for task in found:
            with suppress(OSError):
                for child in (task / "children").read_text().split():
                    if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                        return int(child)
        return None

    def signal_engine(self, role: Role, number: signal.Signals) -> bool:
        """Send a signal to a server's engine. Returns whether there was one."""
        child = self.engine(role)
        if child is not None:
            with suppress(ProcessLookupError):
                os.kill(child, number)
        return child is not None

    def end(self) -> None:
        """End both servers in order."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def logged(self, role: Role) -> str:
        """What a server has logged."""
        return (self.folder / f"{role}.log").read_text()

    # -- sessions ----------------------------------------------------------------------------------

    def propose(self, **more: Any) -> bytes:
        """RecSys' operator proposes a session; its key."""
        key = keys.read_signing_key(self.configs[RECSYS].signing_key)
        values = {"least": 2, "trial": True, **more}
        with self.storage(RECSYS) as storage:
            proposal = Proposal(
                self.params,
                storage.members.users(),
                self.ratings.items,
                self.suite,
                keys.public_point(key),
                Coins.system().bytes(NONCE_BYTES),
                **values,
            )
            proposed: bytes = storage.sessions.propose(proposal).key
            return proposed

    def upload_all(self, key: bytes) -> None:
        """All users upload, and RecSys acknowledges."""
        coins = Coins.system()
        with self.storage(RECSYS) as storage:
            session = storage.sessions.signed_session(key).session
            for number, (_, rated) in enumerate(user_rows(self.ratings)):
                user = session.users[number]
                made = upload(session, user, 1, rated, consent_key(self.codes[user]), coins)
                data = Link(session.id, 0, USERS, RECSYS).encode(made)
                storage.uploads.put(key, number, 1, data)

    def row(self, role: Role, key: bytes) -> SessionRow | None:
        with self.storage(role) as storage:
            return storage.sessions.get(key) if storage.sessions.known(key) else None

    def states(self, key: bytes) -> tuple[State | None, State | None]:
        """The state of a session at RecSys and at CSP."""
        recsys, csp = (self.row(role, key) for role in (RECSYS, CSP))
        return recsys.state if recsys else None, csp.state if csp else None

    def until(self, done: Callable[[], object], patience: float = PATIENCE) -> None:
        """Wait until that is so."""
        end = time.monotonic() + patience
        while not done():
            if time.monotonic() > end:
                logs = {role: self.logged(role)[-2000:] for role in (RECSYS, CSP)}
                raise AssertionError(f"it did not come about: {logs}")
            time.sleep(_LOOK_SECONDS)

    def until_both(self, key: bytes, state: State, patience: float = PATIENCE) -> None:
        """Wait until a session is in that state at both servers."""
        self.until(lambda: self.states(key) == (state, state), patience)

    def profiles(self, key: bytes) -> ItemProfiles:
        """V, as RecSys published it."""
        row = self.row(RECSYS, key)
        assert row is not None
        assert row.id is not None
        return profiles.read(self.configs[RECSYS].profiles_file(row.id))


@contextmanager
def real_servers(
    folder: Path, ratings: Ratings, params: Parameters, suite: str, **more: Any
) -> Iterator[RealServers]:
    """Two servers that are set up and not started; they are ended with the context."""
    servers = RealServers(folder, ratings, params, suite, **more)
    servers.set_up()
    try:
        yield servers
    finally:
        servers.end()


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


__all__ = ["RealServers", "Storage", "free_port", "real_servers"]
