# SPDX-License-Identifier: GPL-3.0-or-later
"""Resumption: a later epoch goes on from an earlier checkpoint (chapter 4, "Interruption").

The two servers say which epoch was their last, and begin one that neither has begun. They name the
checkpoints that they hold, and take the highest that both hold *of one lineage*. A lineage is a
hash of both servers' fresh product keys, and so names an epoch. Two epochs may both reach iteration
t, but the shares that they leave there do not fit together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from ppmf_secure.effects import Begin, Program, Send, receive
from ppmf_secure.primitives.shares import check_length
from ppmf_secure.protocols.server_state import Server, SharedSide
from ppmf_secure.protocols.transfers import share_words
from ppmf_secure.session.checkpoint import (
    LINEAGE_BYTES,
    Checkpoint,
    SavedSide,
    write_checkpoint,
)
from ppmf_secure.session.session import Session
from ppmf_spec.errors import EncodingError, RangeError, StateError
from ppmf_spec.roles import CSP, RECSYS, SIDES, Role, Side
from ppmf_spec.wire import Resume, ServerKey

NAME_BYTES = 8 + LINEAGE_BYTES
"""The bytes of a checkpoint's name in `resume`: its iteration and its lineage."""

MOST_CHECKPOINTS = 2
"""The most checkpoints that a server keeps, and so names (PPMF-RES-015)."""

_EPOCHS = 1 << 63


def lineage(session: Session, messages: Mapping[Role, ServerKey]) -> bytes:
    """The lineage of an epoch: a hash of both servers' product keys, whose messages are given by
    sender (PPMF-RES-007).
    """
    digest = hashlib.sha256(b"ppmf/v2/lineage/" + session.id)
    for sender in (CSP, RECSYS):
        key = messages[sender].product_key
        digest.update(len(key).to_bytes(8, "little") + key)
    return digest.digest()


def agree_on_checkpoint(
    me: Role, epoch: int, checkpoints: Sequence[Checkpoint], decision: bytes
) -> Program[tuple[int, Checkpoint | None]]:
    """The number of the epoch that begins, and the highest checkpoint that both servers hold, of
    one lineage; None if there is none (PPMF-RES-003, -010, -016).

    epoch: the number after the highest that this server kept.
    decision: the digest of closing and admission; StateError if the peer has another
    (PPMF-ADM-010).
    """
    peer = me.peer
    mine = {checkpoint_name(each.iteration, each.lineage): each for each in checkpoints}
    yield Begin(epoch)
    yield Send(peer, Resume(epoch - 1, write_names(mine), decision))
    message = yield from receive(peer, Resume)
    begun = next_epoch(epoch - 1, message.last)
    chosen = common_name(mine, message.checkpoints)
    check_length(message.decision, len(decision), "resume: digest of closing and admission")
    if message.decision != decision:
        raise StateError(f"resume: {peer} goes on from another closing or admission")
    if begun > epoch:
        yield Begin(begun)
    return begun, None if chosen is None else mine[chosen]


def next_epoch(mine: int, theirs: int) -> int:
    """The number of the epoch after the highest ones that the servers kept. Raises RangeError for a
    peer's number that leaves too few (PPMF-RES-016).
    """
    if theirs >= _EPOCHS:
        raise RangeError(f"resume: epoch {theirs}, of which there are fewer")
    return max(mine, theirs) + 1


def checkpoint_name(iteration: int, lineage: bytes) -> bytes:
    """The name of a checkpoint (PPMF-RES-007)."""
    return iteration.to_bytes(8, "little") + lineage


def write_names(names: Iterable[bytes]) -> bytes:
    """The field of `resume` of a server that holds the checkpoints of these names (PPMF-RES-003).

    The iterations differ (PPMF-RES-014).
    """
    ascending: list[bytes] = sorted(names, key=_iteration)
    return b"".join(ascending)


def common_name(mine: Iterable[bytes], received: bytes) -> bytes | None:
    """The name of most iterations that both servers hold; None if there is none (PPMF-RES-003).

    received: the peer's field of `resume`. Raises EncodingError if it is no sequence of names in
    ascending order, or one of too many (PPMF-RES-010, -014).
    """
    if len(received) > MOST_CHECKPOINTS * NAME_BYTES:
        raise EncodingError(f"resume: {len(received)} bytes, where two names are most")
    if len(received) % NAME_BYTES:
        raise EncodingError(f"resume: {len(received)} bytes name no checkpoints")
    theirs = [received[at : at + NAME_BYTES] for at in range(0, len(received), NAME_BYTES)]
    if any(_iteration(one) >= _iteration(other) for one, other in pairwise(theirs)):
        raise EncodingError("resume: the iterations of the checkpoints do not ascend")
    return max(set(mine) & set(theirs), key=_iteration, default=None)


def save_model(server: Server, iteration: int, sides: Mapping[Side, SharedSide]) -> bytes:
    """The bytes of a checkpoint of this model, which must not be the public start any more."""
    saved = []
    for name in SIDES:
        side = sides[name]
        assert side.words is not None, "after an iteration both sides are shared"
        saved.append(SavedSide(side.share, side.previous, side.words.bits))
    return write_checkpoint(server.session, Checkpoint(iteration, server.lineage, *saved))


def restore_model(server: Server, checkpoint: Checkpoint) -> Program[dict[Side, SharedSide]]:
    """The model of a checkpoint, with new transfers for its bits (PPMF-RES-005)."""
    sides = {}
    for name, saved in zip(SIDES, (checkpoint.users, checkpoint.items), strict=True):
        words = yield from share_words(server.transfers, saved.bits)
        sides[name] = SharedSide(name, saved.share, saved.previous, words, None)
    return sides


def _iteration(name: bytes) -> int:
    return int.from_bytes(name[:8], "little")
