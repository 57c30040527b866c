# SPDX-License-Identifier: Apache-2.0
"""The driver: one loop for all transports, which bounds what comes and goes on after a refusal."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from ppmf_reference import fixed
from ppmf_secure.driver import Driver, Limits
from ppmf_secure.effects import (
    Begin,
    Keep,
    Now,
    Phase,
    Program,
    Refuse,
    Send,
    Wait,
    receive,
    receive_until,
)
from ppmf_secure.parties.users import users
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.session.session import Session
from ppmf_secure.transport import processes, stepper
from ppmf_secure.transport.pipes import PipeEnds
from ppmf_secure.transport.recorded_ends import MOST_REFUSALS, Account
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError, PeerError, PpmfError, RangeError, StateError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, USERS, Role
from tests.support.ideal import ideal_suite
from tests.support.messages import message_of
from tests.support.pipes import write_message
from tests.support.ratings import ratings_of
from tests.support.three_parties import run_epoch
from tests.support.toy_runs import toy_session

RATINGS = ratings_of(3, 4, {(0, 0): 4, (0, 2): -5, (1, 1): 3, (2, 1): -2, (2, 3): 1})
PARAMETERS = Parameters(rank=1, iterations=1)
SUITE = "paillier-512-insecure"


def first_a_bad_upload(
    session: Session, rows: Iterable[tuple[str, Row]], keys: Mapping[str, bytes], coins: Coins
) -> Program[None]:
    """The users' program, but the first upload is sent once before with a name of nobody."""
    program, first = users(session, rows, keys, coins), True
    reply: wire.Message | int | None = None
    while True:
        try:
            effect = program.send(reply)
        except StopIteration:
            return
        if first and isinstance(effect, Send):
            first = False
            assert isinstance(effect.message, wire.Upload)
            yield Send(effect.to, replace(effect.message, user="nobody"))
        reply = yield effect


def always_a_bad_upload(
    session: Session, rows: Iterable[tuple[str, Row]], keys: Mapping[str, bytes], coins: Coins
) -> Program[None]:
    """The users' program, but every upload has a name of nobody."""
    program = users(session, rows, keys, coins)
    reply: wire.Message | int | None = None
    while True:
        try:
            effect = program.send(reply)
        except StopIteration:
            return
        if isinstance(effect, Send):
            assert isinstance(effect.message, wire.Upload)
            effect = Send(effect.to, replace(effect.message, user="nobody"))
        reply = yield effect


@pytest.mark.req("PPMF-ERR-007", "PPMF-ERR-013", "PPMF-ADM-001")
def test_the_stepper_goes_on_after_a_refused_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    session = toy_session(RATINGS, PARAMETERS, ideal_suite(), "refused")
    monkeypatch.setattr("tests.support.three_parties.users", first_a_bad_upload)
    found = run_epoch(session, ideal_suite(), Coins.seeded, ratings=RATINGS)
    assert found[RECSYS] == fixed.train(RATINGS, PARAMETERS)


@pytest.mark.req("PPMF-ERR-007")
def test_the_stepper_says_why_the_uploads_are_not_complete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = toy_session(RATINGS, PARAMETERS, ideal_suite(), "refused")
    monkeypatch.setattr("tests.support.three_parties.users", always_a_bad_upload)
    with pytest.raises(PeerError, match="^0 of 3 users are present, and 3 have to take part$"):
        run_epoch(session, ideal_suite(), Coins.seeded, ratings=RATINGS)


@pytest.mark.req("PPMF-ERR-007", "PPMF-ADM-001")
def test_processes_go_on_after_a_refused_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "users", first_a_bad_upload)
    found = processes.train(RATINGS, PARAMETERS, suite=SUITE, coins_label="refused")
    assert found.profiles == fixed.train(RATINGS, PARAMETERS)


def first_a_long_upload(
    session: Session, rows: Iterable[tuple[str, Row]], keys: Mapping[str, bytes], coins: Coins
) -> Program[None]:
    """The users' program, but first comes an upload that is longer than any can be."""
    yield Send(RECSYS, message_of(wire.Upload, masked=bytes(1 << 20)))
    yield from users(session, rows, keys, coins)


@pytest.mark.req("PPMF-ERR-008", "PPMF-WIR-009")
def test_processes_go_on_after_an_upload_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "users", first_a_long_upload)
    found = processes.train(RATINGS, PARAMETERS, suite=SUITE, coins_label="too long")
    assert found.profiles == fixed.train(RATINGS, PARAMETERS)


@pytest.mark.req("PPMF-ERR-007")
def test_processes_say_why_the_uploads_are_not_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "users", always_a_bad_upload)
    why = "0 of 3 users are present, and 3 have to take part; the first refusal: recsys: upload of"
    with pytest.raises(PeerError, match=f"^recsys: {why} 'nobody': not on the user list$"):
        processes.train(RATINGS, PARAMETERS, suite=SUITE, coins_label="refused")


class NotedEnds:
    """Ends that hand out given messages and note what comes of them."""

    def __init__(self, coming: Mapping[Role, list[bytes]]) -> None:
        self._coming = coming
        self.noted: list[object] = []
        self.gone: set[Role] = set()
        self.time = 0

    def send(self, to: Role, pieces: Sequence[wire.Bulk]) -> None:
        self.noted.append((to, b"".join(pieces)))

    def receive(self, sender: Role, most: int | None, until: int | None = None) -> bytes | None:
        if sender in self.gone and not self._coming[sender]:
            raise PeerError(f"{sender} is gone")
        return self._coming[sender].pop(0) if self._coming[sender] else None

    def refuse(self, to: Role, error: PpmfError) -> None:
        self.noted.append((to, error))

    def now(self) -> int:
        return self.time

    def wait(self, until: int) -> None:
        self.noted.append(until)

    def enter(self, phase: Phase) -> None:
        self.noted.append(phase)

    def keep(self, kept: Keep) -> None:
        self.noted.append(kept)

    def begin(self, epoch: int) -> None:
        self.noted.append(Begin(epoch))


def encoded(number: int, message: wire.Message) -> bytes:
    return wire.encode(wire.Envelope(bytes(32), 0, number, message))


def test_every_effect_reaches_the_ends_and_the_driver_waits_for_messages() -> None:
    refusal, phase, kept = RangeError("no"), Phase("keys", 0, 2), Keep("model", 1, bytes)
    share = message_of(wire.OutputShare, bits=b"share")

    def program() -> Program[bytes]:
        yield phase
        yield Send(CSP, share)
        yield Refuse(USERS, refusal)
        yield kept
        return (yield from receive(CSP, wire.OutputShare)).bits

    coming: dict[Role, list[bytes]] = {CSP: []}
    ends = NotedEnds(coming)
    driver = Driver(RECSYS, program(), ends, bytes(32))
    assert driver.advance()
    assert ends.noted == [phase, (CSP, encoded(0, share)), (USERS, refusal), kept]
    assert not driver.advance()
    assert driver.waits_for is CSP
    coming[CSP].append(encoded(0, share))
    assert driver.advance()
    assert driver.finished
    assert driver.result == b"share"
    assert not driver.advance()


def waits_for_a_payload() -> Program[Any]:
    return (yield from receive(CSP, wire.TransferPayload))


@pytest.mark.req("PPMF-ERR-003", "PPMF-WIR-009")
def test_a_message_above_its_limit_is_refused_before_it_is_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    message = encoded(0, message_of(wire.TransferPayload, payload=bytes(100)))
    limit = len(message)
    ends = NotedEnds({CSP: [message]})
    limits = {(CSP, RECSYS, wire.TransferPayload): limit, (CSP, RECSYS, wire.OutputShare): 9999}
    Driver(RECSYS, waits_for_a_payload(), ends, bytes(32), limits=limits).advance()

    def parsed(*_: object) -> wire.Message:
        raise AssertionError("a message that is too long was parsed")

    monkeypatch.setattr(wire.Link, "decode", parsed)
    ends = NotedEnds({CSP: [message + b"\0"]})
    driver = Driver(RECSYS, waits_for_a_payload(), ends, bytes(32), limits=limits)
    with pytest.raises(EncodingError, match=f"csp to recsys: more than the {limit} bytes that are"):
        driver.advance()


def test_all_transports_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of a byte in place of the plan's stops a run in each."""
    kinds = wire.MESSAGES.values()
    everything = {(sender, to, kind): 1 for sender in Role for to in Role for kind in kinds}
    session = toy_session(RATINGS, PARAMETERS, ideal_suite(), "bounded")
    programs = {RECSYS: waits_for_a_payload(), CSP: sends_a_payload()}
    with pytest.raises(EncodingError, match="more than the 1 bytes that are due"):
        stepper.run_together(programs, session.id, limits=everything)
    monkeypatch.setattr("tests.support.three_parties.limits", lambda *_: everything)
    with pytest.raises(PeerError, match="0 of 3 users are present"):  # all uploads are refused
        run_epoch(session, ideal_suite(), Coins.seeded, ratings=RATINGS)


def sends_a_payload() -> Program[None]:
    yield Send(RECSYS, message_of(wire.TransferPayload))


def waits_for_an_upload() -> Program[Any]:
    return (yield from receive(USERS, wire.Upload))


def bad_uploads() -> dict[str, bytes]:
    """Bytes that are not the upload that is due, by what is wrong with them."""
    upload = message_of(wire.Upload)
    return {
        "rubbish": b"\xd8\x1e\x82" + bytes(40),
        "cut": encoded(0, upload)[:-1],
        "empty": b"",
        "too long": encoded(0, message_of(wire.Upload, masked=bytes(1000))),
        "another session": wire.encode(wire.Envelope(bytes([1] * 32), 0, 0, upload)),
        "another epoch": wire.encode(wire.Envelope(bytes(32), 1, 0, upload)),
        "another number": encoded(1, upload),
        "another type": encoded(0, message_of(wire.OutputShare)),
    }


@pytest.mark.req("PPMF-ERR-008", "PPMF-WIR-004", "PPMF-WIR-009")
def test_bytes_of_a_user_that_are_no_upload_are_refused_and_the_run_goes_on() -> None:
    upload = message_of(wire.Upload)
    ends = NotedEnds({USERS: [*bad_uploads().values(), encoded(0, upload)]})
    limits: Limits = {(USERS, RECSYS, wire.Upload): 200}
    driver = Driver(RECSYS, waits_for_an_upload(), ends, bytes(32), limits=limits)
    assert driver.advance()
    assert driver.result == upload
    refused = [noted for noted in ends.noted if isinstance(noted, tuple)]
    assert [to for to, _ in refused] == [USERS] * len(bad_uploads())
    kinds = [error.kind for _, error in refused]
    assert kinds == 4 * ["encoding"] + 4 * ["state"]
    coming: dict[Role, list[bytes]] = {USERS: []}
    driver = Driver(RECSYS, waits_for_an_upload(), NotedEnds(coming), bytes(32))
    driver.advance()
    coming[USERS].append(b"rubbish")
    assert driver.advance(), "who refuses gets further"
    assert not driver.advance()


@pytest.mark.req("PPMF-ERR-007", "PPMF-WIR-004")
@pytest.mark.parametrize("wrong", bad_uploads().values(), ids=bad_uploads().keys())
def test_the_same_bytes_from_a_server_end_the_run(wrong: bytes) -> None:
    ends = NotedEnds({CSP: [wrong]})
    limits: Limits = {(CSP, RECSYS, wire.TransferPayload): 200}
    driver = Driver(RECSYS, waits_for_a_payload(), ends, bytes(32), limits=limits)
    with pytest.raises(PpmfError):
        driver.advance()
    assert ends.noted == []


FAULTS = ("too long", "cut short", "session", "epoch", "number", "type")
"""In the order in which they are looked for."""


@pytest.mark.req("PPMF-ERR-014")
@pytest.mark.parametrize("sender", [USERS, CSP])
@pytest.mark.parametrize("faults", [two for two in product(FAULTS, FAULTS) if two[0] <= two[1]])
def test_the_first_fault_is_the_reason(sender: Role, faults: tuple[str, str]) -> None:
    message: wire.Message = message_of(wire.Upload, masked=bytes(40))
    program: Program[Any] = waits_for_an_upload()
    kind: type[wire.Message] = wire.Upload
    if sender is CSP:
        message = message_of(wire.TransferPayload, payload=bytes(40))
        program, kind = waits_for_a_payload(), wire.TransferPayload
    if "type" in faults:
        message = message_of(wire.TransferColumns, columns=bytes(40))
    header = (bytes([1] * 32) if "session" in faults else bytes(32), "epoch" in faults)
    data = wire.encode(wire.Envelope(header[0], int(header[1]), int("number" in faults), message))
    data = data[:-1] if "cut short" in faults else data
    most = len(data) - ("too long" in faults)
    ends = NotedEnds({sender: [data]})
    driver = Driver(RECSYS, program, ends, bytes(32), limits={(sender, RECSYS, kind): most})
    if sender is USERS:
        driver.advance()
        ((_, refusal),) = [noted for noted in ends.noted if isinstance(noted, tuple)]
    else:
        with pytest.raises(PpmfError) as caught:
            driver.advance()
        refusal = caught.value
    first = min(faults, key=FAULTS.index)
    due = "more than the" if first == "too long" else "where" if first == "type" else first
    assert due in str(refusal)
    assert refusal.kind == ("encoding" if FAULTS.index(first) < 2 else "state")


def begins_a_later_epoch() -> Program[wire.Message]:
    yield Begin(3)
    yield Send(RECSYS, message_of(wire.Resume, last=2))
    message = yield from receive(RECSYS, wire.Resume)
    yield Begin(message.last + 1)
    yield Send(RECSYS, message_of(wire.BaseAnswer))
    return (yield from receive(RECSYS, wire.BaseAnswer))


@pytest.mark.req("PPMF-RES-016")
def test_messages_after_resume_are_of_the_larger_epoch_and_go_on_in_number() -> None:
    def under(epoch: int, number: int, message: wire.Message) -> bytes:
        return wire.encode(wire.Envelope(bytes(32), epoch, number, message))

    theirs, answer = message_of(wire.Resume, last=7), message_of(wire.BaseAnswer, point=b"x")
    ends = NotedEnds({RECSYS: [under(8, 0, theirs), under(8, 1, answer)]})
    driver = Driver(CSP, begins_a_later_epoch(), ends, bytes(32), epoch=3)
    driver.advance()
    assert driver.result == answer
    ours = under(3, 0, message_of(wire.Resume, last=2))
    after = under(8, 1, message_of(wire.BaseAnswer))
    assert ends.noted == [Begin(3), (RECSYS, ours), Begin(8), (RECSYS, after)]
    wrong = NotedEnds({RECSYS: [under(3, 0, theirs)]})
    with pytest.raises(StateError, match="epoch 3, not 8"):
        Driver(CSP, begins_a_later_epoch(), wrong, bytes(32), epoch=3).advance()


@pytest.mark.req("PPMF-ERR-008")
def test_refusals_without_end_are_not_all_kept() -> None:
    ends = stepper.QueueEnds(Account(RECSYS), {})
    for _ in range(3 * MOST_REFUSALS):
        ends.refuse(USERS, RangeError("no"))
    assert len(ends.refusals) == MOST_REFUSALS


@pytest.mark.req("PPMF-ADM-003", "PPMF-ADM-009", "PPMF-ERR-007")
@pytest.mark.parametrize("how", ["absent", "refused", "spoiled"])
def test_processes_go_on_without_a_user(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other users are trained; the users' end of the pipe tells RecSys that nobody is left."""

    def without_the_last(session: Session, rows: Any, keys: Any, coins: Coins) -> Program[None]:
        program = users(session, rows, keys, coins)
        for effect in program:
            if isinstance(effect, Send) and isinstance(effect.message, wire.Upload):
                message = effect.message
                if message.user == session.users[-1]:
                    if how == "absent":
                        continue
                    sealed = message.sealed[:-1] + bytes([message.sealed[-1] ^ 1])
                    cut = replace(message, masked=message.masked[:-1])
                    bad = cut if how == "refused" else replace(message, sealed=sealed)
                    yield Send(effect.to, bad)
                    continue
            yield effect

    monkeypatch.setattr(processes, "users", without_the_last)
    found = processes.train(RATINGS, PARAMETERS, suite=SUITE, coins_label="absent", least=2)
    kept = RATINGS.user < len(RATINGS.users) - 1
    parts = {name: getattr(RATINGS, name)[kept] for name in ("user", "item", "value")}
    assert found.profiles == fixed.train(replace(RATINGS, **parts), PARAMETERS)
    assert [error.kind for error in found.refusals] == (["encoding"] if how == "refused" else [])


@pytest.mark.req("PPMF-ADM-003")
def test_the_driver_waits_for_a_message_until_a_time_or_until_none_can_come() -> None:
    def program() -> Program[list[object]]:
        found: list[object] = []
        for until in (5, 5, None, 9):
            found.append((yield from receive_until(CSP, wire.OutputShare, until)))
        found.append((yield Now()))
        yield Wait(12)
        return found

    share = message_of(wire.OutputShare, bits=b"share")
    ends = NotedEnds({CSP: [encoded(0, share)]})
    driver = Driver(RECSYS, program(), ends, bytes(32))
    assert driver.advance()
    assert (driver.waits_for, driver.waits_until) == (CSP, 5)
    assert not driver.advance()
    ends.time = 5
    assert driver.advance()
    assert (driver.waits_for, driver.waits_until) == (CSP, None)
    ends.gone = {CSP}
    assert driver.advance()
    assert (driver.waits_for, driver.waits_until) == (None, 12)
    assert ends.noted == [12], "ends that wait were asked to"
    ends.time = 12
    driver.advance()
    assert driver.result == [share, None, None, None, 5]


class AskedEnds(NotedEnds):
    """Ends that note what they are asked for, and in which time passes while they wait."""

    def __init__(self, coming: Mapping[Role, list[bytes]], passes: int = 0) -> None:
        super().__init__(coming)
        self._passes = passes

    def receive(self, sender: Role, most: int | None, until: int | None = None) -> bytes | None:
        self.noted.append((sender, most, until))
        self.time += self._passes
        return super().receive(sender, most, until)


@pytest.mark.req("PPMF-WIR-009")
def test_the_ends_are_told_the_most_bytes_and_until_when_they_wait() -> None:
    def program() -> Program[None]:
        yield from receive_until(CSP, wire.OutputShare, 7)
        yield from receive(CSP, wire.TransferPayload)

    ends = AskedEnds({CSP: [encoded(0, message_of(wire.OutputShare))]})
    limits: Limits = {(CSP, RECSYS, wire.OutputShare): 99}
    assert Driver(RECSYS, program(), ends, bytes(32), limits=limits).advance()
    assert ends.noted == [(CSP, 99, 7), (CSP, 0, None)]


@pytest.mark.req("PPMF-ADM-003")
def test_what_comes_at_the_very_time_is_late() -> None:
    def program() -> Program[wire.OutputShare | None]:
        yield Wait(5)
        return (yield from receive_until(CSP, wire.OutputShare, 5))

    ends = AskedEnds({CSP: [encoded(0, message_of(wire.OutputShare))]})
    ends.time = 5
    driver = Driver(RECSYS, program(), ends, bytes(32))
    assert driver.complete() is None
    assert ends.noted == [], "nothing is waited for and no message taken"


@pytest.mark.req("PPMF-ADM-003")
def test_a_time_that_comes_while_ends_wait_ends_the_waiting() -> None:
    ends = AskedEnds({CSP: []}, passes=5)
    driver = Driver(RECSYS, receive_until(CSP, wire.OutputShare, 5), ends, bytes(32))
    assert driver.advance()
    assert driver.finished
    assert ends.noted == [(CSP, None, 5)]


def test_pipes_wait_for_a_message_no_longer_than_until_a_time() -> None:
    mine, theirs = multiprocessing.Pipe()
    account = Account(RECSYS)
    account.clock = lambda: 100.0
    with PipeEnds(account, {CSP: mine}) as ends:
        assert ends.get(CSP, None, 100) is None
        write_message(theirs, b"late")
        assert ends.get(CSP, None, 100) == b"late"
        ends.wait(100)
        assert ends.now() == 100
    theirs.close()
