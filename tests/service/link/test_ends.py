# SPDX-License-Identifier: Apache-2.0
"""Trainings over a link in memory: the result is the oracle's, however often the wire is cut."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppmf_reference import fixed
from ppmf_secure.link import streams
from ppmf_secure.link.messages import Messages
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.message_plan import most_ahead
from ppmf_secure.transport.recorded_ends import Account
from ppmf_service.link.ends import LinkEnds
from ppmf_service.link.memory import Wire
from ppmf_spec.errors import EncodingError, PeerError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, USERS, Role
from tests.support.ideal import ideal_suite
from tests.support.linked_servers import STREAM, keep_uploads, run_linked, server
from tests.support.ratings import ratings_of
from tests.support.sessions import session_of

RATINGS = ratings_of(3, 4, {(0, 0): 4, (0, 2): -5, (1, 1): 3, (2, 1): -2, (2, 3): 1})
PARAMETERS = Parameters(rank=2, iterations=2)
SESSION = session_of(PARAMETERS, RATINGS.users, RATINGS.items)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    folder.chmod(0o700)
    keep_uploads(SESSION, ideal_suite(), RATINGS, folder)
    return folder


@pytest.mark.req("PPMF-LNK-007", "PPMF-LNK-011")
@given(st.data())
@settings(max_examples=12)
def test_a_training_over_a_wire_that_is_cut_gives_the_oracles_profiles(
    kept: Path, data: st.DataObject
) -> None:
    wire = Wire.between(Coins.seeded("ends"))
    wire.connect()

    def disturb(wire: Wire) -> None:
        if wire.up and data.draw(st.integers(0, 4)) == 0:
            for sender in (RECSYS, CSP):
                count = wire.fill(sender)
                wire.deliver(sender, data.draw(st.integers(0, count)))
            wire.cut()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "MOST_DATA", data.draw(st.sampled_from([97, 5000, 1 << 20])))
        results = run_linked(SESSION, ideal_suite(), kept, wire, Coins.seeded("epoch"), disturb)
    assert results[RECSYS] == fixed.train(RATINGS, PARAMETERS)


@pytest.fixture
def both() -> dict[str, Messages]:
    wire = Wire.between(Coins.seeded("messages"))
    wire.connect()
    made = {role.value: Messages(wire.links[role], wire.links[role].open(1)) for role in wire.links}
    made["pump"] = wire.pump  # type: ignore[assignment]
    return made


@pytest.mark.req("PPMF-LNK-011", "PPMF-WIR-009")
def test_a_message_that_is_too_long_is_refused_when_its_length_is_known(
    both: dict[str, Messages],
) -> None:
    both["csp"].send([bytes(100), bytes(1)])
    both["pump"]()  # type: ignore[operator]
    with pytest.raises(EncodingError, match="more than the 100 bytes"):
        both["recsys"].receive(100)
    assert both["recsys"].stream.available == 101


@pytest.mark.req("PPMF-LNK-011")
def test_empty_and_whole_messages_come_one_by_one(both: dict[str, Messages]) -> None:
    for sent in (b"", b"one", b"", b"two"):
        both["csp"].send([sent])
    both["pump"]()  # type: ignore[operator]
    found = [both["recsys"].receive(3) for _ in range(5)]
    assert [None if one is None else bytes(one) for one in found] == [
        b"",
        b"one",
        b"",
        b"two",
        None,
    ]


def test_users_send_nothing_over_the_link() -> None:
    link = Wire.between(Coins.seeded("users")).links[CSP]
    with pytest.raises(PeerError, match="no messages of users"):
        LinkEnds(Account(CSP), link, link.open(1)).receive(USERS, None)


@pytest.mark.req("PPMF-LNK-017")
@pytest.mark.parametrize("ahead", [RECSYS, CSP])
def test_the_plan_knows_how_far_a_server_may_be_ahead(ahead: Role, kept: Path) -> None:
    """One server goes on as long as it can, while its peer takes nothing: what it has sent by then
    is what the peer must be able to hold.
    """
    wire = Wire.between(Coins.seeded("ahead"))
    wire.connect()
    streams = {role: wire.links[role].open(STREAM) for role in (RECSYS, CSP)}
    coins = Coins.seeded("ahead/epoch")
    drivers = {
        role: server(role, SESSION, ideal_suite(), kept, wire.links[role], stream, coins)
        for role, stream in streams.items()
    }
    most = 0
    while not all(driver.finished for driver in drivers.values()):
        drivers[ahead].advance()
        wire.pump()
        taken = streams[ahead.peer]._in.taken
        most = max(most, streams[ahead]._out.end - taken)
        drivers[ahead.peer].advance()
        wire.pump()
    assert 0 < most <= most_ahead(SESSION, ideal_suite())[ahead]
