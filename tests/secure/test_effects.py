# SPDX-License-Identifier: Apache-2.0
"""Programs of which a part is run ahead."""

from __future__ import annotations

from typing import NoReturn

import pytest

from ppmf_secure.effects import Phase, Program, Receive, Send, finished, receive, started
from ppmf_spec.roles import CSP
from ppmf_spec.wire import Message, OutputShare, TransferPayload
from tests.support.messages import message_of

ASKED = message_of(TransferPayload, payload=b"asked")
ANSWERS = [message_of(OutputShare, bits=bytes([number])) for number in range(2)]


def sums(first: bytes) -> Program[bytes]:
    yield Phase("steps", 0, 1)
    yield Send(CSP, ASKED)
    for _ in ANSWERS:
        message = yield from receive(CSP, OutputShare)
        first += message.bits
    return first


def silent() -> Program[int]:
    yield Phase("steps", 0, 1)
    return 3


def both() -> Program[tuple[bytes, int]]:
    rest = yield from started(sums(b"x"))
    yield Phase("updates", 0, 1)
    other = yield from started(silent())
    return (yield from rest), (yield from other)


def test_a_started_program_waits_only_when_its_rest_is_run() -> None:
    program, answers = both(), iter(ANSWERS)
    effects: list[object] = []

    def run_on(reply: Message | None) -> NoReturn:
        while True:
            effect = program.send(reply)
            effects.append(effect)
            reply = next(answers) if isinstance(effect, Receive) else None

    with pytest.raises(StopIteration) as end:
        run_on(None)
    assert end.value.value == (b"x\0\1", 3)
    waiting = Receive(CSP, OutputShare)
    steps = Phase("steps", 0, 1)
    assert effects == [
        steps,
        Send(CSP, ASKED),
        Phase("updates", 0, 1),
        steps,
        waiting,
        waiting,
    ]


def test_a_finished_program_gives_its_value_at_once() -> None:
    def run() -> Program[int]:
        return (yield from finished(7))

    with pytest.raises(StopIteration) as end:
        next(run())
    assert end.value.value == 7
