# SPDX-License-Identifier: Apache-2.0
"""Two operators who have made their servers' folders and enrolled users, by commands alone."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from ppmf import main
from ppmf_service.config import read_config
from ppmf_service.keys import read_signing_key
from ppmf_service.storage import Storage, opened
from ppmf_spec.roles import CSP, RECSYS, Role


def run(*arguments: object) -> None:
    """Run a command, which has to succeed."""
    assert main.main([str(one) for one in arguments]) == 0


@dataclass(frozen=True)
class Operators:
    """The folder in which each has a folder of their own, and the halves that they made."""

    folder: Path

    def config(self, role: Role) -> Path:
        return self.folder / role / f"{role}.toml"

    def halves(self, role: Role) -> Path:
        return self.folder / f"halves-{role}"

    def users(self) -> list[str]:
        return (self.halves(RECSYS) / "users.txt").read_text().split()

    def half(self, role: Role, user: str) -> Path:
        return self.halves(role) / f"{user}.txt"

    def catalogue(self, items: int = 4) -> Path:
        path = self.folder / "catalogue.csv"
        path.write_text("item\n" + "".join(f"i{number}\n" for number in range(1, items + 1)))
        return path

    def propose(self, *more: object) -> None:
        """Propose a session and carry the proposal over, as the link does."""
        run("session", "propose", "--config", self.config(RECSYS), "--catalogue", self.catalogue(),
            "--trial", "--suite", "rlwe-64-insecure", *more)  # fmt: skip
        with self.storage(RECSYS) as ours, self.storage(CSP) as theirs:
            theirs.sessions.propose(ours.sessions.proposal(ours.sessions.all()[-1].key))

    def open(self) -> bytes:
        """Carry acceptance and signature over, as the link does; the id of the last session."""
        with self.storage(RECSYS) as ours, self.storage(CSP) as theirs:
            key = ours.sessions.all()[-1].key
            signing = read_signing_key(ours.config.signing_key)
            peer = ours.config.link.peer_key
            found = ours.sessions.accepted(
                key, *theirs.sessions.acceptance(key), signing, peer=peer
            )
            theirs.sessions.opened(key, ours.sessions.signed_session(key).by_recsys)
            ours.sessions.opened(key)
        assert found.id is not None
        return found.id

    def storage(self, role: Role) -> AbstractContextManager[Storage]:
        return opened(read_config(self.config(role)))


def operators(folder: Path, users: int = 3) -> Operators:
    """Both, with so many users enrolled."""
    made = Operators(folder)
    for role in (RECSYS, CSP):
        run("session", "init", folder / role, "--role", role)
    for role in (RECSYS, CSP):
        shutil.copy(folder / role / f"{role}.pem", folder / role.peer)
    run("enrol", "tokens", "--config", made.config(RECSYS), "--count", users,
        "--out", made.halves(RECSYS))  # fmt: skip
    run("enrol", "codes", "--config", made.config(CSP), "--out", made.halves(CSP),
        "--user-list", made.halves(RECSYS) / "users.txt")  # fmt: skip
    return made
