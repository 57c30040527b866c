# SPDX-License-Identifier: Apache-2.0
"""Who takes part: what RecSys takes in, when it closes, and whom CSP admits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.effects import Keep, Now, Phase, Program, ReceiveUntil, Refuse, Send, Wait
from ppmf_secure.parties.csp import csp
from ppmf_secure.parties.recsys import recsys
from ppmf_secure.parties.users import users
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.protocols.admission import (
    RECORD_BYTES,
    AbandonedError,
    Decision,
    Intake,
    read_admission,
    read_closing,
    read_rows,
    take_closing,
    take_uploads,
    write_rows,
)
from ppmf_secure.protocols.upload import SEAL_BYTES, plain_bits, planes, upload
from ppmf_secure.session.checkpoint import (
    RatingBits,
    read_ratings,
    write_admission,
    write_closing,
    write_ratings,
)
from ppmf_secure.session.session import Session
from ppmf_secure.transport.recorded_ends import Account
from ppmf_secure.transport.stepper import Clock, run_together
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError, RangeError, StateError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, USERS, Role
from tests.support.ideal import ideal_suite
from tests.support.messages import message_of
from tests.support.sessions import SEALING, consent_keys, session_of

PARAMETERS = Parameters(rank=1)
USER_IDS = tuple("12345")
ITEMS = ("7", "8", "9")
NOTHING = Row(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))


def a_session(ids: Sequence[str] = ("1", "2"), nonce: int = 0, **more: Any) -> Session:
    return session_of(PARAMETERS, tuple(ids), ITEMS, "ideal", bytes([nonce] * 16), **more)


def row_of(serial: int) -> Row:
    """What a user rated in the upload of that serial."""
    return Row(np.array([serial % 3]), np.array([serial % 5]))


def an_upload(
    session: Session, user: str, serial: int = 1, coins: str = "", key: bytes | None = None
) -> wire.Upload:
    own = consent_keys(session)[user] if key is None else key
    return upload(
        session, user, serial, row_of(serial), own, Coins.seeded(f"{user}{serial}{coins}")
    )


# -- the intake ------------------------------------------------------------------------------------


@pytest.mark.req("PPMF-ERR-014")
def test_the_fields_of_an_upload_are_looked_at_in_their_order() -> None:
    session = a_session()
    good = an_upload(session, "1", 2)
    intake = Intake(session)
    intake.take(good)
    cut, small = good.masked[:-1], bytes(SEAL_BYTES)
    for change, error, why in (
        ({"user": "9", "serial": 0, "masked": cut, "sealed": small}, RangeError, "user list"),
        ({"serial": 0, "masked": cut, "sealed": small}, RangeError, "serials count from 1"),
        ({"masked": cut, "sealed": small}, EncodingError, "masked bits"),
        ({"masked": good.masked[::-1], "sealed": small[1:]}, EncodingError, "seal"),
        ({"masked": good.masked[::-1], "sealed": small}, RangeError, "seal"),
        ({"sealed": good.sealed[:-1] + b"\0"}, StateError, "a second upload of serial 2"),
        ({"serial": 1}, StateError, "serial 1 after 2"),
    ):
        with pytest.raises(error, match=why):
            intake.take(replace(good, **change))
    assert intake.present == 1


@pytest.mark.req("PPMF-ADM-001", "PPMF-ERR-003")
def test_malformed_uploads_name_the_user() -> None:
    session = a_session()
    intake = Intake(session)
    good = an_upload(session, "1")
    with pytest.raises(RangeError, match="'3': not on the user list"):
        intake.take(replace(good, user="3"))
    with pytest.raises(EncodingError, match="user 1: masked bits: 1 bytes where 2"):
        intake.take(replace(good, masked=good.masked[:-1]))
    with pytest.raises(EncodingError, match="upload of user 1: seal: 111 bytes instead of 112"):
        intake.take(replace(good, sealed=good.sealed[1:]))
    with pytest.raises(RangeError, match="upload of user 1: seal: a point of small order"):
        intake.take(replace(good, sealed=bytes(SEAL_BYTES)))
    assert intake.missing == 2


@pytest.mark.req("PPMF-ADM-001")
def test_a_long_name_of_an_unknown_user_is_cut() -> None:
    intake = Intake(a_session())
    with pytest.raises(RangeError, match=f"^upload of '{'x' * 40}': not on the user list$"):
        intake.take(message_of(wire.Upload, user="x" * 50))


@pytest.mark.req("PPMF-ADM-002")
def test_a_larger_serial_replaces_and_an_older_one_does_not() -> None:
    session = a_session()
    intake = Intake(session)
    first, second = an_upload(session, "1"), an_upload(session, "1", 7)
    for one in (first, first, second, second):
        intake.take(one)
    assert (intake.present, intake.missing) == (1, 1)
    with pytest.raises(StateError, match="^upload of user 1: serial 1 after 7$"):
        intake.take(first)
    with pytest.raises(StateError, match="user 1: a second upload of serial 7, not the same"):
        intake.take(an_upload(session, "1", 7, "other coins"))
    intake.take(an_upload(session, "2"))
    assert read_closing(session, intake.close())[0].serial == 7


@pytest.mark.req("PPMF-ADM-002", "PPMF-ADM-007")
def test_what_comes_after_the_closing_changes_nothing() -> None:
    session = a_session()
    intake = Intake(session)
    one, two = (an_upload(session, user) for user in "12")
    intake.take(one)
    intake.take(two)
    closing = intake.close()
    intake.take(one)  # a user who lost the answer
    with pytest.raises(StateError, match="upload of user 1: the intake is closed"):
        intake.take(an_upload(session, "1", 2))
    assert intake.close() == closing


@pytest.mark.req("PPMF-ADM-004")
def test_a_closing_has_a_bit_for_each_user_and_a_record_for_each_who_is_there() -> None:
    ids = tuple(str(number) for number in range(1, 11))
    session = a_session(ids, least=2)
    intake = Intake(session)
    sent = {user: an_upload(session, user, int(user)) for user in ("10", "2", "9")}
    for one in sent.values():
        intake.take(one)
    closing = intake.close()
    assert closing.presence == bytes([0b0000_0010, 0b0000_0011])
    records = b"".join(
        number.to_bytes(8, "little") + sent[str(number)].sealed for number in (2, 9, 10)
    )
    assert closing.seals == records
    assert [one.row for one in read_closing(session, closing)] == [1, 8, 9]


@pytest.mark.req("PPMF-ADM-003", "PPMF-ADM-008")
def test_too_few_users_end_the_session() -> None:
    session = a_session(USER_IDS, least=3)
    intake = Intake(session)
    for user in "12":
        intake.take(an_upload(session, user))
    with pytest.raises(AbandonedError) as end:
        intake.close()
    assert str(end.value) == "2 of 5 users are present, and 3 have to take part"
    intake.take(an_upload(session, "5"))
    assert len(intake.close().seals) == 3 * RECORD_BYTES


# -- what each server refuses of the other ---------------------------------------------------------


def intake_of(session: Session, serial: int = 1) -> Intake:
    intake = Intake(session)
    for user in session.users:
        intake.take(an_upload(session, user, serial))
    return intake


def closing_of(session: Session, serial: int = 1) -> wire.Closing:
    return intake_of(session, serial).close()


@pytest.mark.req("PPMF-ADM-004")
@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_rows_are_written_in_as_few_bytes_as_hold_a_bit_each(there: list[bool]) -> None:
    rows = tuple(row for row, present in enumerate(there) if present)
    data = write_rows(rows, len(there))
    assert int.from_bytes(data, "little") == sum(1 << row for row in rows)
    assert len(data) == -(-len(there) // 8)
    assert read_rows(data, len(there), "here") == rows
    with pytest.raises(EncodingError, match="^here: "):
        read_rows(data + b"\0", len(there), "here")


@pytest.mark.req("PPMF-ADM-006")
@pytest.mark.parametrize("items", [7, 8, 9, 16])
def test_the_share_of_all_bits_is_packed_by_the_row(items: int) -> None:
    names = tuple(str(number) for number in range(10, 10 + items))
    session = session_of(PARAMETERS, ("1", "2"), names, "ideal", bytes(16))
    intake = intake_of(session)
    found = intake.bits((1,)).planes
    assert found.shape[1:] == (2, -(-items // 8))
    assert np.array_equal(found[:, 1], planes(session, an_upload(session, "2").masked))
    assert not found[:, 0].any()


@pytest.mark.req("PPMF-ADM-005")
@pytest.mark.parametrize(
    ("change", "error", "line"),
    [
        ({"presence": b""}, EncodingError, "closing: presence: 0 bytes where 1 are due"),
        ({"presence": bytes(2)}, EncodingError, "closing: presence: 2 bytes where 1 are due"),
        ({"presence": b"\7"}, RangeError, "closing: presence: a bit of no user"),
        ({"presence": b"\1"}, StateError, "closing: 1 users, where 2 have to take part"),
        ({"seals": bytes(239)}, EncodingError, "closing: seals: 239 bytes where 240 are due"),
        ({"seals": bytes(240)}, RangeError, "closing: serial of user '1': from 1"),
    ],
)
def test_closings_that_csp_refuses(
    change: dict[str, Any], error: type[Exception], line: str
) -> None:
    session = a_session()
    with pytest.raises(error) as caught:
        read_closing(session, replace(closing_of(session), **change))
    assert str(caught.value) == line


@pytest.mark.req("PPMF-ADM-005")
@pytest.mark.parametrize(
    ("admitted", "error", "line"),
    [
        (b"", EncodingError, "admission: 0 bytes where 1 are due"),
        (b"\x20", RangeError, "admission: a bit of no user"),
        (b"\x10", RangeError, "admission: of a user who is not present"),
    ],
)
def test_admissions_that_recsys_refuses(admitted: bytes, error: type[Exception], line: str) -> None:
    session = a_session(USER_IDS, least=2)
    closing = wire.Closing(b"\x0f", bytes(4 * RECORD_BYTES))
    assert read_admission(session, closing, wire.Admission(b"\x0a")) == (1, 3)
    with pytest.raises(error) as caught:
        read_admission(session, closing, wire.Admission(admitted))
    assert str(caught.value) == line


@pytest.mark.req("PPMF-ADM-007")
def test_one_closing_has_one_answer() -> None:
    session = a_session()
    closing, admission = closing_of(session), wire.Admission(b"\3")
    decision = Decision(closing, admission)
    assert decision.again(closing_of(session)) is admission
    with pytest.raises(StateError, match="^closing: another one than that which was answered$"):
        decision.again(closing_of(session, serial=2))


@pytest.mark.req("PPMF-ADM-010")
def test_the_digest_of_a_decision() -> None:
    session = a_session()
    closing, admission = closing_of(session), wire.Admission(b"\3")
    text = b"ppmf/v2/decision/" + session.id
    for part in (closing.presence, closing.seals, admission.admitted):
        text += len(part).to_bytes(8, "little") + part
    assert Decision(closing, admission).digest(session) == hashlib.sha256(text).digest()


# -- programs --------------------------------------------------------------------------------------


def effects(program: Program[Any], replies: Sequence[Any] = ()) -> Iterator[Any]:
    """The effects of a program, which gets these replies to what it asks for."""
    waiting, reply = list(replies), None
    while True:
        try:
            effect = program.send(reply)
        except StopIteration:
            return
        yield effect
        asks = isinstance(effect, ReceiveUntil | Now) or type(effect).__name__ == "Receive"
        reply = waiting.pop(0) if asks and waiting else None


@pytest.mark.req("PPMF-ADM-003", "PPMF-ADM-007")
def test_recsys_keeps_the_closing_before_it_sends_it() -> None:
    session = a_session()
    uploads = [an_upload(session, user) for user in "21"]
    found = list(effects(take_uploads(session), [*uploads, wire.Admission(b"\3")]))
    names = [one.name if isinstance(one, Keep) else type(one).__name__ for one in found]
    receive = ["Phase", "ReceiveUntil", "ReceiveUntil"]
    assert names == [*receive, "closing", "Send", "Receive", "admission", "ratings"]
    closing, share = closing_of(session), intake_of(session).bits((0, 1))
    assert [one.data() for one in found if isinstance(one, Keep)] == [
        write_closing(session, closing, share),
        write_admission(session, wire.Admission(b"\3")),
        write_ratings(session, share),
    ]


@pytest.mark.req("PPMF-ADM-006", "PPMF-ADM-007")
def test_csp_keeps_closing_and_admission_before_it_answers() -> None:
    session = a_session()
    program = take_closing(session, SEALING, consent_keys(session))
    found = list(effects(program, [closing_of(session)]))
    names = [one.name if isinstance(one, Keep) else type(one).__name__ for one in found]
    assert names == ["Phase", "Receive", "closing", "admission", "Send", "ratings"]
    kept = [one.data() for one in found if isinstance(one, Keep)]
    assert kept[:2] == [
        write_closing(session, closing_of(session), None),
        write_admission(session, wire.Admission(b"\3")),
    ]
    plain = read_ratings(session, kept[2]).planes ^ intake_of(session).bits((0, 1)).planes
    wanted = [planes(session, plain_bits(session, row_of(1)))] * 2
    assert np.array_equal(plain, np.stack(wanted, axis=1))


@pytest.mark.req("PPMF-ADM-003")
def test_the_last_user_may_still_replace_within_the_grace() -> None:
    session = a_session(closes=100)
    replies = [an_upload(session, "1"), an_upload(session, "2"), 40, an_upload(session, "2", 2)]
    found = list(effects(take_uploads(session, grace=7), [*replies, None, wire.Admission(b"\3")]))
    waits = [one.until for one in found if isinstance(one, ReceiveUntil)]
    assert waits == [100, 100, 47, 47]
    (sent,) = (one.message for one in found if isinstance(one, Send))
    assert isinstance(sent, wire.Closing)
    assert [one.serial for one in read_closing(session, sent)] == [1, 2]
    late = [an_upload(session, "1"), an_upload(session, "2"), 99, None, wire.Admission(b"\3")]
    found = list(effects(take_uploads(session, grace=7), late))
    assert [one.until for one in found if isinstance(one, ReceiveUntil)] == [100, 100, 100]


@pytest.mark.req("PPMF-ADM-003")
def test_recsys_gives_no_grace_unless_it_is_told_to() -> None:
    session = a_session()
    replies = [an_upload(session, user) for user in "12"]
    names = []
    for one in effects(recsys(session, ideal_suite(), Coins.seeded("recsys")), replies):
        names.append(one.name if isinstance(one, Keep | Phase) else type(one).__name__)
        if isinstance(one, Send):
            break
    assert names == ["keys", "upload", "ReceiveUntil", "ReceiveUntil", "closing", "Send"]


@pytest.mark.req("PPMF-ADM-006")
@pytest.mark.parametrize("closes", [0, 100])
def test_csp_answers_at_once_only_if_it_admits_everybody(closes: int) -> None:
    session = a_session(USER_IDS, least=2, closes=closes)
    good = closing_of(session)
    spoiled = replace(good, seals=good.seals[:-1] + bytes([good.seals[-1] ^ 1]))
    for closing, waits, admitted in ((good, [], 0b11111), (spoiled, [closes], 0b01111)):
        program = take_closing(session, SEALING, consent_keys(session))
        found = list(effects(program, [closing]))
        assert [one.until for one in found if isinstance(one, Wait)] == (waits if closes else [])
        (sent,) = (one.message for one in found if isinstance(one, Send))
        assert sent == wire.Admission(bytes([admitted]))


@pytest.mark.req("PPMF-ADM-008")
def test_an_admission_of_too_few_is_sent_and_ends_both() -> None:
    session = a_session()
    good = closing_of(session)
    spoiled = replace(good, seals=good.seals[:-1] + bytes([good.seals[-1] ^ 1]))
    seen: list[Any] = []
    line = "^1 of 2 users are admitted, and 2 have to take part$"
    program = take_closing(session, SEALING, consent_keys(session))
    with pytest.raises(AbandonedError, match=line):
        seen.extend(effects(program, [spoiled]))
    assert [one.message for one in seen if isinstance(one, Send)] == [wire.Admission(b"\1")]
    assert [one.name for one in seen if isinstance(one, Keep)] == ["closing", "admission"]
    replies = [an_upload(session, "1"), an_upload(session, "2"), wire.Admission(b"\1")]
    with pytest.raises(AbandonedError, match=line):
        list(effects(take_uploads(session), replies))


@pytest.mark.req("PPMF-SES-014")
@pytest.mark.parametrize("role", [USERS, RECSYS, CSP])
def test_nobody_begins_in_a_session_that_has_expired(role: Role) -> None:
    session, keys = a_session(expires=100), consent_keys(a_session())
    program: Program[Any]
    match role:
        case Role.USERS:
            program = users(session, [("1", NOTHING)], keys, Coins.seeded("users"))
        case Role.RECSYS:
            program = recsys(session, ideal_suite(), Coins.seeded("recsys"))
        case Role.CSP:
            program = csp(session, ideal_suite(), Coins.seeded("csp"), sealing=SEALING)
    assert program.send(None) == Now()
    with pytest.raises(StateError, match="the session has expired"):
        program.send(100)


@pytest.mark.req("PPMF-SES-011")
@pytest.mark.parametrize("key", [None, SealingKey(bytes(range(32)))])
def test_csp_needs_the_key_pair_of_the_session(key: SealingKey | None) -> None:
    program = csp(a_session(), ideal_suite(), Coins.seeded("csp"), sealing=key)
    assert isinstance(next(program), Phase)
    with pytest.raises(
        StateError, match="^CSP has not the key pair for the seals of this session$"
    ):
        next(program)


@pytest.mark.req("PPMF-ADM-003", "PPMF-ERR-007")
def test_recsys_waits_for_every_user() -> None:
    session = a_session()
    program = take_uploads(session)
    assert [type(program.send(None)) for _ in range(2)] == [Phase, ReceiveUntil]
    assert program.send(an_upload(session, "2")) == ReceiveUntil(USERS, wire.Upload, None)
    refused = program.send(an_upload(session, "2", coins="again"))
    assert isinstance(refused, Refuse), "a bad upload is refused,"
    assert isinstance(next(program), ReceiveUntil), "and costs nobody else's"
    assert isinstance(program.send(an_upload(session, "1")), Keep)
    sent = next(program)
    assert isinstance(sent, Send)
    assert sent.to is CSP


# -- arrivals --------------------------------------------------------------------------------------

KINDS = ("good", "again", "newer", "older", "spoiled", "unwilling", "cut", "nobody")


@st.composite
def schedules(draw: st.DrawFn) -> list[tuple[str, str]]:
    """What some of five users send, in any order."""
    events = st.tuples(st.sampled_from(USER_IDS), st.sampled_from(KINDS))
    return draw(st.lists(events, max_size=14))


def spoiled(one: wire.Upload) -> wire.Upload:
    return replace(one, sealed=one.sealed[:-1] + bytes([one.sealed[-1] ^ 1]))


class Model:
    """What the users send, and for whom it should count: the oracle of these tests."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.newest: dict[str, tuple[wire.Upload, bool]] = {}
        self.refused = 0

    def sends(self, user: str, kind: str) -> wire.Upload:
        """The upload, once it is noted what comes of it."""
        held = self.newest.get(user)
        serial = held[0].serial if held else 0
        made = an_upload(self._session, user, serial + 1)
        match kind:
            case "again" if held:
                return held[0]
            case "older" if held:
                made = an_upload(self._session, user, serial, coins="older")
            case "cut":
                made = replace(made, masked=made.masked[:-1])
            case "nobody":
                made = replace(made, user="nobody")
            case "spoiled":
                made = spoiled(made)
            case "unwilling":
                made = an_upload(self._session, user, serial + 1, key=bytes(32))
        if kind in ("cut", "nobody") or (kind == "older" and held):
            self.refused += 1
        else:
            self.newest[user] = made, kind not in ("spoiled", "unwilling")
        return made


def everybody(sent: Sequence[wire.Upload]) -> Program[None]:
    for one in sent:
        yield Send(RECSYS, one)


def both_servers(
    session: Session, sent: Sequence[wire.Upload], clock: Clock | None = None
) -> tuple[dict[Role, Any], dict[Role, Account]]:
    programs = {
        USERS: everybody(sent),
        RECSYS: take_uploads(session),
        CSP: take_closing(session, SEALING, consent_keys(session)),
    }
    accounts = {role: Account(role) for role in programs}
    return run_together(programs, session.id, accounts=accounts, clock=clock), accounts


@pytest.mark.req("PPMF-ADM-002", "PPMF-ADM-003", "PPMF-ADM-006", "PPMF-ADM-009", "PPMF-ERR-008")
@given(events=schedules(), closes=st.sampled_from([0, 100]))
def test_whatever_users_send_the_others_take_part(
    events: list[tuple[str, str]], closes: int
) -> None:
    session = a_session(USER_IDS, least=2, closes=closes)
    model = Model(session)
    sent = []
    for user, kind in events:
        # without a grace the intake closes when all are there; what comes then is not taken
        closed = len(model.newest) == len(USER_IDS)
        sent.append(an_upload(session, user, 99) if closed else model.sends(user, kind))
    present = sorted(model.newest)
    willing = {user: one for user, (one, good) in model.newest.items() if good}
    clock = Clock(50)
    if len(willing) < 2 or len(present) < 2:
        what = "present" if len(present) < 2 else "admitted"
        with pytest.raises(AbandonedError, match=f"of 5 users are {what}, and 2 have to"):
            both_servers(session, sent, clock)
        return
    found, _ = both_servers(session, sent, clock)
    bits = [found[role].planes for role in (RECSYS, CSP)]
    for row, user in enumerate(USER_IDS):
        plain = bits[0][:, row] ^ bits[1][:, row]
        if user in willing:
            wanted = planes(session, plain_bits(session, row_of(willing[user].serial)))
            assert plain.tolist() == wanted.tolist()
        else:
            assert not bits[0][:, row].any()
            assert not bits[1][:, row].any()


@pytest.mark.req("PPMF-ADM-005", "PPMF-ADM-006", "PPMF-ADM-009", "PPMF-UPL-013")
@pytest.mark.parametrize("how", ["absent", "spoiled", "unwilling"])
def test_who_is_not_admitted_has_no_bit_at_either_server(how: str) -> None:
    session = a_session(("1", "2", "3"), least=2)
    sent = [an_upload(session, user) for user in "123"]
    if how == "absent":
        del sent[1]
    elif how == "spoiled":
        sent[1] = spoiled(sent[1])
    else:
        sent[1] = an_upload(session, "2", key=bytes(32))
    found, _ = both_servers(session, sent)
    for server in (RECSYS, CSP):
        planes_of = found[server].planes
        assert planes_of[:, [0, 2]].any(axis=(0, 2)).all()
        assert not planes_of[:, 1].any()


@pytest.mark.req("PPMF-ADM-003")
@given(there=st.integers(2, 5), begins=st.integers(0, 99))
def test_with_users_absent_the_intake_closes_when_nothing_more_can_come(
    there: int, begins: int
) -> None:
    """With a time, an absent user is waited for until then; a user who is gone is not."""
    session = a_session(USER_IDS, least=2, closes=100)
    program = take_uploads(session)
    sent = [an_upload(session, user) for user in USER_IDS[:there]]
    replies = [*sent, *([None] if there < 5 else []), wire.Admission(write_rows(range(there), 5))]
    found = list(effects(program, replies))
    waits = [one.until for one in found if isinstance(one, ReceiveUntil)]
    assert waits == [100] * min(there + 1, 5)


@pytest.mark.req("PPMF-ADM-003", "PPMF-ADM-006")
@pytest.mark.parametrize("last", ["absent", "spoiled", "good"])
def test_the_clock_closes_the_intake_and_lets_csp_answer(last: str) -> None:
    """The users do not end here: who waits, waits for the clock."""
    session = a_session(("1", "2", "3"), least=2, closes=1000)
    sent = [an_upload(session, user) for user in "123"]
    if last == "spoiled":
        sent[2] = spoiled(sent[2])

    def not_ending() -> Program[None]:
        yield from everybody(sent if last != "absent" else sent[:2])
        yield Wait(5000)

    clock = Clock(10)
    programs: dict[Role, Program[Any]] = {
        USERS: not_ending(),
        RECSYS: take_uploads(session),
        CSP: take_closing(session, SEALING, consent_keys(session)),
    }
    times: dict[str, int] = {}

    def noted(role: Role, program: Program[Any]) -> Program[Any]:
        found = yield from program
        times[role] = clock.time
        return found

    run = {role: noted(role, program) for role, program in programs.items()}
    found = run_together(run, session.id, clock=clock)
    assert times == {USERS: 5000} | dict.fromkeys((RECSYS, CSP), 10 if last == "good" else 1000)
    assert isinstance(found[RECSYS], RatingBits)
