# SPDX-License-Identifier: Apache-2.0
"""Both engines, from a proposal to V: in order, cut off, restarted, refused and given up."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ppmf_secure.link import control
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session import proposals
from ppmf_secure.session.enrolment import consent_key
from ppmf_secure.transport import store
from ppmf_service import erasure
from ppmf_service.engine import csp as csp_steps
from ppmf_service.engine import recsys, training
from ppmf_service.states import State
from ppmf_spec import strict_cbor, wire
from ppmf_spec.errors import KINDS, EncodingError, ParametersError, StateError
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.engines import World
from tests.support.services import CLOSES, EXPIRES, proposal_of
from tests.support.sessions import POINTS, SIGNING


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.servers.close()


@pytest.mark.req("PPMF-LNK-013", "PPMF-LNK-014")
def test_a_session_goes_from_its_proposal_to_the_oracles_profiles(world: World) -> None:
    key = world.opened()
    world.upload_all(key)
    world.until(lambda: world.row(RECSYS, key).receipt is not None)
    assert world.states(key) == (State.FINISHED, State.FINISHED)
    assert world.profiles(key) == world.expected()
    rows = {role: world.row(role, key) for role in (RECSYS, CSP)}
    assert rows[RECSYS].profiles_digest == rows[CSP].profiles_digest
    assert rows[RECSYS].receipt == rows[CSP].receipt
    world.turn()
    for role in (RECSYS, CSP):
        world.turn()
        assert world.row(role, key).erased is not None
        assert not world.configs[role].session_folder(rows[role].id or b"").exists()
    assert world.errors(RECSYS) == world.errors(CSP) == []


@pytest.mark.parametrize("who", ["another thread", "nobody", "the engine itself"])
def test_an_engine_that_rests_sees_at_once_what_others_have_written(
    world: World, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last upload, and what the operator says, are not waited for until the next poll."""
    engine, server = world.engines[RECSYS], world.server(RECSYS)

    def write() -> None:
        server.members.enrol_tokens({f"other-{world.clock.monotonic()}": os.urandom(32)})

    def waited(seconds: float) -> bool:
        world.clock.sleep(seconds)
        if who == "the engine itself":
            server.members.enrol_tokens({f"user-{world.clock.monotonic()}": os.urandom(32)})
        elif who == "another thread":
            writer = threading.Thread(target=write)
            writer.start()
            writer.join()
        return False

    monkeypatch.setattr(engine.steps.link, "wait", waited)
    engine.rest(0.5)  # the first time it knows of nothing
    engine.steps.next_poll = before = world.clock.monotonic() + 100.0
    began = world.clock.monotonic()
    engine.rest(0.5)
    told = who == "another thread"
    assert world.clock.monotonic() - began == pytest.approx(0.1 if told else 0.5)
    assert engine.steps.next_poll == (0.0 if told else before)


@pytest.mark.req("PPMF-LNK-014")
@pytest.mark.parametrize("role", [RECSYS, CSP])
@pytest.mark.parametrize("every", [1, 2, 3, 5])
def test_a_server_that_is_restarted_all_the_time_gets_there(
    world: World, role: Role, every: int
) -> None:
    """A restart after every few turns at first, and later on fewer: an epoch has to end."""
    key = world.propose()
    restarts, turns = 0, 0

    def disturbed() -> bool:
        nonlocal restarts, turns
        turns += 1
        if turns % every == 0 and restarts < 12:
            restarts += 1
            world.restart(role)
        if world.states(key)[0] is State.OPEN and not world.server(RECSYS).uploads.count(key):
            world.upload_all(key)
        return world.states(key) == (State.FINISHED, State.FINISHED)

    world.until(disturbed)
    assert world.profiles(key) == world.expected()
    assert restarts == 12


@pytest.mark.req("PPMF-LNK-013")
def test_csp_asks_its_operator_first(tmp_path: Path) -> None:
    world = World(tmp_path, accept="ask")
    key = world.propose()
    world.until(lambda: world.row(RECSYS, key).last_error is not None)
    assert world.states(key) == (State.PROPOSED, State.PROPOSED)
    kind, line = world.row(RECSYS, key).last_error or ("", "")
    assert (kind, line) == ("state", "csp: CSP's operator has not accepted it")
    world.engines[CSP].steps.sessions.accept(key, SIGNING["csp"], Coins.seeded("accept"))
    world.until(world.is_in(key, State.OPEN))
    assert world.row(RECSYS, key).last_error is None
    world.servers.close()


@pytest.mark.req("PPMF-LNK-001", "PPMF-LNK-013")
def test_a_proposal_that_another_key_signed_is_refused(world: World) -> None:
    world.engines[CSP].steps.peer_key = POINTS["csp"]
    key = world.propose()
    world.until(lambda: world.row(RECSYS, key).last_error is not None)
    assert world.states(key) == (State.PROPOSED, None)
    assert "signing key is not that" in (world.row(RECSYS, key).last_error or "")[1]


@pytest.mark.req("PPMF-LNK-013")
def test_an_acceptance_with_another_key_is_not_taken(world: World) -> None:
    world.engines[RECSYS].steps.peer_key = POINTS["recsys"]
    key = world.propose()
    world.until(lambda: world.row(RECSYS, key).last_error is not None)
    assert world.states(key) == (State.PROPOSED, State.ACCEPTED)


@pytest.mark.req("PPMF-ADM-003", "PPMF-LNK-014")
def test_who_does_not_upload_in_time_has_no_ratings(world: World) -> None:
    key = world.opened()
    world.upload_all(key, but=1)
    world.turn()
    assert world.states(key) == (State.OPEN, State.OPEN)
    world.clock.advance(CLOSES - world.clock.now())
    world.until(world.is_in(key, State.FINISHED))
    others = world.ratings.restricted(world.ratings.user != 1)
    assert world.profiles(key) == world.expected(others)
    assert world.row(CSP, key).admitted_count == 2


@pytest.mark.req("PPMF-ADM-003")
def test_users_may_replace_their_uploads_during_the_grace(tmp_path: Path) -> None:
    world = World(tmp_path, grace=100)
    key = world.opened()
    world.upload_all(key)
    start = world.clock.now()
    world.until(lambda: world.states(key)[0] is State.CLOSED)
    assert start + 100 <= world.clock.now() < start + 105
    world.servers.close()


@pytest.mark.req("PPMF-ADM-006", "PPMF-LNK-014")
@pytest.mark.parametrize("restarted", [False, True])
def test_csp_answers_a_closing_with_somebody_who_is_not_admitted_when_it_closes(
    world: World, restarted: bool
) -> None:
    key = world.opened()
    user = world.session(key).users[2]
    world.upload_all(key)
    world.server(CSP).members.enrol_consent_keys({user: bytes(32)})
    for _ in range(20):
        world.turn()
    assert world.states(key) == (State.CLOSED, State.CLOSED)
    if restarted:
        world.restart(CSP)
    world.clock.advance(CLOSES - world.clock.now())
    world.until(world.is_in(key, State.FINISHED))
    assert world.profiles(key) == world.expected(world.ratings.restricted(world.ratings.user != 2))


@pytest.mark.req("PPMF-ENR-008")
def test_who_is_removed_while_csp_waits_is_not_admitted(world: World) -> None:
    key = world.opened()
    users = world.session(key).users
    world.upload_all(key)
    world.server(CSP).members.enrol_consent_keys({users[2]: bytes(32)})
    for _ in range(20):
        world.turn()
    assert world.states(key) == (State.CLOSED, State.CLOSED)
    world.server(CSP).members.remove([users[1]])
    world.clock.advance(CLOSES - world.clock.now())
    world.until(world.is_in(key, State.ABANDONED))
    assert "1 of 3 users are admitted" in (world.row(CSP, key).last_error or "")[1]


@pytest.mark.req("PPMF-ADM-003", "PPMF-ADM-008", "PPMF-LNK-013")
@pytest.mark.parametrize("where", ["present", "admitted"])
def test_too_few_users_end_the_session_at_both_servers(world: World, where: str) -> None:
    key = world.opened(least=3)
    if where == "present":
        world.upload_all(key, but=0)
    else:
        world.upload_all(key)
        user = world.session(key).users[0]
        world.server(CSP).members.enrol_consent_keys({user: bytes(32)})
    world.clock.advance(CLOSES - world.clock.now())
    world.until(world.is_in(key, State.ABANDONED))
    assert "have to take part" in (world.row(RECSYS, key).last_error or "")[1]
    world.turn()
    assert all(world.row(role, key).erased for role in (RECSYS, CSP))


@pytest.mark.req("PPMF-LNK-013")
@pytest.mark.parametrize("role", [RECSYS, CSP])
@pytest.mark.parametrize("during", [State.ACCEPTED, State.OPEN, State.TRAINING])
def test_a_session_that_one_operator_abandons_ends_at_both(
    world: World, role: Role, during: State
) -> None:
    key = world.propose()
    world.until(lambda: world.states(key)[0] is not State.PROPOSED)
    if during is not State.ACCEPTED:
        world.until(world.is_in(key, State.OPEN))
    if during is State.TRAINING:
        world.upload_all(key)
        world.until(lambda: world.states(key)[role is CSP] is State.TRAINING)
    world.server(role).sessions.move(key, State.ABANDONED, because="the operator wants it")
    world.until(world.is_in(key, State.ABANDONED))
    for _ in range(20):
        world.turn()
    assert all(engine.epochs.running is None for engine in world.engines.values())


@pytest.mark.req("PPMF-LNK-013")
def test_an_end_while_the_peer_was_away_reaches_it_later(world: World) -> None:
    key = world.opened()
    world.server(CSP).sessions.move(key, State.ABANDONED, because="the operator wants it")
    world.engines[CSP].step()
    world.restart(CSP)
    world.until(world.is_in(key, State.ABANDONED))


@pytest.mark.req("PPMF-SRV-015", "PPMF-LNK-013")
def test_a_session_that_expires_is_given_up_and_buried(world: World) -> None:
    key = world.opened()
    world.clock.advance(EXPIRES - world.clock.now())
    world.until(world.is_in(key, State.ABANDONED))
    assert all(world.row(role, key).buried for role in (RECSYS, CSP))


@pytest.mark.req("PPMF-SRV-028", "PPMF-LNK-013")
def test_a_catalogue_is_trained_again_when_the_operator_has_looked(world: World) -> None:

    def told(key: bytes) -> str:
        return (world.row(RECSYS, key).last_error or ("", ""))[1]

    def is_told(key: bytes) -> bool:
        return bool(told(key))

    for nonce, waits in ((1, False), (2, True)):
        key = world.opened(nonce=bytes([nonce]) * 16)
        world.upload_all(key)
        if waits:
            world.until(partial(is_told, key))
            assert "0 users joined, 0 left, 3 stayed" in told(key)
            assert world.row(CSP, key).admitted is None
            world.confirm(key)
        world.until(world.is_in(key, State.FINISHED))
        assert world.profiles(key) == world.expected()


@pytest.mark.req("PPMF-SRV-028")
def test_a_difference_in_two_steps_is_shown(world: World) -> None:
    """The third session differs from the second by one who left and one who joined, from the first
    by nobody.
    """

    def frozen(number: int, without: int) -> bytes:
        key = world.opened(nonce=bytes([number]) * 16)
        world.upload_all(key, but=without)
        world.server(RECSYS).uploads.freeze(key)
        return key

    world.confirming = True
    for number in (0, 1):
        world.until(world.is_in(frozen(number, number), State.FINISHED))
    world.confirming = False
    key = frozen(2, 0)
    world.until(lambda: world.row(CSP, key).last_error is not None)
    told = (world.row(CSP, key).last_error or ("", ""))[1]
    first = world.server(CSP).sessions.all()[0]
    assert f"2 times; the nearest is session {first.key.hex()[:12]}" in told
    assert "0 users joined, 0 left, 2 stayed" in told
    shown = world.server(CSP).sessions.shown_differences(key)
    assert [(one.joined, one.left, one.stayed) for one in shown] == [(1, 1, 1), (0, 0, 2)]


@pytest.mark.req("PPMF-SRV-028")
def test_a_session_without_a_training_hides_no_earlier_one(world: World) -> None:
    """What the operator compares with is the last set of users of which there can be a V."""

    def is_told(key: bytes) -> bool:
        return world.row(CSP, key).last_error is not None

    consent = {user: consent_key(code) for user, code in world.servers.codes.items()}
    told: list[str] = []
    for number, due in enumerate((State.FINISHED, State.ABANDONED, State.FINISHED)):
        closes = world.clock.now() + 600
        key = world.opened(nonce=bytes([number]) * 16, closes=closes)
        world.upload_all(key)
        wrong = due is State.ABANDONED  # nobody is admitted
        keys = {user: bytes(32) for user in consent} if wrong else consent
        world.server(CSP).members.enrol_consent_keys(keys)
        if number:
            world.until(partial(is_told, key))
            told.append((world.row(CSP, key).last_error or ("", ""))[1])
            world.confirm(key)
        if wrong:
            world.clock.advance(closes - world.clock.now())
        world.until(world.is_in(key, due))
    assert "0 users joined, 3 left, 0 stayed" in told[0]
    assert "0 users joined, 0 left, 3 stayed" in told[1]


@pytest.mark.req("PPMF-LNK-009", "PPMF-LNK-014")
def test_two_sessions_are_trained_one_after_the_other(world: World) -> None:
    keys = [world.opened(nonce=bytes([nonce]) * 16) for nonce in (1, 2)]
    world.confirming = True
    for key in keys:
        world.upload_all(key)
    world.until(lambda: all(world.is_in(key, State.FINISHED)() for key in keys))
    for key in keys:
        assert world.profiles(key) == world.expected()


def damage(path: Path) -> bytes:
    """Change one bit of a file, and return what it was."""
    before = path.read_bytes()
    changed = bytearray(before)
    changed[len(before) // 2] ^= 1
    path.write_bytes(bytes(changed))
    return before


@pytest.mark.req("PPMF-LNK-015", "PPMF-RES-008")
@pytest.mark.parametrize("role", [RECSYS, CSP])
@pytest.mark.parametrize("name", ["ratings", "closing", "admission", "model-1", "epoch"])
def test_a_damaged_file_is_named_and_no_v_is_made_of_it(
    world: World, role: Role, name: str
) -> None:
    key = world.opened()
    world.upload_all(key)
    folder = world.configs[role].session_folder(world.session(key).id)
    world.until((folder / "model-1.state").exists)
    world.restart(role)
    right = damage(folder / f"{name}.state")
    for _ in range(30):
        world.turn()
    kind, line = world.row(role, key).last_error or ("", "")
    assert (kind, line) == (
        "encoding",
        f"{name}.state: damaged: its tag is not that of its content",
    )
    assert not world.configs[RECSYS].profiles_file(world.session(key).id).exists()
    (folder / f"{name}.state").write_bytes(right)
    world.until(world.is_in(key, State.FINISHED))
    assert world.profiles(key) == world.expected()


@pytest.mark.req("PPMF-LNK-015")
@pytest.mark.parametrize("role", [RECSYS, CSP])
@pytest.mark.parametrize("what", ["closing", "admission", "ratings", "epoch", "model-1"])
def test_a_full_disk_is_named_and_the_session_goes_on_when_there_is_room(
    world: World, role: Role, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = world.opened()
    folder = world.configs[role].session_folder(world.session(key).id)
    write, refused = store.write_durably, 0

    def full(path: Path, content: bytes) -> None:
        nonlocal refused
        if path == folder / f"{what}.state" and refused < 3:
            refused += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, content)

    monkeypatch.setattr(store, "write_durably", full)
    world.upload_all(key)
    world.until(lambda: refused == 1)
    world.until(lambda: bool(world.errors(role)))
    assert "No space left on device" in str(world.errors(role)[0])
    world.until(world.is_in(key, State.FINISHED))
    assert refused == 3
    assert world.profiles(key) == world.expected()


@pytest.mark.req("PPMF-LNK-015")
def test_a_full_disk_when_v_is_written_costs_a_new_epoch(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = world.opened()
    write, refused = store.write_durably, list[Path]()

    def full(path: Path, content: bytes) -> None:
        if len(refused) < 2:
            refused.append(path)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, content)

    monkeypatch.setattr(recsys, "write_durably", full)
    world.upload_all(key)
    world.until(world.is_in(key, State.FINISHED))
    assert world.profiles(key) == world.expected()
    assert world.row(RECSYS, key).epoch == 3


@pytest.mark.req("PPMF-LNK-015", "PPMF-SRV-010")
def test_an_upload_that_the_disk_has_damaged_is_named_and_not_passed_over(world: World) -> None:
    key = world.opened()
    world.upload_all(key)
    database = world.server(RECSYS).database
    with database.transaction() as connection:
        (message,) = connection.execute("SELECT message FROM uploads WHERE row = 1").fetchone()
        changed = message[:-1] + bytes([message[-1] ^ 1])
        connection.execute("UPDATE uploads SET message = ? WHERE row = 1", (changed,))
    for _ in range(20):
        world.turn()
    assert world.states(key) == (State.CLOSED, State.OPEN)
    assert "damaged" in (world.row(RECSYS, key).last_error or "")[1]
    with database.transaction() as connection:
        connection.execute("UPDATE uploads SET message = ? WHERE row = 1", (message,))
    world.until(world.is_in(key, State.FINISHED))
    assert world.profiles(key) == world.expected()


@pytest.mark.req("PPMF-ADM-007", "PPMF-LNK-014")
def test_the_same_closing_is_answered_again_and_another_one_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = world.opened()
    world.upload_all(key)
    world.until(lambda: world.states(key)[1] is State.TRAINING)
    session, csp = world.session(key), world.engines[CSP]
    said: list[control.Control] = []
    monkeypatch.setattr(csp.steps.control, "send", said.append)
    kept = training.kept_closing(session, csp.steps.store(world.row(CSP, key)))
    assert kept is not None
    link = wire.Link(session.id, 0, RECSYS, CSP)
    csp._answer(control.ClosingControl(session.id, link.encode(kept)))
    (answer,) = said
    assert isinstance(answer, control.AdmissionControl)
    other = wire.Closing(kept.presence, bytes(len(kept.seals)))
    data = wire.Link(session.id, 0, RECSYS, CSP).encode(other)
    csp._answer(control.ClosingControl(session.id, data))
    assert isinstance(said[-1], control.Refused)
    assert "another one than that which was answered" in said[-1].line


@pytest.mark.req("PPMF-LNK-013")
def test_an_operator_learns_that_the_peer_is_away(world: World) -> None:
    key = world.propose()
    world.engines[RECSYS].steps.link.trouble = "link: Connection refused"
    for _ in range(60):
        world.engines[RECSYS].step()
        world.clock.advance(0.5)
    assert world.row(RECSYS, key).last_error == (
        "peer",
        "csp cannot be reached: link: Connection refused",
    )
    world.until(world.is_in(key, State.OPEN))
    assert world.row(RECSYS, key).last_error is None


@pytest.mark.req("PPMF-LNK-013")
@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_a_control_message_that_is_longer_than_any_begins_the_link_anew(
    world: World, role: Role
) -> None:
    key = world.propose()
    world.turn()
    link = world.wire.links[role.peer]
    before = link.generation
    link.write(link.control, [(control.MOST_BYTES + 1).to_bytes(8, "little"), bytes(100)])
    world.until(lambda: link.generation > before)
    world.until(world.is_in(key, State.OPEN))
    assert len(world.errors(role)) == 1


KEYS = st.sampled_from([bytes(32), b"s" * 32])
CLASSES = st.sampled_from([kind.kind for kind in KINDS])
CONTROLS = st.one_of(
    st.builds(control.Propose, KEYS, st.binary(max_size=40)),
    st.builds(control.Accept, KEYS, st.binary(max_size=40), st.binary(max_size=70)),
    st.builds(control.Sign, KEYS, st.binary(max_size=70)),
    st.builds(control.Opened, KEYS),
    st.builds(control.ClosingControl, KEYS, st.binary(max_size=40)),
    st.builds(control.AdmissionControl, KEYS, st.binary(max_size=40)),
    st.builds(control.EpochHello, KEYS, st.integers(0, (1 << 64) - 1)),
    st.builds(control.Ready, KEYS, st.integers(0, (1 << 64) - 1)),
    st.builds(control.Receipt, KEYS, st.binary(max_size=40), st.binary(max_size=70)),
    st.builds(control.Received, KEYS),
    st.builds(control.Refused, KEYS, st.text(max_size=9), CLASSES, st.text()),
    st.builds(control.Ended, KEYS, st.sampled_from(["failed", "abandoned"]), CLASSES, st.text()),
)


@pytest.mark.req("PPMF-LNK-013")
@given(CONTROLS)
def test_a_control_message_is_read_as_it_was_written(message: control.Control) -> None:
    assert control.decode(control.encode(message)) == message


@pytest.mark.req("PPMF-LNK-013")
@given(CONTROLS, st.data())
def test_a_mutated_control_message_is_another_one_or_refused(
    message: control.Control, data: st.DataObject
) -> None:
    encoded = bytearray(control.encode(message))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(EncodingError):
        control.decode(bytes(encoded))


@pytest.mark.req("PPMF-LNK-013")
@pytest.mark.parametrize(
    ("data", "line"),
    [
        (["sing", bytes(32), b""], "unknown control message 'sing'"),
        (["sign", bytes(31), b""], "a key has 32 bytes"),
        (["sign", bytes(32)], "1 members"),
        (["sign", bytes(32), 1], "by_recsys is not of its type"),
        (["epoch", bytes(32), "1"], "stream is not of its type"),
        ([1], "not an array with a name"),
        (5, "not an array with a name"),
    ],
)
def test_malformed_control_messages_are_refused(data: strict_cbor.Encodable, line: str) -> None:
    with pytest.raises(EncodingError, match=line):
        control.decode(strict_cbor.encode(data))


@pytest.mark.req("PPMF-LNK-013", "PPMF-LNK-014")
@given(st.lists(CONTROLS, max_size=6), st.sampled_from([RECSYS, CSP]), st.booleans())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_peer_says_the_engine_goes_on(
    shared: tuple[World, bytes], said: list[control.Control], role: Role, known: bool
) -> None:
    world, key = shared
    for message in said:
        session_id = key if known else message.key
        world.engines[role.peer].steps.control.send(replace(message, key=session_id))
    for _ in range(3):
        world.turn()
    states = world.states(key)
    if any(isinstance(message, control.Ended) for message in said) or states[0] is None:
        return
    for found in states:
        assert found is not State.FINISHED


@pytest.fixture
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, bytes]]:
    world = World(tmp_path_factory.mktemp("world"))
    yield world, world.opened()
    world.servers.close()


@pytest.mark.req("PPMF-LNK-014", "PPMF-LNK-015")
def test_a_session_that_csp_cannot_go_on_with_holds_up_no_later_one(world: World) -> None:
    keys = [world.opened(nonce=bytes([nonce]) * 16) for nonce in (1, 2)]
    world.confirming = True
    folder = world.configs[CSP].session_folder(world.session(keys[0]).id)
    world.upload_all(keys[0])
    world.until((folder / "model-1.state").exists)
    for role in (RECSYS, CSP):
        world.restart(role)
    damage(folder / "ratings.state")
    world.upload_all(keys[1])
    world.until(world.is_in(keys[1], State.FINISHED), turns=400)
    assert world.states(keys[0])[0] in (State.SETTING_UP, State.TRAINING)
    assert "ratings.state: damaged" in (world.row(RECSYS, keys[0]).last_error or "")[1]


@pytest.mark.req("PPMF-SRV-013", "PPMF-LNK-015")
def test_a_file_that_cannot_be_erased_holds_up_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [world.opened(nonce=bytes([nonce]) * 16) for nonce in (1, 2, 3)]
    world.confirming = True
    stuck = world.configs[RECSYS].session_folder(world.session(keys[0]).id)
    erase = erasure.erase_folder

    def erasing(folder: Path) -> None:
        if folder == stuck:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        erase(folder)

    monkeypatch.setattr(erasure, "erase_folder", erasing)
    for key in keys[:2]:
        world.server(RECSYS).sessions.move(key, State.ABANDONED, because="given up")
    world.upload_all(keys[2])
    world.until(world.is_in(keys[2], State.FINISHED), turns=400)
    assert world.row(RECSYS, keys[0]).erased is None
    assert world.row(RECSYS, keys[1]).erased is not None
    assert "Permission denied" in str(world.errors(RECSYS)[0])
    monkeypatch.undo()
    world.until(lambda: world.row(RECSYS, keys[0]).erased is not None, turns=100)


@pytest.mark.req("PPMF-LNK-013", "PPMF-SRV-015")
@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_a_peer_that_goes_on_talking_holds_up_no_erasure(
    world: World, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = world.opened()
    one = world.engines[role]
    endless = control.Refused(bytes(32), "epoch", "state", "again")
    monkeypatch.setattr(one.steps.control, "receive", lambda: endless)
    said = 0

    def talk(message: control.Control) -> None:
        nonlocal said
        said += 1
        assert said < 1000, "it listens for ever"

    monkeypatch.setattr(one, "_answer", talk)
    world.clock.advance(EXPIRES - world.clock.now())
    one.step()
    assert world.row(role, key).buried is not None


@pytest.mark.req("PPMF-SRV-007")
def test_a_second_acceptance_that_differs_is_refused(world: World) -> None:
    key = world.opened()
    first, by_csp = world.server(CSP).sessions.acceptance(key)
    for nonce, line in (
        (first.nonce, ""),
        (bytes(16), "accepted twice, differently"),
    ):
        data = proposals.write_acceptance(replace(first, nonce=nonce))
        world.engines[CSP].steps.control.send(control.Accept(key, data, by_csp))
        for _ in range(3):
            world.turn()
        assert line in (world.row(RECSYS, key).last_error or ("", ""))[1]
        assert bool(world.errors(RECSYS)) is bool(line)
    assert world.server(RECSYS).sessions.acceptance(key) == (first, by_csp)


def proposed(world: World, number: int, **more: Any) -> control.Propose:
    """What a RecSys sends that makes up one proposal after the other."""
    proposal = proposal_of(world.server(RECSYS).members.users(), nonce=number, **more)
    data = proposals.write_proposal(proposal)
    return control.Propose(proposals.proposal_digest(data), data)


def asking_csp(world: World, monkeypatch: pytest.MonkeyPatch) -> list[control.Control]:
    """What CSP's engine answers from now on."""
    said: list[control.Control] = []
    monkeypatch.setattr(world.engines[CSP].steps.control, "send", said.append)
    return said


@pytest.mark.req("PPMF-SRV-023")
@pytest.mark.parametrize("accept", ["ask", "trial"])
def test_proposals_that_nobody_accepts_fill_no_disk(
    tmp_path: Path, accept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csp_steps, "MOST_TRIALS", 0)
    world = World(tmp_path, accept=accept)
    said = asking_csp(world, monkeypatch)
    most = csp_steps.MOST_WAITING
    for number in range(most + 5):
        world.engines[CSP]._answer(proposed(world, number))
    rows = world.server(CSP).sessions.all()
    assert [row.state for row in rows] == [State.PROPOSED] * most
    refusals = [one.line for one in said[most:] if isinstance(one, control.Refused)]
    assert len(refusals) == 5
    assert all(f"{most} proposals of" in line for line in refusals)
    # whoever asks again is told the same, and the operator can make room
    world.engines[CSP]._answer(proposed(world, 0))
    assert isinstance(said[-1], control.Refused)
    assert ("accept this one" in said[-1].line) == (accept == "trial")
    world.server(CSP).sessions.move(rows[0].key, State.ABANDONED, because="given up")
    world.engines[CSP]._answer(proposed(world, most))
    assert world.server(CSP).sessions.known(proposed(world, most).key)
    world.servers.close()


@pytest.mark.req("PPMF-SRV-023")
def test_large_proposals_fill_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path, accept="ask")
    size = len(proposed(world, 0).proposal)
    monkeypatch.setattr(csp_steps, "MOST_WAITING_BYTES", 3 * size)
    asking_csp(world, monkeypatch)
    for number in range(9):
        world.engines[CSP]._answer(proposed(world, number))
    assert world.server(CSP).sessions.waiting() == (3, 3 * size)
    world.servers.close()


@pytest.mark.req("PPMF-SRV-023", "PPMF-SRV-006")
def test_nothing_is_kept_of_a_proposal_that_was_taken_back_or_expired_or_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, accept="ask")
    said = asking_csp(world, monkeypatch)
    sessions = world.server(CSP).sessions
    ended = control.Ended(proposed(world, 1).key, "abandoned", "state", "taken back")
    world.engines[CSP]._answer(proposed(world, 1))
    world.engines[CSP]._answer(ended)
    assert isinstance(said[-1], control.Ended)
    world.engines[CSP]._answer(proposed(world, 2, expires=world.clock.now() + 5, closes=0))
    assert len(sessions.all()) == 1
    world.clock.advance(10)
    world.step(CSP)
    world.engines[CSP]._answer(proposed(world, 3, expires=world.clock.now(), closes=0))
    assert "has expired" in getattr(said[-1], "line", "")

    def fits_not(*_: object) -> None:
        raise ParametersError("it does not fit")

    with monkeypatch.context() as patch:
        patch.setattr(csp_steps, "fitted_scheme", fits_not)
        world.engines[CSP]._answer(proposed(world, 4))
    assert (getattr(said[-1], "state", ""), getattr(said[-1], "kind", "")) == (
        "failed",
        "parameters",
    )
    assert sessions.all() == []
    assert world.server(CSP).database.rows("SELECT * FROM events") == []
    # what the operator has given up is remembered, and its bytes are not
    key = proposed(world, 5).key
    world.engines[CSP]._answer(proposed(world, 5))
    sessions.move(key, State.ABANDONED, because="given up")
    world.clock.advance(1)
    world.step(CSP)
    assert sessions.get(key).erased is not None
    with pytest.raises(StateError, match="it was erased"):
        sessions.proposal(key)
    world.engines[CSP]._answer(proposed(world, 5))
    assert getattr(said[-1], "state", "") == "abandoned"
    world.servers.close()


@pytest.mark.req("PPMF-SRV-029")
def test_whoever_joins_after_the_operator_has_confirmed_is_shown_first(world: World) -> None:
    first = world.opened()
    world.upload_all(first)
    world.until(world.is_in(first, State.FINISHED))
    key = world.opened(nonce=bytes([9]) * 16)
    world.upload_all(key, but=0)
    world.server(RECSYS).uploads.freeze(key)
    world.until(lambda: world.row(CSP, key).to_confirm)
    assert "1 left" in (world.row(CSP, key).last_error or ("", ""))[1]
    # one code is replaced after they have looked, so that one more does not take part
    world.confirm(key)
    user = world.session(key).users[1]
    world.server(CSP).members.enrol_consent_keys({user: bytes(32)})
    world.until(lambda: world.row(CSP, key).to_confirm or world.row(CSP, key).state.final)
    assert world.row(CSP, key).admitted is None
    assert (
        "0 users joined, 2 left, 1 stayed; these are not those that were confirmed"
        in (world.row(CSP, key).last_error or ("", ""))[1]
    )


@pytest.mark.req("PPMF-LNK-016")
@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_what_is_looked_at_does_not_grow_with_the_sessions_that_have_ended(
    world: World, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after both have started again nothing is said of a session of whose end both know."""
    keys = [world.opened(nonce=bytes([nonce]) * 16) for nonce in range(4)]
    world.upload_all(keys[0])
    world.until(world.is_in(keys[0], State.FINISHED))
    for key in keys[1:]:
        world.server(role).sessions.move(key, State.ABANDONED, because="given up")
    world.until(
        lambda: not any(world.server(one).sessions.due() for one in (RECSYS, CSP)), turns=60
    )
    assert [world.states(key) for key in keys[1:]] == [(State.ABANDONED, State.ABANDONED)] * 3
    for one in (RECSYS, CSP):
        world.restart(one)
    said: list[control.Control] = []
    for one in (RECSYS, CSP):
        monkeypatch.setattr(world.engines[one].steps.control, "send", said.append)
    for _ in range(8):
        world.turn()
    assert said == []
    for one in (RECSYS, CSP):
        assert world.server(one).sessions.to_erase(world.clock.now()) == []
        for query in ("told = 0 AND buried IS NULL", "state = 'proposed'"):
            plan = world.server(one).database.rows(
                f"EXPLAIN QUERY PLAN SELECT number FROM sessions WHERE {query} ORDER BY number"
            )
            assert "USING" in plan[0]["detail"], plan[0]["detail"]
            assert "INDEX sessions_" in plan[0]["detail"], plan[0]["detail"]


def trains(world: World, key: bytes) -> bool:
    """Whether an epoch runs at both servers, in its half-steps."""
    rows = [world.row(role, key) for role in (RECSYS, CSP)]
    return all(row.state is State.TRAINING and row.done > 1 for row in rows)


@pytest.mark.req("PPMF-LNK-009", "PPMF-LNK-014")
@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_a_server_that_starts_again_is_trained_with_at_once(world: World, role: Role) -> None:
    """Both may name stream 1 then: the one that went on must not take it for the one it has."""
    key = world.opened()
    world.upload_all(key)
    world.until(partial(trains, world, key))
    numbers = [world.row(one, key).epoch for one in (RECSYS, CSP)]
    world.restart(role)
    since = world.clock.monotonic()
    world.wire.connect()  # and the one that has started is the first to say something
    world.step(role)
    world.wire.pump()
    world.until(
        lambda: all(world.row(one, key).epoch > max(numbers) for one in (RECSYS, CSP)), turns=100
    )
    assert world.clock.monotonic() - since < 4


@pytest.mark.req("PPMF-RES-016")
@pytest.mark.parametrize("lost", ["files", "database"])
def test_no_epoch_has_a_number_twice_though_it_was_lost_once(world: World, lost: str) -> None:
    key = world.opened()
    world.upload_all(key)
    world.until(partial(trains, world, key))
    for role in (RECSYS, CSP):
        world.restart(role)
    before = [world.row(role, key).epoch for role in (RECSYS, CSP)]
    for role in (RECSYS, CSP):
        if lost == "files":
            folder = world.configs[role].session_folder(world.session(key).id)
            (folder / "epoch.state").unlink()
            for path in folder.glob("model-*.state"):
                path.unlink()
        else:
            world.server(role).sessions.began(key, 0)
    world.until(
        lambda: min(world.row(role, key).epoch for role in (RECSYS, CSP)) > max(before), turns=100
    )
    assert [world.row(role, key).epoch for role in (RECSYS, CSP)] == [max(before) + 1] * 2
    world.until(world.is_in(key, State.FINISHED))
    assert world.profiles(key) == world.expected()


@pytest.mark.req("PPMF-RES-019")
def test_a_session_ends_when_nobody_knows_which_epochs_it_had(world: World) -> None:
    key = world.opened()
    world.upload_all(key)
    world.until(partial(trains, world, key))
    world.restart(CSP)
    world.server(CSP).sessions.began(key, 0)
    folder = world.configs[CSP].session_folder(world.session(key).id)
    for path in (folder / "epoch.state", *folder.glob("model-*.state")):
        path.unlink()
    world.until(world.is_in(key, State.FAILED))
    assert (
        "the numbers of the epochs are lost" in (world.row(RECSYS, key).last_error or ("", ""))[1]
    )
