# SPDX-License-Identifier: Apache-2.0
"""Messages over pipes: each arrives whole, and those of one sender in their order."""

from __future__ import annotations

import multiprocessing
import os
import threading
from contextlib import suppress
from itertools import count
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.driver import Driver
from ppmf_secure.effects import Program, Send, Wait, receive, receive_until
from ppmf_secure.transport import pipes
from ppmf_secure.transport.pipes import PipeEnds
from ppmf_secure.transport.recorded_ends import Account
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError, PeerError
from ppmf_spec.roles import CSP, RECSYS, USERS, Role
from ppmf_spec.wire import TransferPayload
from tests.support.messages import message_of
from tests.support.pipes import write_message

SESSION = bytes(32)
SIZES = (0, 1, 3_000_000, 2, 70_000, 70_000)
"""Bytes of the messages: more than a pipe holds, between such as fit many at a time."""


def payload(number: int) -> bytes:
    return (number % 251).to_bytes(1, "big") * SIZES[number]


def sends_before_it_listens(to: Role) -> Program[list[wire.Bulk]]:
    for number in range(len(SIZES)):
        yield Send(to, message_of(TransferPayload, payload=payload(number)))
    found = []
    for _ in SIZES:
        message = yield from receive(to, TransferPayload)
        found.append(message.payload)
    return found


def waits(sender: Role) -> Program[None]:
    yield from receive(sender, TransferPayload)


def run(me: Role, program: Program[Any], pipe: Connection) -> Any:
    with PipeEnds(Account(me), {me.peer: pipe}) as ends:
        driver = Driver(me, program, ends, SESSION)
        driver.advance()
    return driver.result


@pytest.mark.req("PPMF-WIR-005")
def test_both_may_send_more_than_a_pipe_holds_before_either_listens() -> None:
    ends = dict(zip((RECSYS, CSP), multiprocessing.Pipe(), strict=True))
    got: dict[Role, Any] = {}

    def play(me: Role) -> None:
        got[me] = run(me, sends_before_it_listens(me.peer), ends[me])

    threads = [threading.Thread(target=play, args=(me,), daemon=True) for me in (RECSYS, CSP)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    sent = [payload(number) for number in range(len(SIZES))]
    assert got == {RECSYS: sent, CSP: sent}


@pytest.mark.parametrize("blocks", [1, 3, 1000])
def test_a_last_field_of_blocks_begins_where_blocks_may(blocks: int) -> None:
    """And it is a view of what was received, not a copy."""
    mine, theirs = multiprocessing.Pipe()
    with PipeEnds(Account(CSP), {RECSYS: theirs}) as sender:
        sent = message_of(TransferPayload, payload=bytes(16 * blocks))
        sender.put(RECSYS, wire.Link(SESSION, 0, CSP, RECSYS).pieces_of(sent))
    with PipeEnds(Account(RECSYS), {CSP: mine}) as ends:
        data = ends.get(CSP, None, None)
    assert data is not None
    field = wire.Link(SESSION, 0, CSP, RECSYS).decode(data, TransferPayload).payload
    whole, part = (np.frombuffer(each, dtype=np.uint8) for each in (data, field))
    assert np.shares_memory(whole, part)
    assert part.ctypes.data % 16 == 0


@pytest.mark.req("PPMF-ERR-005")
def test_a_truncated_message_counts_as_a_lost_peer() -> None:
    mine, theirs = multiprocessing.Pipe()
    os.write(theirs.fileno(), (4096).to_bytes(8, "little") + b"less than that")
    theirs.close()
    with pytest.raises(PeerError, match="csp: recsys disappeared"):
        run(CSP, waits(RECSYS), mine)


@pytest.mark.req("PPMF-WIR-009")
def test_a_message_that_is_too_long_is_refused_before_it_is_read() -> None:
    """Its first bytes say how long it is. The rest is never sent here, so waiting would not end."""
    mine, theirs = multiprocessing.Pipe()
    os.write(theirs.fileno(), (1 << 62).to_bytes(8, "little"))
    with PipeEnds(Account(RECSYS), {CSP: mine}) as ends:
        with pytest.raises(EncodingError, match="csp to recsys: more than the 1000 bytes"):
            ends.get(CSP, 1000, None)
        with pytest.raises(PeerError, match="csp sent a message that was too long"):
            ends.get(CSP, 1000, None)
    theirs.close()


@pytest.mark.req("PPMF-ERR-008", "PPMF-WIR-009")
@given(st.lists(st.one_of(st.integers(0, 2000), st.sampled_from([1000, 1001, 70_000])), max_size=8))
def test_a_users_message_that_is_too_long_is_passed_over(sizes: list[int]) -> None:
    """All users have one pipe: what one of them sends must not close it for the others."""
    mine, theirs = multiprocessing.Pipe()
    messages = [bytes([number]) * size for number, size in enumerate(sizes)]

    def write() -> None:
        for message in messages:
            write_message(theirs, message)

    writer = threading.Thread(target=write)
    writer.start()
    with PipeEnds(Account(RECSYS), {USERS: mine}) as ends:
        for message in messages:
            if len(message) <= 1000:
                assert ends.get(USERS, 1000, None) == message
            else:
                with pytest.raises(EncodingError, match="users to recsys: more than the 1000"):
                    ends.get(USERS, 1000, None)
        writer.join()
        theirs.close()
        with pytest.raises(PeerError, match="users disappeared"):
            ends.get(USERS, 1000, None)


@pytest.mark.req("PPMF-ERR-008")
def test_a_user_who_leaves_in_a_long_message_is_gone() -> None:
    mine, theirs = multiprocessing.Pipe()
    os.write(theirs.fileno(), (1 << 62).to_bytes(8, "little") + b"and no more")
    theirs.close()
    with (
        PipeEnds(Account(RECSYS), {USERS: mine}) as ends,
        pytest.raises(PeerError, match="users disappeared"),
    ):
        ends.get(USERS, 1000, None)


def ticking(start: float = 0.0) -> Account:
    """An account of RecSys whose clock goes on by a tenth whenever it is looked at."""
    account, ticks = Account(RECSYS), count()
    account.clock = lambda: start + next(ticks) / 10
    return account


def test_a_program_is_run_to_its_end_though_waits_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    def program() -> Program[str]:
        assert (yield from receive_until(CSP, TransferPayload, 5)) is None
        yield Wait(10)
        return "the end"

    monkeypatch.setattr(pipes, "_LONGEST", 0.001)
    mine, theirs = multiprocessing.Pipe()
    with PipeEnds(ticking(), {CSP: mine}) as ends:
        assert Driver(RECSYS, program(), ends, SESSION).complete() == "the end"
    theirs.close()


@pytest.mark.req("PPMF-ERR-005")
def test_two_that_fail_with_much_queued_both_end() -> None:
    """Neither reads any longer, and neither pipe holds what is queued."""
    both = dict(zip((RECSYS, CSP), multiprocessing.Pipe(), strict=True))
    met = threading.Barrier(2, timeout=20)

    def fail(me: Role) -> None:
        with suppress(ZeroDivisionError), PipeEnds(Account(me), {me.peer: both[me]}) as ends:
            ends.put(me.peer, [bytes(30 << 20)])
            met.wait()
            raise ZeroDivisionError

    threads = [threading.Thread(target=fail, args=(me,), daemon=True) for me in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.req("PPMF-ADM-008")
def test_what_is_queued_arrives_though_its_sender_fails() -> None:
    mine, theirs = multiprocessing.Pipe()

    def fail() -> None:
        with suppress(ZeroDivisionError), PipeEnds(Account(CSP), {RECSYS: theirs}) as ends:
            ends.put(RECSYS, [bytes(30 << 20)])
            ends.put(RECSYS, [b"the last"])
            raise ZeroDivisionError

    sender = threading.Thread(target=fail, daemon=True)
    sender.start()
    with PipeEnds(Account(RECSYS), {CSP: mine}) as ends:
        assert [len(ends.get(CSP, None, None) or b"") for _ in range(2)] == [30 << 20, 8]
    sender.join(20)


@pytest.mark.req("PPMF-ADM-003")
@pytest.mark.parametrize("most", [1000, 3])
@pytest.mark.parametrize("begun", [b"\7\0\0", (7).to_bytes(8, "little") + b"half"])
def test_half_a_message_of_a_user_is_not_waited_for_beyond_the_time(
    begun: bytes, most: int
) -> None:
    mine, theirs = multiprocessing.Pipe()
    os.write(theirs.fileno(), begun)
    found: list[object] = []

    def take() -> None:
        with PipeEnds(ticking(1e3), {USERS: mine}) as ends:
            found.append(ends.get(USERS, most, 1001))
            with pytest.raises(PeerError, match="users sent a message that was not whole in time"):
                ends.get(USERS, most, 1001)
            found.append("gone")

    taker = threading.Thread(target=take, daemon=True)
    taker.start()
    taker.join(20)
    theirs.close()
    assert found == [None, "gone"]
