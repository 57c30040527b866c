# SPDX-License-Identifier: GPL-3.0-or-later
"""RecSys: takes the users' uploads, evaluates what CSP garbles, and learns V (section 5)."""

from __future__ import annotations

from functools import partial

import numpy as np

from ppmf_secure.effects import CSP, RECSYS, USERS, Keep, Phase, Program, Refuse, Send, receive
from ppmf_secure.parties.training import check_session, train
from ppmf_secure.parties.users import check_sealed_seed
from ppmf_secure.primitives.circuits.half_gates import colours
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.paillier.keys import SecretKey
from ppmf_secure.primitives.shares import Words, check_length, from_bits, words_from_bytes
from ppmf_secure.session.checkpoint import Kept, RatingShares, read_ratings, write_ratings
from ppmf_secure.session.cipher_suites import SuiteChoice
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.errors import PpmfError, RangeError, StateError
from ppmf_spec.profiles import ItemProfiles


class Intake:
    """The uploads as they come: one a user, in any order, a retry allowed if byte-identical."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._row = {user: row for row, user in enumerate(session.users)}
        self._masked = np.empty((2, len(session.users), len(session.items)), dtype=np.uint64)
        self._sealed: dict[str, bytes] = {}

    def take(self, upload: wire.Upload) -> None:
        """Accept one upload (PPMF-UPL-006).

        Raises RangeError for an unknown user or a seal outside its group, EncodingError for a
        wrong length, StateError for a second, different upload of the same user. What was taken
        before stays taken.
        """
        if upload.user not in self._row:
            raise RangeError(f"upload of {upload.user[:40]!r}: not on the user list")
        where = f"upload of user {upload.user}"
        check_sealed_seed(upload.user, upload.sealed)
        shape = (2, len(self._session.items))
        masked = words_from_bytes(upload.masked, shape, f"{where}: masked rows")
        row = self._row[upload.user]
        if upload.user not in self._sealed:
            self._masked[:, row], self._sealed[upload.user] = masked, upload.sealed
        elif self._sealed[upload.user] != upload.sealed or (self._masked[:, row] != masked).any():
            raise StateError(f"{where}: a second upload, and not the bytes of the first")

    @property
    def missing(self) -> int:
        """How many users have not uploaded yet."""
        return len(self._row) - len(self._sealed)

    def sealed_seeds(self) -> bytes:
        """The sealed seeds of all users, in the order of the user list (PPMF-UPL-007)."""
        return b"".join(self._sealed[user] for user in self._session.users)

    def shares(self) -> RatingShares:
        """RecSys' share of the ratings: the masked rows."""
        return RatingShares(*self._masked)


def recsys(
    session: Session, suite: SuiteChoice, coins: Coins, *, epoch: int = 0, kept: Kept | None = None
) -> Program[ItemProfiles]:
    """RecSys' whole program; its result is V, which it publishes.

    A later epoch takes up what an earlier one `kept`; no user is asked twice.
    """
    check_session(session, suite)
    yield Phase("keys", 0, session.half_steps)
    transfer_key = SecretKey.generate(suite.transfer_bits, coins)
    if kept is None:
        shares = yield from _take_uploads(session)
    else:
        shares = read_ratings(session, kept.ratings)
    labels = yield from train(
        RECSYS, session, suite, transfer_key, shares, coins, epoch=epoch, kept=kept
    )
    yield Phase("output", session.half_steps, session.half_steps)
    message = yield from receive(CSP, wire.OutputShare)
    return open_output(session, labels, message.bits)


def _take_uploads(session: Session) -> Program[RatingShares]:
    """Wait for every user, and pass the sealed seeds on. A bad upload costs nobody else's
    (PPMF-UPL-007, PPMF-ERR-007).
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


def open_output(session: Session, labels: Words, packed: bytes) -> ItemProfiles:
    """V from RecSys' active labels and CSP's packed share: the one opening of the run
    (PPMF-OUT-003, PPMF-FIX-041, -042).
    """
    mine = colours(labels)
    check_length(packed, (mine.size + 7) // 8, "output share")
    theirs = np.unpackbits(
        np.frombuffer(packed, dtype=np.uint8), count=mine.size, bitorder="little"
    )
    words = from_bits(mine ^ theirs.reshape(mine.shape), signed=True)
    params = session.parameters
    values = words.view(np.int64).reshape(params.row_rank, len(session.items))
    bias = values[params.rank] if params.bias else None
    return ItemProfiles.of(session.items, values[: params.rank].T, bias, params)
