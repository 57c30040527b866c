# SPDX-License-Identifier: GPL-3.0-or-later
"""A session: what the parties agree on before a run (chapter 4, "Sessions, epochs, coins")."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import cbor2

from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_spec.bounds import Bounds, bounds
from ppmf_spec.errors import ParametersError, RangeError
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import canonical_order

NONCE_BYTES = 16
RING_BITS = 64


@dataclass(frozen=True)
class Session:
    """The public facts of one run, fixed before its first message.

    parameters: the parameter set. users, items: the ids, in canonical order.
    suite: the name of the cipher suite. nonce: 16 random bytes, so that two runs differ in their id
        even if all else is the same.
    bounds: those of chapter 3. id: the id of the session.
    Raises ParametersError or RangeError if the run could not be correct (PPMF-SES-001 to -003,
    PPMF-COD-001).
    """

    parameters: Parameters
    users: tuple[str, ...]
    items: tuple[str, ...]
    suite: str
    nonce: bytes
    bounds: Bounds = field(init=False)
    id: bytes = field(init=False)

    def __post_init__(self) -> None:
        if self.parameters.ring_bits > RING_BITS:
            raise ParametersError(f"ring_bits: {self.parameters.ring_bits} is over {RING_BITS}")
        if len(self.nonce) != NONCE_BYTES:
            raise ParametersError(f"a session's nonce has {NONCE_BYTES} bytes")
        for what, ids in (("user list", self.users), ("item catalogue", self.items)):
            if not ids or ids != canonical_order(ids):
                raise RangeError(f"the {what} is empty or not in canonical order")
        object.__setattr__(
            self, "bounds", bounds(self.parameters, len(self.users), len(self.items))
        )
        RatingCode.of(self.parameters)
        public = [self.parameters.as_dict(), self.users, self.items, self.suite, self.nonce]
        text = b"ppmf/v2/session/" + cbor2.dumps(public, canonical=True)
        object.__setattr__(self, "id", hashlib.sha256(text).digest())

    @property
    def half_steps(self) -> int:
        """The number of half-steps of the whole run, two for each iteration."""
        return 2 * self.parameters.iterations
