# SPDX-License-Identifier: GPL-3.0-or-later
"""The format of what a server keeps for a later epoch (chapter 4, "Interruption").

With it an interruption costs an iteration at most, and not the run. A server keeps shares alone:
those of the users' bits, once, and those of the model, at the end of each iteration. Keys,
transfers, labels and masks are never kept. A new epoch makes them anew from fresh coins, so that
nothing that was sent is computed a second time from the same randomness (PPMF-RES-002, -004). Nor
are the arithmetic shares kept that the bits are converted to: they are made of both servers' coins.

A checkpoint carries the *lineage* of the epoch that wrote it, a hash of both servers' fresh public
keys. Two epochs may both reach iteration t, but the shares that they leave there do not fit
together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from ppmf_secure.arrays import Bits, Bytes, Words
from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_secure.primitives.shares import check_length, words_from_bytes, words_to_bytes
from ppmf_secure.session.session import Session
from ppmf_spec import strict_cbor, wire
from ppmf_spec.errors import EncodingError, StateError

FORMAT = "ppmf-checkpoint/2"
LINEAGE_BYTES = 32


@dataclass(frozen=True, slots=True, repr=False)
class RatingShares:
    """A server's arithmetic shares of the ratings, (users, items) each.

    rated: the shares of w, which is 1 where the user rated the item and 0 elsewhere.
    rating: the shares of x at scale fr, which is 0 where the user did not rate the item.
    """

    rated: Words
    rating: Words


@dataclass(frozen=True, slots=True, repr=False)
class RatingBits:
    """A server's share of all users' bits: the exclusive or of both servers' is what they say.

    planes (1 + t, users, ceil(items / 8)): plane 0 says which items a user rated, the others are
    the bits of the code, the lowest first. Each plane of a user is packed apart, the lowest bit of
    a byte first, spare bits 0. A user who was not admitted has no bit at either server
    (PPMF-COD-005).
    """

    planes: Bytes


@dataclass(frozen=True, slots=True, repr=False)
class SavedSide:
    """A server's shares of one side of the model between two iterations.

    share (D, n): the arithmetic shares. previous (D, n): those of the numbers before the side's
    last inner step (PPMF-FIX-036). bits (word_bits, D n): the Boolean shares.
    """

    share: Words
    previous: Words
    bits: Bits


@dataclass(frozen=True, slots=True, repr=False)
class Kept:
    """The bytes that a server kept in earlier epochs: its share of the bits, the one closing and
    the one admission of the session, and checkpoints.
    """

    ratings: bytes
    closing: bytes
    admission: bytes
    checkpoints: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Checkpoint:
    """A server's shares of a model between two iterations.

    iteration: how many are finished. lineage: that of the epoch that wrote it.
    """

    iteration: int
    lineage: bytes
    users: SavedSide
    items: SavedSide


def write_ratings(session: Session, bits: RatingBits) -> bytes:
    """The bytes of a server's share of the bits."""
    return strict_cbor.encode([FORMAT, session.id, "ratings", bits.planes.tobytes()])


def read_ratings(session: Session, data: bytes) -> RatingBits:
    """The share of the bits in such bytes. Raises EncodingError if they are malformed, and
    StateError if they belong to another session (PPMF-ERR-004).
    """
    (packed,) = _parts(session, data, "ratings", 1)
    code, items = RatingCode.of(session.parameters), len(session.items)
    shape = (1 + code.bits, len(session.users), (items + 7) // 8)
    check_length(packed, prod(shape), "kept ratings")
    planes = np.frombuffer(packed, dtype=np.uint8).reshape(shape)
    if items % 8 and (planes[..., -1] >> items % 8).any():
        raise EncodingError("kept ratings: a spare bit is not 0")
    return RatingBits(planes)


def write_closing(session: Session, closing: wire.Closing, present: RatingBits | None) -> bytes:
    """The bytes of the closing, and of RecSys' share of the bits of all who are present, which is
    None at CSP (PPMF-ADM-007).
    """
    bits = b"" if present is None else present.planes.tobytes()
    return strict_cbor.encode(
        [FORMAT, session.id, "closing", closing.presence, closing.seals, bits]
    )


def read_closing(session: Session, data: bytes) -> wire.Closing:
    """The closing in such bytes. Raises EncodingError if they are malformed, and StateError if they
    belong to another session (PPMF-ERR-004).
    """
    presence, seals, _ = _parts(session, data, "closing", 3)
    return wire.Closing(bytes(presence), bytes(seals))


def write_admission(session: Session, admission: wire.Admission) -> bytes:
    """The bytes of the admission (PPMF-ADM-007)."""
    return strict_cbor.encode([FORMAT, session.id, "admission", admission.admitted])


def read_admission(session: Session, data: bytes) -> wire.Admission:
    """The admission in such bytes; raises as `read_closing` does."""
    (admitted,) = _parts(session, data, "admission", 1)
    return wire.Admission(bytes(admitted))


def write_checkpoint(session: Session, checkpoint: Checkpoint) -> bytes:
    """The bytes of a checkpoint."""
    parts = [checkpoint.iteration.to_bytes(8, "little"), checkpoint.lineage]
    for side in (checkpoint.users, checkpoint.items):
        parts += [words_to_bytes(side.share), words_to_bytes(side.previous)]
        parts.append(np.packbits(side.bits).tobytes())
    return strict_cbor.encode([FORMAT, session.id, "model", *parts])


def read_checkpoint(session: Session, data: bytes) -> Checkpoint:
    """The checkpoint in such bytes. Raises EncodingError if they are malformed, and StateError if
    they belong to another session (PPMF-ERR-004).
    """
    iteration, written_by, *sides = _parts(session, data, "model", 8)
    if (len(iteration), len(written_by)) != (8, LINEAGE_BYTES):
        raise EncodingError("checkpoint of the model: its name is not of its length")
    return Checkpoint(
        int.from_bytes(iteration, "little"),
        bytes(written_by),
        _side(session, sides[:3], len(session.users)),
        _side(session, sides[3:], len(session.items)),
    )


def _side(session: Session, parts: Sequence[memoryview], rows: int) -> SavedSide:
    share, previous, packed = parts
    params = session.parameters
    shape = (params.row_rank, rows)
    elements = params.row_rank * rows
    count = params.word_bits * elements
    if len(packed) != (count + 7) // 8:
        raise EncodingError(f"checkpoint: {len(packed)} bytes of bits for {count} bits")
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=count)
    return SavedSide(
        words_from_bytes(share, shape, "checkpoint: shares"),
        words_from_bytes(previous, shape, "checkpoint: shares before the last inner step"),
        bits.reshape(params.word_bits, elements),
    )


def _parts(session: Session, data: bytes, what: str, count: int) -> list[memoryview]:
    try:
        content = strict_cbor.decode(data)
    except EncodingError as error:
        raise EncodingError(f"checkpoint of the {what}: {error}") from None
    match content:
        case [str(name), memoryview() as session_id, str(kind), *parts] if (
            name == FORMAT and kind == what and len(parts) == count
        ):
            if session_id != session.id:
                raise StateError(f"checkpoint of the {what}: it belongs to another session")
            views = [part for part in parts if isinstance(part, memoryview)]
            if len(views) == count:
                return views
    raise EncodingError(f"checkpoint of the {what}: not of format {FORMAT}")
