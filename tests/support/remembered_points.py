# SPDX-License-Identifier: Apache-2.0
"""Base transfers that remember what the library computed of the same numbers before.

What they give is unchanged. What the library does is tested without it, in
tests/secure/primitives/test_base_transfers.py.
"""

from __future__ import annotations

from functools import lru_cache

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ppmf_secure.primitives import base_transfers
from ppmf_secure.primitives.coins import Coins
from ppmf_spec.errors import RangeError

_MOST = 1 << 15
"""The points of some sixty epochs."""

_fresh_secret = base_transfers.fresh_secret
_multiple, _read_point = base_transfers.multiple, base_transfers.read_point


@lru_cache(_MOST)
def _secret(number: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(number, ec.SECP256R1())


@lru_cache(_MOST)
def _product(secret: ec.EllipticCurvePrivateKey, point: bytes) -> bytes:
    return _multiple(secret, _read_point(point, ""))


@lru_cache(_MOST)
def _point(data: bytes) -> ec.EllipticCurvePublicKey | None:
    """The point in 33 bytes; None if they are the encoding of none."""
    try:
        return _read_point(data, "")
    except RangeError:
        return None


def _remembered_secret(coins: Coins) -> ec.EllipticCurvePrivateKey:
    return _secret(1 + coins.below(base_transfers.ORDER - 1))


def _remembered_point(data: bytes, where: str) -> ec.EllipticCurvePublicKey:
    if len(data) != base_transfers.POINT_BYTES:
        return _read_point(data, where)
    found = _point(bytes(data))
    if found is None:
        raise RangeError(f"{where}: not a point of P-256")
    return found


def _remembered_multiple(
    secret: ec.EllipticCurvePrivateKey, point: ec.EllipticCurvePublicKey
) -> bytes:
    return _product(secret, base_transfers.write_point(point))


def apply(patch: pytest.MonkeyPatch) -> None:
    """Let base transfers remember, until the patch is undone."""
    patch.setattr(base_transfers, "fresh_secret", _remembered_secret)
    patch.setattr(base_transfers, "read_point", _remembered_point)
    patch.setattr(base_transfers, "multiple", _remembered_multiple)


def forget(patch: pytest.MonkeyPatch) -> None:
    """Let the library compute everything again, until the patch is undone."""
    patch.setattr(base_transfers, "fresh_secret", _fresh_secret)
    patch.setattr(base_transfers, "read_point", _read_point)
    patch.setattr(base_transfers, "multiple", _multiple)
