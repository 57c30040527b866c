# SPDX-License-Identifier: GPL-3.0-or-later
"""The upload: the users' ratings come to the two servers as arithmetic shares.

A user masks their row w (which items they rated) and their row x (the ratings) with the expansion
of a fresh seed. The masked rows go to RecSys. The seed goes with them, sealed to CSP's key, and
RecSys passes it on. Each server then holds one arithmetic share mod 2^64 of either row and learns
nothing: RecSys because SHAKE-256 of an unknown seed is pseudorandom and the seal hides the seed
(`primitives.sealing`), CSP because it sees the seed alone, which does not depend on the ratings.
(Chapter 4, "Keys and the upload".)

The module holds first the user's side, then RecSys' (`Intake`, `take_uploads`), then CSP's
(`take_seeds`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial

import numpy as np

from ppmf_secure.arrays import Words
from ppmf_secure.effects import Keep, Phase, Program, Refuse, Send, receive
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.sealing import KEY_BYTES, SealingKey, check_seal, seal, sealed_bytes
from ppmf_secure.primitives.shares import check_length, words_from_bytes, words_to_bytes
from ppmf_secure.session.checkpoint import RatingShares, write_ratings
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.errors import PpmfError, RangeError, StateError, told
from ppmf_spec.ratings import Ratings
from ppmf_spec.roles import CSP, RECSYS, USERS

SEED_BYTES = 32
SEALED_BYTES = sealed_bytes(SEED_BYTES)


def user_rows(ratings: Ratings) -> Iterator[tuple[str, Words]]:
    """The id and the rows (2, items) of every user on the list: w, and x mod 2^64 where rated
    (PPMF-UPL-001).
    """
    order = np.argsort(ratings.user, kind="stable")
    ends = np.searchsorted(ratings.user[order], np.arange(1, ratings.n_users))
    for user, theirs in zip(ratings.users, np.split(order, ends), strict=True):
        rows = np.zeros((2, ratings.n_items), dtype=np.uint64)
        rows[0, ratings.item[theirs]] = 1
        rows[1, ratings.item[theirs]] = ratings.value[theirs].astype(np.uint64)
        yield user, rows


def upload(session: Session, user: str, rows: Words, key: bytes, coins: Coins) -> wire.Upload:
    """The message of a user with the rows (2, items): w in {0, 1}, and x at scale fr mod 2^64.

    key: CSP's key, checked. A user who tries again must send the same bytes again; for changed
    ratings this function must be called again (PPMF-UPL-003, -005).
    """
    seed = coins.bytes(SEED_BYTES)
    masked = rows - expand_seed(session, user, seed)
    sealed = seal_seed(session, user, key, seed, coins.bytes(KEY_BYTES))
    return wire.Upload(user, words_to_bytes(masked), sealed)


def expand_seed(session: Session, user: str, seed: bytes) -> Words:
    """The mask (2, items) of a user's rows, which is CSP's share of them (PPMF-UPL-002)."""
    text = b"ppmf/v2/upload/" + session.id + user.encode() + seed
    count = 2 * len(session.items)
    drawn = np.frombuffer(hashlib.shake_256(text).digest(8 * count), dtype="<u8")
    return drawn.astype(np.uint64, copy=False).reshape(2, -1)


def seal_seed(session: Session, user: str, key: bytes, seed: bytes, material: bytes) -> bytes:
    """The seed, sealed to CSP for this session and user; `material` is that of `sealing.seal`
    (PPMF-UPL-004).
    """
    return seal(key, _binding(session, user), seed, material)


def check_sealed_seed(user: str, sealed: bytes) -> None:
    """RecSys' check that bytes can be a sealed seed; raises as `check_seal` does (PPMF-UPL-006)."""
    check_seal(sealed, SEED_BYTES, _place(user))


def open_seed(session: Session, user: str, key: SealingKey, sealed: bytes) -> bytes:
    """The seed that CSP opens. Raises StateError if it was sealed for another session or user
    (PPMF-UPL-008).
    """
    return key.open(sealed, _binding(session, user), SEED_BYTES, _place(user))


class Intake:
    """The intake of the uploads at RecSys: one of each user, in any order.

    A repeated upload must have the same bytes.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._row = {user: row for row, user in enumerate(session.users)}
        self._masked = np.empty((2, len(session.users), len(session.items)), dtype=np.uint64)
        self._sealed: dict[str, bytes] = {}

    def take(self, upload: wire.Upload) -> None:
        """Take in one upload (PPMF-UPL-006, PPMF-ERR-014).

        Raises RangeError for an unknown user or a seal outside its group, EncodingError for a wrong
        length, and StateError for a second, different upload of the same user. Uploads that were
        taken in before are not affected.
        """
        if upload.user not in self._row:
            raise RangeError(f"upload of {told(upload.user)}: not on the user list")
        where = f"upload of user {upload.user}"
        shape = (2, len(self._session.items))
        masked = words_from_bytes(upload.masked, shape, f"{where}: masked rows")
        check_sealed_seed(upload.user, upload.sealed)
        row = self._row[upload.user]
        if upload.user not in self._sealed:
            self._masked[:, row], self._sealed[upload.user] = masked, upload.sealed
        elif self._sealed[upload.user] != upload.sealed or (self._masked[:, row] != masked).any():
            raise StateError(f"{where}: a second upload, and not the bytes of the first")

    @property
    def missing(self) -> int:
        """The number of users who have not uploaded yet."""
        return len(self._row) - len(self._sealed)

    def sealed_seeds(self) -> bytes:
        """The sealed seeds of all users, in the order of the user list (PPMF-UPL-007)."""
        return b"".join(self._sealed[user] for user in self._session.users)

    def shares(self) -> RatingShares:
        """RecSys' share of the ratings, which is the masked rows."""
        return RatingShares(*self._masked)


def take_uploads(session: Session) -> Program[RatingShares]:
    """RecSys' share of the ratings, once every user has uploaded and the seeds are passed on.

    An upload that is refused affects no other (PPMF-UPL-007, PPMF-ERR-007).
    """
    yield Phase("upload", 0, session.half_steps)
    intake = Intake(session)
    while intake.missing:
        upload = yield from receive(USERS, wire.Upload)
        try:
            intake.take(upload)
        except PpmfError as refusal:
            yield Refuse(USERS, refusal)
    yield Send(CSP, wire.SealedSeeds(intake.sealed_seeds()))
    shares = intake.shares()
    yield Keep("ratings", None, partial(write_ratings, session, shares))
    return shares


def take_seeds(session: Session, key: SealingKey) -> Program[RatingShares]:
    """CSP's share of the ratings, from the seeds that RecSys passes on; the users get the key first
    (PPMF-UPL-009).
    """
    yield Send(USERS, wire.UserKey(key.public))
    yield Phase("upload", 0, session.half_steps)
    message = yield from receive(RECSYS, wire.SealedSeeds)
    shares = _masks(session, key, message.sealed)
    yield Keep("ratings", None, partial(write_ratings, session, shares))
    return shares


def _masks(session: Session, key: SealingKey, sealed: bytes) -> RatingShares:
    """CSP's share of the ratings, which is the users' masks."""
    check_length(sealed, SEALED_BYTES * len(session.users), "sealed seeds")
    masks = np.empty((2, len(session.users), len(session.items)), dtype=np.uint64)
    for row, user in enumerate(session.users):
        theirs = sealed[row * SEALED_BYTES : (row + 1) * SEALED_BYTES]
        seed = open_seed(session, user, key, theirs)
        masks[:, row] = expand_seed(session, user, seed)
    return RatingShares(*masks)


def _place(user: str) -> str:
    return f"sealed seed of user {user}"


def _binding(session: Session, user: str) -> bytes:
    return b"ppmf/v2/seal/" + session.id + user.encode()
