# SPDX-License-Identifier: Apache-2.0
"""The two servers of a run over a link: what they kept of the users, and the epochs after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ppmf_secure.driver import Driver
from ppmf_secure.link.streams import Stream
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.message_plan import limits
from ppmf_secure.session.cipher_suites import CipherSuite
from ppmf_secure.session.kept_files import KEY_BYTES, Keeper
from ppmf_secure.session.session import Session
from ppmf_secure.transport.recorded_ends import Account
from ppmf_secure.transport.store import Store
from ppmf_service.link.ends import LinkEnds
from ppmf_service.link.link import Link
from ppmf_service.link.memory import Wire
from ppmf_spec.ratings import Ratings
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.three_parties import SERVERS, run_epoch

STREAM = 1


def keep_uploads(session: Session, suite: CipherSuite, ratings: Ratings, folder: Path) -> None:
    """What both servers keep once the users have uploaded, and no checkpoint."""
    coins = Coins.seeded("linked/uploads")
    run_epoch(session, suite, lambda role: coins.child(role), ratings=ratings, checkpoints=folder)
    for checkpoint in folder.glob("*/model-*.state"):
        checkpoint.unlink()


def server(
    role: Role,
    session: Session,
    suite: CipherSuite,
    folder: Path,
    link: Link,
    stream: Stream,
    coins: Coins,
) -> Driver:
    """The driver of a server's next epoch, over a stream of its link."""
    store = Store(folder / role, Keeper(bytes(KEY_BYTES), session.id, role))
    epoch = store.last_epoch() + 1
    ends = LinkEnds(Account(role, store=store), link, stream)
    program = SERVERS[role](session, suite, coins.child(role), epoch=epoch, kept=store.kept())
    bounded = limits(session, suite, epoch)
    return Driver(role, program, ends, session.id, epoch=epoch, limits=bounded)


def run_linked(
    session: Session,
    suite: CipherSuite,
    folder: Path,
    wire: Wire,
    coins: Coins,
    disturb: Callable[[Wire], None] = lambda wire: None,
    number: int = STREAM,
) -> Mapping[Role, Any]:
    """What both programs of an epoch return, over a wire that `disturb` may cut in each turn."""
    drivers = {
        role: server(
            role, session, suite, folder, wire.links[role], wire.links[role].open(number), coins
        )
        for role in (RECSYS, CSP)
    }
    while not all(driver.finished for driver in drivers.values()):
        for driver in drivers.values():
            driver.advance()
        disturb(wire)
        if not wire.up:
            wire.connect()
        wire.pump()
    return {role: driver.result for role, driver in drivers.items()}
