# SPDX-License-Identifier: GPL-3.0-or-later
"""A session: what the parties agree on before a run (chapter 4, "Sessions, epochs, coins").

RecSys makes a `Proposal`, CSP answers it with an `Acceptance`, and both together are the `Session`.
Its id is a digest of all of it, which both sign (`session.set_up`), so that nobody can take part in
one session and believe it to be another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from ppmf_secure.primitives.base_transfers import read_point
from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_secure.primitives.sealing import check_key
from ppmf_secure.primitives.shares import check_length
from ppmf_spec import strict_cbor
from ppmf_spec.bounds import Bounds, bounds
from ppmf_spec.errors import EncodingError, ParametersError, RangeError, StateError
from ppmf_spec.ids import check_id, in_canonical_order
from ppmf_spec.parameters import Parameters

NONCE_BYTES = 16
RING_BITS = 64
FEW_USERS = 20
"""Up to so many users all have to take part, unless a session says otherwise (PPMF-SES-015)."""

_INSECURE = "-insecure"
_U64 = 1 << 64
MOST_IDS = 1 << 20
"""The most users, and the most items, of a session (PPMF-SES-016)."""

MOST_ADDRESSES = 16


def default_least(users: int) -> int:
    """How many users have to take part if nothing else is said (PPMF-SES-015)."""
    return users if users <= FEW_USERS else max(FEW_USERS, -(-users // 2))


@dataclass(frozen=True, slots=True)
class Proposal:
    """RecSys' part of a session (PPMF-SES-008).

    parameters: the parameter set. users, items: the ids, in canonical order.
    suite: the name of the cipher suite.
    signing_key: the point, 33 bytes, of RecSys' key for signatures. nonce: its 16 random bytes.
    least: how many users have to take part, by default `default_least`.
    closes: when the intake of uploads closes, in seconds since 1970, or 0 if by no clock.
    expires: after when nobody may take part, or 0 for never.
    addresses: of the servers, for the users. trial: whether this is a trial that protects nothing.
    Raises what PPMF-SES-009, PPMF-SES-016 and PPMF-COD-001 say.
    """

    parameters: Parameters
    users: tuple[str, ...]
    items: tuple[str, ...]
    suite: str
    signing_key: bytes
    nonce: bytes
    least: int = 0
    closes: int = 0
    expires: int = 0
    addresses: tuple[str, ...] = ()
    trial: bool = False

    def __post_init__(self) -> None:
        if self.parameters.ring_bits > RING_BITS:
            raise ParametersError(f"ring_bits: {self.parameters.ring_bits} is over {RING_BITS}")
        for what, ids in (("user list", self.users), ("item catalogue", self.items)):
            if len(ids) > MOST_IDS:
                raise EncodingError(f"the {what} has more than {MOST_IDS} ids")
            if not ids or not in_canonical_order(ids):
                raise RangeError(f"the {what} is empty or not in canonical order")
            for number, text in enumerate(ids, start=1):
                check_id(text, f"{what}: id number {number}")
        if len(self.addresses) > MOST_ADDRESSES:
            raise EncodingError(f"addresses: more than {MOST_ADDRESSES}")
        if not self.least:
            object.__setattr__(self, "least", default_least(len(self.users)))
        self._check_least()
        self._check_times()
        RatingCode.of(self.parameters)
        if self.suite.endswith(_INSECURE) and not self.trial:
            raise ParametersError("trial: a suite that protects nothing is for trials alone")
        read_point(self.signing_key, "RecSys' key for signatures")
        check_length(self.nonce, NONCE_BYTES, "RecSys' nonce")

    def _check_least(self) -> None:
        count = len(self.users)
        if not min(2, count) <= self.least <= count:
            low = min(2, count)
            raise ParametersError(f"least = {self.least}: must be from {low} to {count}")

    def _check_times(self) -> None:
        for name, value in (("closes", self.closes), ("expires", self.expires)):
            if not 0 <= value < _U64:
                raise ParametersError(f"{name}: must be from 0 to 2^64 - 1")
        if self.expires and self.expires <= self.closes:
            raise ParametersError("expires: must be 0 or later than closes")

    def as_array(self) -> list[strict_cbor.Encodable]:
        """The members in their order (PPMF-SES-007)."""
        return [
            self.parameters.to_toml(),
            self.users,
            self.items,
            self.suite,
            self.least,
            self.closes,
            self.expires,
            self.addresses,
            int(self.trial),
            self.signing_key,
            self.nonce,
        ]


@dataclass(frozen=True, slots=True)
class Acceptance:
    """CSP's part of a session (PPMF-SES-008).

    signing_key: the point, 33 bytes, of CSP's key for signatures. nonce: its 16 random bytes.
    sealing_key: the public key, 32 bytes, to which users seal (PPMF-SES-011).
    Raises what PPMF-SES-009 says.
    """

    signing_key: bytes
    nonce: bytes
    sealing_key: bytes

    def __post_init__(self) -> None:
        read_point(self.signing_key, "CSP's key for signatures")
        check_length(self.nonce, NONCE_BYTES, "CSP's nonce")
        check_key(self.sealing_key, "CSP's key for seals")

    def as_array(self) -> list[strict_cbor.Encodable]:
        """The members in their order (PPMF-SES-007)."""
        return [self.signing_key, self.nonce, self.sealing_key]


@dataclass(frozen=True)
class Session:
    """The public facts of one run, fixed before its first message.

    bounds: those of chapter 3. id: the id of the session (PPMF-SES-007).
    Raises ParametersError if the run could not be correct (PPMF-SES-003).
    """

    proposal: Proposal
    acceptance: Acceptance
    bounds: Bounds = field(init=False)
    id: bytes = field(init=False)

    def __post_init__(self) -> None:
        found = bounds(self.parameters, len(self.users), len(self.items))
        object.__setattr__(self, "bounds", found)
        public = [self.proposal.as_array(), self.acceptance.as_array()]
        text = b"ppmf/v2/session/" + strict_cbor.encode(public)
        object.__setattr__(self, "id", hashlib.sha256(text).digest())

    @property
    def parameters(self) -> Parameters:
        """The parameter set."""
        return self.proposal.parameters

    @property
    def users(self) -> tuple[str, ...]:
        """The users' ids, in canonical order."""
        return self.proposal.users

    @property
    def items(self) -> tuple[str, ...]:
        """The items' ids, in canonical order."""
        return self.proposal.items

    @property
    def suite(self) -> str:
        """The name of the cipher suite."""
        return self.proposal.suite

    @property
    def least(self) -> int:
        """How many users have to take part."""
        return self.proposal.least

    @property
    def closes(self) -> int:
        """When the intake of uploads closes, or 0 if by no clock."""
        return self.proposal.closes

    @property
    def sealing_key(self) -> bytes:
        """The public key to which users seal, 32 bytes."""
        return self.acceptance.sealing_key

    @property
    def half_steps(self) -> int:
        """The number of half-steps of the whole run, two for each iteration."""
        return 2 * self.parameters.iterations

    def check_time(self, now: int) -> None:
        """Raise StateError if the session has expired, by the clock of the party that asks, which
        is in seconds since 1970 (PPMF-SES-014).
        """
        if self.proposal.expires and now >= self.proposal.expires:
            raise StateError("the session has expired")


def texts(found: Sequence[object]) -> tuple[str, ...] | None:
    """The texts of an array, or None if it has anything else."""
    return tuple(str(one) for one in found) if all(isinstance(o, str) for o in found) else None
