# SPDX-License-Identifier: GPL-3.0-or-later
"""A user: one upload, and she is gone (PROTOCOL.md, section 5, step 2).

Her row w (which items she rated) and her row x (the ratings) are masked with the expansion of a
fresh seed; the masked rows go to RecSys, the seed, sealed to CSP's key, goes with them. Each server
then holds one additive share mod 2^64 of either row, and learns nothing: RecSys because SHAKE-256
of an unknown seed is pseudorandom and the seal hides the seed, CSP because it sees only the seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from ppmf_secure.effects import CSP, RECSYS, Phase, Program, Send, receive
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.sealing import (
    KEY_BYTES,
    SealingKey,
    check_key,
    check_seal,
    seal,
    sealed_bytes,
)
from ppmf_secure.primitives.shares import Words, words_to_bytes
from ppmf_secure.session.session import Session
from ppmf_spec.wire import Upload, UserKey

SEED_BYTES = 32
SEALED_BYTES = sealed_bytes(SEED_BYTES)


def users(session: Session, rows: Iterable[tuple[str, Words]], coins: Coins) -> Program[None]:
    """All users of a run, in order, each with coins of her own.

    rows: (user id, her rows (2, items)), see `upload`.
    """
    yield Phase("upload", 0, session.half_steps)
    message = yield from receive(CSP, UserKey)
    key = check_key(message.key, "CSP's key for seals")
    for user, hers in rows:
        yield Send(RECSYS, upload(session, user, hers, key, Coins(coins.bytes(32))))


def upload(session: Session, user: str, rows: Words, key: bytes, coins: Coins) -> Upload:
    """The message of `user`; rows (2, items): w in {0,1}, and x at scale fr mod 2^64.

    `key` is CSP's, checked. A retry must send these very bytes again; changed ratings need a call
    of their own (PPMF-UPL-003, -005).
    """
    seed = coins.bytes(SEED_BYTES)
    masked = rows - expand_seed(session, user, seed)
    sealed = seal_seed(session, user, key, seed, coins.bytes(KEY_BYTES))
    return Upload(user, words_to_bytes(masked), sealed)


def expand_seed(session: Session, user: str, seed: bytes) -> Words:
    """The mask (2, items) of a user's rows: CSP's share of them (PPMF-UPL-002)."""
    text = b"ppmf/v1/upload/" + session.id + user.encode() + seed
    count = 2 * len(session.items)
    drawn = np.frombuffer(hashlib.shake_256(text).digest(8 * count), dtype="<u8")
    return drawn.astype(np.uint64, copy=False).reshape(2, -1)


def seal_seed(session: Session, user: str, key: bytes, seed: bytes, material: bytes) -> bytes:
    """The seed, sealed to CSP for this session and user; `material` as in `sealing.seal`
    (PPMF-UPL-004).
    """
    return seal(key, _binding(session, user), seed, material)


def check_sealed_seed(user: str, sealed: bytes) -> None:
    """RecSys' side of the sealed seed: refuse what cannot be one, at its door (PPMF-UPL-006)."""
    check_seal(sealed, SEED_BYTES, _place(user))


def open_seed(session: Session, user: str, key: SealingKey, sealed: bytes) -> bytes:
    """CSP's side of the sealed seed; StateError when it belongs to another session or user
    (PPMF-UPL-008).
    """
    return key.open(sealed, _binding(session, user), SEED_BYTES, _place(user))


def _place(user: str) -> str:
    return f"sealed seed of user {user}"


def _binding(session: Session, user: str) -> bytes:
    return b"ppmf/v1/seal/" + session.id + user.encode()
