# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server keeps, so that an interruption costs an iteration and not the run (section 7).

Kept are shares alone: those of the ratings, once, and those of the model, at each end of an
iteration. Keys, transfers, labels and masks are never kept: a new epoch makes them anew from fresh
coins, so nothing that was sent is ever computed a second time from the same randomness.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cbor2
import numpy as np

from ppmf_secure.program import CSP, RECSYS, Program, Send, receive
from ppmf_secure.session import Session
from ppmf_secure.shares import Bits, Words, words_from_bytes, words_to_bytes
from ppmf_spec.errors import EncodingError, StateError
from ppmf_spec.wire import Resume

FORMAT = "ppmf-checkpoint/1"


@dataclass(frozen=True, slots=True)
class RatingShares:
    """A server's additive shares mod 2^64 of the ratings, (users, items) each.

    rated: w, 1 where a pair was rated; rating: x at scale fr, 0 where it was not.
    """

    rated: Words
    rating: Words


@dataclass(frozen=True, slots=True)
class SavedSide:
    """One side of the model between two iterations: arithmetic shares (D, n), XOR-shared bits."""

    share: Words
    bits: Bits


@dataclass(frozen=True, slots=True)
class Kept:
    """What an earlier epoch kept: the rating shares, and iteration -> that checkpoint's bytes.

    With no checkpoint yet the run starts again from the public start.
    """

    ratings: bytes
    iterations: Mapping[int, bytes]


def agree(me: str, iterations: Mapping[int, bytes]) -> Program[int]:
    """The highest iteration both servers hold a checkpoint of; 0 is the public start.

    Raises StateError when this server no longer holds the one the other is at.
    """
    peer = RECSYS if me == CSP else CSP
    highest = max(iterations, default=0)
    yield Send(peer, Resume(highest))
    message = yield from receive(peer, Resume)
    agreed = min(highest, message.iteration)
    if agreed and agreed not in iterations:
        raise StateError(f"{peer} holds iteration {agreed}, of which {me} has no checkpoint left")
    return agreed


def write_ratings(session: Session, shares: RatingShares) -> bytes:
    """The rating shares as bytes."""
    parts = [words_to_bytes(shares.rated), words_to_bytes(shares.rating)]
    return cbor2.dumps([FORMAT, session.id, "ratings", *parts], canonical=True)


def read_ratings(session: Session, data: bytes) -> RatingShares:
    """The inverse; EncodingError, or StateError when it belongs to another session."""
    rated, rating = _parts(session, data, "ratings", 2)
    shape = (len(session.users), len(session.items))
    return RatingShares(
        words_from_bytes(rated, shape, "kept ratings"),
        words_from_bytes(rating, shape, "kept ratings"),
    )


def write_sides(session: Session, users: SavedSide, items: SavedSide) -> bytes:
    """Both sides of the model as bytes."""
    parts: list[bytes] = []
    for side in (users, items):
        parts += [words_to_bytes(side.share), np.packbits(side.bits).tobytes()]
    return cbor2.dumps([FORMAT, session.id, "sides", *parts], canonical=True)


def read_sides(session: Session, data: bytes) -> tuple[SavedSide, SavedSide]:
    """The inverse; EncodingError, or StateError when it belongs to another session."""
    parts = _parts(session, data, "sides", 4)
    users = _side(session, parts[0], parts[1], len(session.users))
    items = _side(session, parts[2], parts[3], len(session.items))
    return users, items


def _side(session: Session, share: bytes, packed: bytes, rows: int) -> SavedSide:
    params = session.parameters
    elements = params.row_rank * rows
    count = params.word_bits * elements
    if len(packed) != (count + 7) // 8:
        raise EncodingError(f"checkpoint: {len(packed)} bytes of bits for {count} bits")
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=count)
    return SavedSide(
        words_from_bytes(share, (params.row_rank, rows), "checkpoint: shares"),
        bits.reshape(params.word_bits, elements),
    )


def _parts(session: Session, data: bytes, what: str, count: int) -> list[bytes]:
    try:
        content = cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError) as error:
        raise EncodingError(f"checkpoint of the {what}: not CBOR") from error
    match content:
        case [str(name), bytes(session_id), str(kind), *parts] if (
            name == FORMAT and kind == what and len(parts) == count
        ):
            if session_id != session.id:
                raise StateError(f"checkpoint of the {what}: it belongs to another session")
            if all(isinstance(part, bytes) for part in parts):
                return parts
    raise EncodingError(f"checkpoint of the {what}: not of format {FORMAT}")
