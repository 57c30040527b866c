# SPDX-License-Identifier: GPL-3.0-or-later
"""The 128 base oblivious transfers over Paillier (chapter 4, "Base transfers"), semi-honest.

The sender ends with 128 pairs of random 16-byte seeds, the chooser with one seed of each pair, the
one its choice bit names. `transfer_extension` extends them to millions. Two messages:

- request: Enc(b_0), ..., Enc(b_127), the chooser's choice bits under its own key;
- answer: Enc(sum_i 2^(128 i) s_i), re-randomised, where s_i = m_i0 + b_i (m_i1 - m_i0) is the
  chosen seed as a little-endian integer. As many transfers share a ciphertext as N has room for
  128-bit slots: 23 at 3072 bits. Each sum is below 2^(128 slots) < N, so nothing wraps or carries.

What the sender learns: nothing of the choices. Telling encryptions of 0 from encryptions of 1 is
telling N-th residues mod N^2 from others times (1 + N), which is hard under DCR; by a hybrid over
the 128 ciphertexts the request hides all bits together.

What the chooser learns: nothing beyond the chosen seeds, not even with unbounded power. Any c_i in
Z_(N^2)^* is (1 + N)^x_i y_i^N for one x_i in Z_N and one y_i in Z_N^*. The answer

    prod_i c_i^(2^(128 i) (m_i1 - m_i0)) * (1 + N)^(sum_i 2^(128 i) m_i0) * r^N

is (1 + N)^s (y r)^N with s = sum_i 2^(128 i) (m_i0 + x_i (m_i1 - m_i0)) mod N and y a product of
powers of the y_i. Since r is fresh and uniform in Z_N^*, so is y r: the answer is exactly a fresh
encryption of s, whatever randomness the chooser put into its request, and with x_i = b_i in {0, 1}
the sum s is the chosen seeds and no more. (A chooser that encrypts other values than bits gets
another combination of the seeds; that is a deviation, outside the honest-but-curious model.)
"""

from __future__ import annotations

import gmpy2
import numpy as np
from gmpy2 import mpz

from ppmf_secure.arrays import Bits, Bytes
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey, SecretKey
from ppmf_spec.errors import RangeError

TRANSFERS = 128
"""Base transfers: the security parameter, and the bits of a correlation offset."""

SEED_BYTES = 16
_SEED_BITS = 8 * SEED_BYTES


def request_bytes(public: PublicKey) -> int:
    """Length of a request under the chooser's key."""
    return TRANSFERS * public.ciphertext_bytes


def answer_bytes(public: PublicKey) -> int:
    """Length of an answer under the chooser's key."""
    return len(_groups(public)) * public.ciphertext_bytes


def choose(secret: SecretKey, choices: Bits, coins: Coins) -> bytes:
    """The chooser's request for choice bits (128,) (PPMF-OTE-002)."""
    return secret.public.write(secret.encrypt(int(bit), coins) for bit in choices)


def answer(public: PublicKey, request: bytes, coins: Coins) -> tuple[bytes, Bytes]:
    """The sender's answer under the chooser's key, and the seeds (128, 2, 16) it drew.

    Raises EncodingError on a request of the wrong length, RangeError on a ciphertext outside its
    group (PPMF-OTE-003).
    """
    chosen = public.read(request, TRANSFERS, "base OT request")
    drawn = np.frombuffer(coins.bytes(TRANSFERS * 2 * SEED_BYTES), dtype=np.uint8)
    seeds = drawn.reshape(TRANSFERS, 2, SEED_BYTES)
    answers = [
        _select(public, chosen[group], seeds[group]) * public.residue(coins) % public.square
        for group in _groups(public)
    ]
    return public.write(answers), seeds


def reveal(secret: SecretKey, answered: bytes) -> Bytes:
    """The chooser's seeds (128, 16) from the answer to its request (PPMF-OTE-003).

    Raises EncodingError on an answer of the wrong length, RangeError on a ciphertext outside its
    group or on a plaintext that is no row of seeds (as under another key).
    """
    groups = _groups(secret.public)
    where = "base OT answer"
    ciphertexts = secret.public.read(answered, len(groups), where)
    seeds = np.empty((TRANSFERS, SEED_BYTES), dtype=np.uint8)
    for number, (group, ciphertext) in enumerate(zip(groups, ciphertexts, strict=True)):
        message, size = secret.decrypt(ciphertext), seeds[group].size
        if message >> 8 * size:
            raise RangeError(f"{where}: the plaintext of ciphertext {number} is too large")
        row = np.frombuffer(message.to_bytes(size, "little"), dtype=np.uint8)
        seeds[group] = row.reshape(-1, SEED_BYTES)
    return seeds


def _groups(public: PublicKey) -> list[slice]:
    """The transfers that share a ciphertext of the answer: as many slots as fit below N."""
    slots = (public.bits - 1) // _SEED_BITS
    return [slice(at, min(at + slots, TRANSFERS)) for at in range(0, TRANSFERS, slots)]


def _select(public: PublicKey, chosen: list[mpz], seeds: Bytes) -> mpz:
    """An encryption, not yet re-randomised, of the seeds (slots, 2, 16) chosen by Enc(b_i)."""
    power = mpz(1)
    # Horner's rule in the exponent, highest slot first
    for bit, (zero, one) in zip(reversed(chosen), reversed(seeds), strict=True):
        difference = _integer(one) - _integer(zero)
        power = gmpy2.powmod(power, 1 << _SEED_BITS, public.square)
        power = power * gmpy2.powmod(bit, difference, public.square) % public.square
    return power * public.plain(_integer(seeds[:, 0])) % public.square


def _integer(seeds: Bytes) -> int:
    """Seeds, lowest slot first, as one little-endian integer."""
    return int.from_bytes(seeds.tobytes(), "little")
