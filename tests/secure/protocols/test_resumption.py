# SPDX-License-Identifier: Apache-2.0
"""How two servers agree on a checkpoint: the names that they exchange, and the lineage in them."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.effects import Begin, Effect, Receive, Send
from ppmf_secure.protocols.resumption import (
    agree_on_checkpoint,
    common_name,
    lineage,
    next_epoch,
)
from ppmf_secure.session.checkpoint import (
    Checkpoint,
)
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError, RangeError, StateError
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.checkpoints import SESSION, checkpoint
from tests.support.messages import message_of

DECISION = bytes(range(32))


def name(of: Checkpoint) -> bytes:
    return of.iteration.to_bytes(8, "little") + of.lineage


def agreed(me: Role, mine: list[Checkpoint], theirs: bytes) -> tuple[bytes, Checkpoint | None]:
    """What `me` sends, and what it settles on when the peer names `theirs`."""
    resume = message_of(wire.Resume, checkpoints=theirs, decision=DECISION)
    effects, (epoch, chosen) = played(me, 5, mine, resume)
    begin, sent, waits = effects
    assert (begin, epoch, waits) == (Begin(5), 5, Receive(me.peer, wire.Resume))
    assert isinstance(sent, Send)
    assert isinstance(sent.message, wire.Resume)
    assert (sent.to, sent.message.last) == (me.peer, 4)
    assert sent.message.decision == DECISION
    return sent.message.checkpoints, chosen


def played(
    me: Role, epoch: int, mine: list[Checkpoint], theirs: wire.Resume
) -> tuple[list[Effect], tuple[int, Checkpoint | None]]:
    """All effects of a server that agrees with a peer, and what it ends with."""
    program = agree_on_checkpoint(me, epoch, mine, DECISION)
    effects = [next(program)]
    while True:
        reply = theirs if isinstance(effects[-1], Receive) else None
        try:
            effects.append(program.send(reply))
        except StopIteration as end:
            return effects, end.value


@pytest.mark.req("PPMF-RES-016")
@given(st.integers(1, 2**63), st.integers(0, 2**63 - 1))
def test_the_next_epoch_is_one_that_neither_server_began(epoch: int, last: int) -> None:
    theirs = message_of(wire.Resume, last=last, decision=DECISION)
    effects, (begun, _) = played(CSP, epoch, [], theirs)
    assert begun == max(epoch, last + 1)
    assert effects[0] == Begin(epoch)
    assert effects[3:] == ([Begin(begun)] if begun > epoch else [])


@pytest.mark.req("PPMF-RES-016")
def test_a_peer_that_leaves_no_number_is_refused() -> None:
    with pytest.raises(RangeError, match=f"resume: epoch {2**63}"):
        next_epoch(0, 2**63)


# Iterations whose order is another by their first byte, by their bytes, and with the lineage.
ONE, TWO, FAR = checkpoint(1, 9), checkpoint(2, 5), checkpoint(256, 0)


@pytest.mark.req("PPMF-RES-003")
@pytest.mark.parametrize("me", [RECSYS, CSP])
def test_names_are_sorted_by_iteration_and_the_highest_common_one_is_chosen(me: Role) -> None:
    sent, chosen = agreed(me, [FAR, TWO], name(FAR) + name(checkpoint(300)))
    assert sent == name(TWO) + name(FAR)
    assert chosen is FAR
    assert agreed(me, [ONE, TWO], name(ONE) + name(checkpoint(7)))[1] is ONE


@pytest.mark.req("PPMF-RES-003")
def test_of_two_common_checkpoints_the_one_of_more_iterations_is_chosen() -> None:
    """As bytes, the name of iteration 256 is smaller than that of 1."""
    both = [name(ONE), name(FAR)]
    assert common_name(both, b"".join(both)) == name(FAR)


@pytest.mark.req("PPMF-RES-003")
def test_names_are_read_at_multiples_of_their_length() -> None:
    assert agreed(RECSYS, [ONE], bytes(20) + name(ONE) + bytes(20))[1] is None
    assert agreed(RECSYS, [ONE], b"")[1] is None
    assert agreed(RECSYS, [], name(ONE)) == (b"", None)


@pytest.mark.req("PPMF-RES-007")
def test_a_lineage_depends_on_every_key_and_who_has_it() -> None:
    keys = {
        CSP: message_of(wire.ServerKey, suite="s", product_key=b"a"),
        RECSYS: message_of(wire.ServerKey, suite="s", product_key=b"bc"),
    }
    moved = {
        CSP: message_of(wire.ServerKey, suite="s", product_key=b"ab"),
        RECSYS: message_of(wire.ServerKey, suite="s", product_key=b"c"),
    }
    swapped = {CSP: keys[RECSYS], RECSYS: keys[CSP]}
    found = {lineage(SESSION, messages) for messages in (keys, moved, swapped)}
    assert len(found) == 3
    text = b"ppmf/v2/lineage/" + SESSION.id
    for key in (b"a", b"bc"):  # CSP's, then RecSys'
        text += bytes([len(key), 0, 0, 0, 0, 0, 0, 0]) + key
    assert lineage(SESSION, keys) == hashlib.sha256(text).digest()


@pytest.mark.req("PPMF-RES-010")
def test_more_names_than_a_server_keeps_are_refused() -> None:
    program = agree_on_checkpoint(RECSYS, 1, [], DECISION)
    for _ in range(3):
        next(program)
    with pytest.raises(EncodingError, match="resume: 120 bytes, where two names are most"):
        program.send(message_of(wire.Resume, checkpoints=name(ONE) + name(TWO) + name(FAR)))


@pytest.mark.req("PPMF-RES-014")
def test_two_checkpoints_of_one_iteration_are_refused() -> None:
    again = name(checkpoint(2, 6))
    for received in (name(TWO) + again, 2 * again, name(TWO) + name(ONE)):
        with pytest.raises(
            EncodingError, match="^resume: the iterations of the checkpoints do not ascend$"
        ):
            common_name([name(TWO), again], received)
    assert common_name([name(ONE), name(TWO)], name(ONE) + again) == name(ONE)


def test_names_of_checkpoints_that_are_cut_short_are_refused() -> None:
    program = agree_on_checkpoint(RECSYS, 1, [], DECISION)
    for _ in range(3):
        next(program)
    with pytest.raises(EncodingError, match="resume: 39 bytes name no checkpoints"):
        program.send(message_of(wire.Resume, checkpoints=bytes(39)))


@pytest.mark.req("PPMF-ADM-010")
@pytest.mark.parametrize(
    ("theirs", "error", "line"),
    [
        (DECISION[::-1], StateError, "^resume: csp goes on from another closing or admission$"),
        (DECISION[:-1], EncodingError, "^resume: digest of closing and admission: 31 bytes"),
    ],
)
def test_another_closing_or_admission_is_refused(
    theirs: bytes, error: type[Exception], line: str
) -> None:
    program = agree_on_checkpoint(RECSYS, 1, [], DECISION)
    for _ in range(3):
        next(program)
    with pytest.raises(error, match=line):
        program.send(message_of(wire.Resume, checkpoints=name(ONE), decision=theirs))
