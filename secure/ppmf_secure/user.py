# SPDX-License-Identifier: GPL-3.0-or-later
"""A user: one upload, and she is gone (PROTOCOL.md, section 5, step 2).

Her row w (which items she rated) and her row x (the ratings) are masked with the expansion of a
fresh seed; the masked rows go to RecSys, the seed, encrypted under CSP's key, goes with them. Each
server then holds one additive share mod 2^64 of either row, and learns nothing: RecSys because
SHAKE-256 of an unknown seed is pseudorandom and Paillier hides the seed (DCR), CSP because it sees
only the seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ppmf_secure.ahe.paillier_keys import PublicKey, SecretKey
from ppmf_secure.ahe.sealed import seal, unseal
from ppmf_secure.coins import Coins
from ppmf_secure.program import CSP, RECSYS, Phase, Program, Send, receive
from ppmf_secure.session import Session
from ppmf_secure.shares import Words, words_to_bytes
from ppmf_secure.suites import SuiteChoice
from ppmf_spec.errors import StateError
from ppmf_spec.wire import Upload, UserKey

SEED_BYTES = 32
BINDING_BYTES = 16


@dataclass(frozen=True, slots=True, repr=False)
class Draft:
    """All that one user's upload is made of; `key` is CSP's modulus as it came."""

    session: Session
    user: str
    rows: Words
    key: bytes
    key_bits: int
    coins_key: bytes

    def upload(self) -> Upload:
        """The message, wherever this user's machine is."""
        key = PublicKey.parse(self.key, self.key_bits)
        return upload(self.session, self.user, self.rows, key, Coins(self.coins_key))


Crowd = Callable[[Iterable[Draft]], Iterable[Upload]]
"""Makes the uploads of drafts, in their order; a transport may use several processes."""


def one_by_one(drafts: Iterable[Draft]) -> Iterator[Upload]:
    """The plain crowd: this thread makes every upload."""
    return map(Draft.upload, drafts)


def users(
    session: Session,
    suite: SuiteChoice,
    rows: Iterable[tuple[str, Words]],
    coins: Coins,
    crowd: Crowd = one_by_one,
) -> Program[None]:
    """All users of a run, in order, each with coins of her own.

    rows: (user id, her rows (2, items)), see `upload`.
    """
    yield Phase("upload", 0, session.half_steps)
    message = yield from receive(CSP, UserKey)
    drafts = (
        Draft(session, user, hers, message.modulus, suite.transfer_bits, coins.bytes(32))
        for user, hers in rows
    )
    for message_of_one in crowd(drafts):
        yield Send(RECSYS, message_of_one)


def upload(session: Session, user: str, rows: Words, key: PublicKey, coins: Coins) -> Upload:
    """The message of `user`; rows (2, items): w in {0,1}, and x at scale fr mod 2^64.

    A retry must send these very bytes again; changed ratings need a call of their own.
    """
    seed = coins.bytes(SEED_BYTES)
    masked = rows - expand_seed(session, user, seed)
    return Upload(user, words_to_bytes(masked), seal(key, seed + _binding(session, user), coins))


def expand_seed(session: Session, user: str, seed: bytes) -> Words:
    """The mask (2, items) of a user's rows: CSP's share of them."""
    text = b"ppmf/v1/upload/" + session.id + user.encode() + seed
    count = 2 * len(session.items)
    drawn = np.frombuffer(hashlib.shake_256(text).digest(8 * count), dtype="<u8")
    return drawn.astype(np.uint64, copy=False).reshape(2, -1)


def open_seed(session: Session, user: str, key: SecretKey, sealed: bytes) -> bytes:
    """CSP's side of the sealed seed; StateError when it belongs to another session or user."""
    where = f"sealed seed of user {user}"
    opened = unseal(key, sealed, SEED_BYTES + BINDING_BYTES, where)
    seed, binding = opened[:SEED_BYTES], opened[SEED_BYTES:]
    if binding != _binding(session, user):
        raise StateError(f"{where}: it is bound to another session or user")
    return seed


def _binding(session: Session, user: str) -> bytes:
    text = b"ppmf/v1/seal/" + session.id + user.encode()
    return hashlib.sha256(text).digest()[:BINDING_BYTES]
