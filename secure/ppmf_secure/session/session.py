# SPDX-License-Identifier: GPL-3.0-or-later
"""The public facts that all parties agree on before a run, and the numbers that follow."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import cbor2

from ppmf_spec.bounds import Bounds, bounds
from ppmf_spec.errors import ParametersError, RangeError
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import canonical_order

NONCE_BYTES = 16
RING_BITS = 64


@dataclass(frozen=True)
class Session:
    """One run: the parameter set, the user list, the item catalogue, the cipher suite, and a nonce.

    users, items: ids in canonical order. `nonce` makes the id of a run its own; all else may recur.
    Raises ParametersError or RangeError when the run could not be correct (PPMF-SES-001 to -003).
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
        public = [self.parameters.as_dict(), self.users, self.items, self.suite, self.nonce]
        text = b"ppmf/v1/session/" + cbor2.dumps(public, canonical=True)
        object.__setattr__(self, "id", hashlib.sha256(text).digest())

    @property
    def half_steps(self) -> int:
        """Half-steps of the whole run: two an iteration."""
        return 2 * self.parameters.iterations
