# SPDX-License-Identifier: Apache-2.0
"""The one composition of the three parties in tests: an epoch of a run, in this thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ppmf_secure.effects import Program
from ppmf_secure.parties.csp import csp
from ppmf_secure.parties.recsys import recsys
from ppmf_secure.parties.users import users
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.workers import Workers
from ppmf_secure.protocols.message_plan import limits
from ppmf_secure.protocols.upload import user_rows
from ppmf_secure.session.checkpoint import Kept
from ppmf_secure.session.cipher_suites import CipherSuite
from ppmf_secure.session.kept_files import KEY_BYTES, Keeper
from ppmf_secure.session.session import Session
from ppmf_secure.session.set_up import write
from ppmf_secure.session.transcript import Recorder, record_session
from ppmf_secure.transport.recorded_ends import Account, Progress
from ppmf_secure.transport.stepper import run_together
from ppmf_secure.transport.store import Store
from ppmf_spec.ratings import Ratings
from ppmf_spec.roles import CSP, RECSYS, USERS, Role
from tests.support.sessions import SEALING, consent_keys, signed

SERVERS: Mapping[Role, Callable[..., Program[Any]]] = {RECSYS: recsys, CSP: csp}


def run_epoch(
    session: Session,
    suite: CipherSuite | Mapping[Role, CipherSuite],
    coins: Callable[[Role], Coins],
    *,
    ratings: Ratings | None = None,
    epoch: int = 0,
    epochs: Mapping[Role, int] | None = None,
    transcripts: Path | None = None,
    checkpoints: Path | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    change: Callable[[Role, Program[Any]], Program[Any]] = lambda _, program: program,
    workers: Mapping[Role, Workers] = MappingProxyType({}),
) -> dict[Role, Any]:
    """Run the servers, and in epoch 0 the users with their ratings; what each program returned.

    suite: the cipher suite, or one for each server. coins: those of a party. epochs: the numbers
    that the servers expect for a later epoch, where they differ. transcripts,
    checkpoints: folders; a later epoch goes on from the latter. change: what becomes of a party's
    program before it runs, for instance a power cut. workers: those of each server that has any.
    """
    programs: dict[Role, Program[Any]] = {}
    accounts: dict[Role, Account] = {}
    keys = consent_keys(session)
    record_session(transcripts, write(signed(session)))
    suites = suite if isinstance(suite, Mapping) else dict.fromkeys(SERVERS, suite)
    with ExitStack() as stack:
        for role in (USERS, RECSYS, CSP) if ratings is not None else (RECSYS, CSP):
            keeper = Keeper(bytes(KEY_BYTES), session.id, role, epoch)
            store = Store(checkpoints / role if checkpoints and role is not USERS else None, keeper)
            recorder = stack.enter_context(Recorder(transcripts, role, epoch=epoch))
            accounts[role] = Account(role, recorder, on_progress, store)
            if role is USERS:
                assert ratings is not None
                program = users(session, user_rows(ratings), keys, coins(role))
            else:
                kept = store.kept() if epoch else None
                server, chosen = SERVERS[role], suites[role]
                of_csp = {"sealing": SEALING, "consent_keys": keys} if role is CSP else {}
                own = epochs[role] if epochs else epoch
                program = server(
                    session,
                    chosen,
                    coins(role),
                    epoch=own,
                    kept=kept,
                    workers=workers.get(role),
                    **of_csp,
                )
            programs[role] = change(role, program)
        bounded = limits(session, suites[RECSYS], epoch)
        return run_together(programs, session.id, epoch=epoch, limits=bounded, accounts=accounts)


def kept_by(session: Session, checkpoints: Path, role: Role) -> Kept:
    """What a server has kept, in the folder of a run of `run_epoch`."""
    return Store(checkpoints / role, Keeper(bytes(KEY_BYTES), session.id, role)).kept()
