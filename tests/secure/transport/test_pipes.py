# SPDX-License-Identifier: Apache-2.0
"""Messages over pipes: each arrives whole, and those of one sender in their order."""

from __future__ import annotations

import multiprocessing
import os
import threading
from typing import Any

import pytest

from ppmf_secure.effects import CSP, RECSYS, Program, Send, receive
from ppmf_secure.session.transcript import Recorder
from ppmf_secure.transport.drive import Party
from ppmf_secure.transport.pipes import drive
from ppmf_secure.transport.store import Store
from ppmf_spec.errors import PeerError
from ppmf_spec.wire import TransferPayload

SESSION = bytes(32)
SIZES = (0, 1, 3_000_000, 2, 70_000, 70_000)
"""Bytes of the messages: more than a pipe holds, between such as fit many at a time."""


def payload(number: int) -> bytes:
    return (number % 251).to_bytes(1, "big") * SIZES[number]


def sends_before_it_listens(to: str) -> Program[list[bytes]]:
    for number in range(len(SIZES)):
        yield Send(to, TransferPayload(payload(number)))
    found = []
    for _ in SIZES:
        message = yield from receive(to, TransferPayload)
        found.append(message.payload)
    return found


def waits(sender: str) -> Program[None]:
    yield from receive(sender, TransferPayload)


def party(name: str) -> Party:
    return Party(name, SESSION, Recorder(None, name), lambda _: None, Store(None))


@pytest.mark.req("PPMF-WIR-005")
def test_both_may_send_more_than_a_pipe_holds_before_either_listens() -> None:
    ends = dict(zip((RECSYS, CSP), multiprocessing.Pipe(), strict=True))
    got: dict[str, Any] = {}

    def run(me: str, peer: str) -> None:
        got[me] = drive(party(me), sends_before_it_listens(peer), {peer: ends[me]})

    threads = [
        threading.Thread(target=run, args=pair, daemon=True)
        for pair in ((RECSYS, CSP), (CSP, RECSYS))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    sent = [payload(number) for number in range(len(SIZES))]
    assert got == {RECSYS: sent, CSP: sent}


@pytest.mark.req("PPMF-ERR-005")
def test_a_message_cut_off_by_its_senders_end_is_none() -> None:
    mine, theirs = multiprocessing.Pipe()
    os.write(theirs.fileno(), (4096).to_bytes(4, "big") + b"less than that")
    theirs.close()
    with pytest.raises(PeerError, match="csp: recsys disappeared"):
        drive(party(CSP), waits(RECSYS), {RECSYS: mine})
