# SPDX-License-Identifier: GPL-3.0-or-later
"""The 128 base oblivious transfers over P-256 (chapter 4, "Base transfers").

The sender gets 128 pairs of random seeds of 16 bytes. The chooser gets one seed of each pair: the
one that its choice bit names. `transfer_extension` makes millions of transfers of them. G is the
generator of the group of P-256, whose order n is a prime. There are two messages, of which neither
waits for the other:

- The chooser's request has two points for each transfer. At the place of its choice stands s G, for
  a fresh secret s. At the other place stands a point of which nobody knows the discrete logarithm:
  the first of the drawn candidates that is the encoding of a point.
- The sender's answer is one point F = e G for a fresh e.

Seed c of a pair is a hash of e P_c and of all that was public. The chooser computes it as the hash
of s E for the place of its choice.

The sender learns nothing of the choices, and this needs no assumption. Every point but the neutral
element has exactly one encoding of 33 bytes, and a candidate is uniform among all strings of that
form, so the candidate that is taken is a uniform point. So is s G, since s is uniform in [1, n).
The two places are therefore distributed alike, whatever the choice. (On Curve25519 this would fail:
half of all strings are x-coordinates of the twist, which shows which of the two was drawn.)

The chooser learns nothing of the other seed, if the gap Diffie-Hellman problem is hard on P-256 and
SHA-256 is a random oracle: to tell that seed from a uniform one it would have to hash the x of e P,
for a point P that was handed to it. A challenge P can be turned into as many as there are transfers
by adding known multiples of G, and candidates that lead to a given point can be drawn afterwards,
so that the number of transfers is no factor (chapter 6, "The proof").

The library cryptography, which calls OpenSSL, supplies the arithmetic. All randomness comes from
`Coins`. A chooser that knows both secrets of a transfer gets both seeds; it departs from the
protocol, which chapter 6, "The model", excludes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ppmf_secure.arrays import Bits, Bytes
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.shares import check_length
from ppmf_spec.errors import RangeError

TRANSFERS = 128
"""The number of base transfers: one for each bit of an offset."""

SEED_BYTES = 16

POINT_BYTES = 33
"""The bytes of a point: 2 or 3 by the parity of y, then x, the highest byte first."""

REQUEST_BYTES = TRANSFERS * 2 * POINT_BYTES

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order n of the group of P-256, a prime (NIST SP 800-186, section 3.2.1.3)."""

_CURVE = ec.SECP256R1()


class BaseChooser:
    """The side that chooses, in one direction of an epoch.

    choices (128,): its choice bits. context: public bytes that name session, epoch and direction.
    """

    def __init__(self, choices: Bits, context: bytes, coins: Coins) -> None:
        self._choices = [int(bit) for bit in choices]
        self._context = context
        self._secrets = []
        pairs = []
        for bit in self._choices:
            secret = fresh_secret(coins)
            pairs.append(point_pair(bit, secret, first_point(candidates(coins))))
            self._secrets.append(secret)
        self.request = b"".join(pairs)
        """The chooser's message, REQUEST_BYTES long (PPMF-OTE-010)."""

    def seeds(self, answer: bytes) -> Bytes:
        """The chosen seeds (128, 16), from the sender's answer (PPMF-OTE-012).

        Raises EncodingError on an answer of the wrong length, RangeError if it is no point
        (PPMF-OTE-009).
        """
        point, sent = read_point(answer, "base answer"), bytes(answer)
        return _rows(
            _seed(self._context, number, bit, pair, sent, secret, point)
            for number, (bit, secret, pair) in enumerate(
                zip(self._choices, self._secrets, _pairs(self.request), strict=True)
            )
        )

    def __repr__(self) -> str:
        return "BaseChooser(...)"


class BaseSender:
    """The side that gets both seeds of each pair, in one direction of an epoch.

    context: the same public bytes as the chooser's.
    """

    def __init__(self, context: bytes, coins: Coins) -> None:
        self._context = context
        self._secret = fresh_secret(coins)
        self.answer = write_point(self._secret.public_key())
        """The sender's message, POINT_BYTES long (PPMF-OTE-011)."""

    def seed_pairs(self, request: bytes) -> Bytes:
        """The pairs of seeds (128, 2, 16), from the chooser's request (PPMF-OTE-012).

        Raises EncodingError on a request of the wrong length, RangeError, which names the first
        transfer with an encoding of no point (PPMF-OTE-009).
        """
        check_length(request, REQUEST_BYTES, "base request")
        rows = _rows(
            seed
            for number, pair in enumerate(_pairs(request))
            for seed in _seed_pair(self._context, number, self._secret, pair, self.answer)
        )
        return rows.reshape(TRANSFERS, 2, SEED_BYTES)

    def __repr__(self) -> str:
        return "BaseSender(...)"


# -- one transfer ----------------------------------------------------------------------------------


def fresh_secret(coins: Coins) -> ec.EllipticCurvePrivateKey:
    """A secret that is uniform in [1, n), so that its point is uniform among all but the neutral
    element.
    """
    return ec.derive_private_key(1 + coins.below(ORDER - 1), _CURVE)


def private_key(secret: bytes) -> ec.EllipticCurvePrivateKey:
    """The private key of 32 bytes, the highest first. Raises RangeError outside [1, n)."""
    number = int.from_bytes(secret, "big")
    if not 0 < number < ORDER:
        raise RangeError("private key: outside its range")
    return ec.derive_private_key(number, _CURVE)


def candidates(coins: Coins) -> Iterator[bytes]:
    """Fresh candidates for a point: 33 uniform bytes each, without end."""
    while True:
        yield coins.bytes(POINT_BYTES)


def first_point(candidates: Iterable[bytes]) -> bytes:
    """The first of the candidates that is a point, once its first byte is made 2 or 3 by its lowest
    bit (PPMF-OTE-010). About every second one is.

    Raises RangeError if there is none.
    """
    for candidate in candidates:
        encoded = bytes([2 + candidate[0] % 2]) + candidate[1:]
        try:
            read_point(encoded, "candidate")
        except RangeError:
            continue
        return encoded
    raise RangeError("candidates: none is a point")


def point_pair(choice: int, secret: ec.EllipticCurvePrivateKey, other: bytes) -> bytes:
    """The two points of a transfer: that of the secret at the place of the choice, and the `other`
    one.
    """
    own = write_point(secret.public_key())
    return other + own if choice else own + other


def seed_pair(
    context: bytes, number: int, secret: ec.EllipticCurvePrivateKey, pair: bytes
) -> tuple[bytes, bytes]:
    """Both seeds of transfer `number`, by the sender's secret and the chooser's two points."""
    return _seed_pair(context, number, secret, pair, write_point(secret.public_key()))


def _seed_pair(
    context: bytes, number: int, secret: ec.EllipticCurvePrivateKey, pair: bytes, answer: bytes
) -> tuple[bytes, bytes]:
    """The same, if the sender's answer is written already."""
    where = f"base request: transfer {number}"
    zero, one = (
        _seed(context, number, slot, pair, answer, secret, read_point(encoded, where))
        for slot, encoded in enumerate((pair[:POINT_BYTES], pair[POINT_BYTES:]))
    )
    return zero, one


def chosen_seed(
    context: bytes,
    number: int,
    choice: int,
    secret: ec.EllipticCurvePrivateKey,
    pair: bytes,
    answer: ec.EllipticCurvePublicKey,
) -> bytes:
    """The chosen seed of transfer `number`, by the chooser's secret and the sender's point."""
    return _seed(context, number, choice, pair, write_point(answer), secret, answer)


def _seed(
    context: bytes,
    number: int,
    slot: int,
    pair: bytes,
    answer: bytes,
    secret: ec.EllipticCurvePrivateKey,
    point: ec.EllipticCurvePublicKey,
) -> bytes:
    """A seed: the hash of what is public, and of the x of the secret's multiple of a point
    (PPMF-OTE-012).
    """
    place = context + number.to_bytes(8, "little") + slot.to_bytes(8, "little")
    text = b"ppmf/v2/base-seed/" + place + pair + answer + multiple(secret, point)
    return hashlib.sha256(text).digest()[:SEED_BYTES]


def multiple(secret: ec.EllipticCurvePrivateKey, point: ec.EllipticCurvePublicKey) -> bytes:
    """The x of the secret's multiple of a point, 32 bytes, the highest first."""
    return secret.exchange(ec.ECDH(), point)


def read_point(data: bytes, where: str) -> ec.EllipticCurvePublicKey:
    """The point in 33 bytes (PPMF-OTE-009). `where` names it in errors.

    Raises EncodingError on a wrong length, RangeError if the bytes are the encoding of no point.
    """
    check_length(data, POINT_BYTES, where)
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, data)
    except ValueError:
        raise RangeError(f"{where}: not a point of P-256") from None


def write_point(point: ec.EllipticCurvePublicKey) -> bytes:
    """The 33 bytes of a point (PPMF-OTE-009)."""
    return point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def _pairs(request: bytes) -> Iterator[bytes]:
    """The two points of each transfer, as they are sent."""
    size = 2 * POINT_BYTES
    return (request[at : at + size] for at in range(0, len(request), size))


def _rows(seeds: Iterable[bytes]) -> Bytes:
    """Seeds as rows of bytes (n, 16)."""
    return np.frombuffer(b"".join(seeds), dtype=np.uint8).reshape(-1, SEED_BYTES)
