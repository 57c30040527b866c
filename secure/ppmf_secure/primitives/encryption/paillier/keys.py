# SPDX-License-Identifier: GPL-3.0-or-later
"""Paillier keys and ciphertexts (chapter 4, "Paillier keys and ciphertexts").

With N = p q, Enc(m; r) = (1 + m N) r^N mod N^2 for m in Z_N and r uniform in Z_N^* (P. Paillier,
"Public-key cryptosystems based on composite degree residuosity classes", EUROCRYPT 1999). A
ciphertext hides its message under the decisional composite residuosity assumption (DCR): r^N cannot
be told from a uniform element of Z_(N^2)^*.

The library phe supplies encryption under a given r, and decryption. All randomness comes from
`Coins`: phe's key generation and its default randomness, which draw entropy themselves, are not
used, nor is its `EncryptedNumber`, which carries an exponent in the clear. A ciphertext in memory
is an `mpz` of gmpy2; on the wire it is big-endian, of fixed length.

Nothing here runs in constant time. Whoever can time a party's work is outside the model (chapter 6,
"What is not protected").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NoReturn

import gmpy2
from gmpy2 import mpz
from phe.paillier import (
    PaillierPrivateKey,
    PaillierPublicKey,
)

from ppmf_secure.primitives.coins import Coins
from ppmf_spec.errors import EncodingError, ParametersError, RangeError

MIN_BITS = 512
"""The smallest modulus: it holds some seeds of base transfers and two slots of a small product."""

_PRIME_ROUNDS = 64  # GMP: Baillie-PSW, then 40 rounds of Miller-Rabin
_SMALL_PRIMES = gmpy2.primorial(1000)


class PublicKey:
    """A public key: a modulus N of an exact, even number of bits.

    modulus: N. square: N^2. bits: the bit length of N.
    ciphertext_bytes: the length of a ciphertext on the wire, which is twice that of N.
    """

    def __init__(self, modulus: int) -> None:
        self.modulus = mpz(modulus)
        self.square = self.modulus * self.modulus
        self.bits = int(self.modulus.bit_length())
        self.ciphertext_bytes = 2 * (self.bits // 8)
        self._phe = PaillierPublicKey(int(modulus))

    @classmethod
    def parse(cls, data: bytes, bits: int) -> PublicKey:
        """The key in bytes: N in bits / 8 big-endian bytes (PPMF-AHE-003, -004).

        Raises EncodingError on another length, and RangeError if N has not exactly `bits` bits, is
        even, has a prime factor up to 1000, is a perfect power or is prime. Whether N is the
        product of two large primes cannot be seen from outside; an owner who chooses another N
        departs from the protocol (chapter 6, "What is not protected").
        """
        if len(data) != bits // 8:
            raise EncodingError(f"Paillier public key: {len(data)} bytes instead of {bits // 8}")
        modulus = mpz(int.from_bytes(data, "big"))
        if modulus.bit_length() != bits:
            raise RangeError(
                f"Paillier public key: a modulus of {modulus.bit_length()} bits, not {bits}"
            )
        if gmpy2.gcd(modulus, _SMALL_PRIMES) != 1:
            raise RangeError("Paillier public key: the modulus has a small prime factor")
        if gmpy2.is_power(modulus) or gmpy2.is_prime(modulus):
            raise RangeError("Paillier public key: the modulus is not a product of two primes")
        return cls(modulus)

    def to_bytes(self) -> bytes:
        """N in bits / 8 big-endian bytes."""
        return int(self.modulus).to_bytes(self.bits // 8, "big")

    def unit(self, coins: Coins) -> int:
        """A uniform element of Z_N^*, by rejection."""
        while True:
            candidate = coins.below(int(self.modulus))
            if gmpy2.gcd(candidate, self.modulus) == 1:
                return candidate

    def residue(self, coins: Coins) -> mpz:
        """A uniform N-th residue mod N^2: r^N for r uniform in Z_N^*.

        r -> r^N is one-to-one from Z_N^* onto the N-th residues, because gcd(N, phi(N)) = 1.
        """
        return gmpy2.powmod(self.unit(coins), self.modulus, self.square)

    def plain(self, message: int) -> mpz:
        """1 + m N = (1 + N)^m mod N^2 for m in [0, N), an encryption without randomness."""
        return 1 + message * self.modulus

    def encrypt(self, message: int, coins: Coins) -> mpz:
        """A fresh encryption of an integer in [0, N), which it hides under DCR (PPMF-AHE-006)."""
        self.check_message(message)
        return mpz(self._phe.raw_encrypt(int(message), r_value=self.unit(coins)))

    def check_message(self, message: int) -> None:
        """Check that a plaintext is in [0, N). Raises RangeError, which does not tell its value."""
        if not 0 <= message < self.modulus:
            raise RangeError("Paillier plaintext: outside [0, N)")

    def write(self, ciphertexts: Iterable[mpz]) -> bytes:
        """The bytes of ciphertexts, one after another, each `ciphertext_bytes` long and big-endian
        (PPMF-AHE-005).
        """
        size = self.ciphertext_bytes
        return b"".join(int(c).to_bytes(size, "big") for c in ciphertexts)

    def read(self, data: bytes, count: int, where: str) -> list[mpz]:
        """The ciphertexts in bytes, `count` of them, checked; `where` names the message in errors.

        Raises EncodingError on a wrong length, and RangeError, which names the first ciphertext
        that is outside its group (PPMF-AHE-005).
        """
        size = self.ciphertext_bytes
        if len(data) != count * size:
            raise EncodingError(f"{where}: {len(data)} bytes instead of {count * size}")
        found = [
            mpz(int.from_bytes(data[at : at + size], "big")) for at in range(0, len(data), size)
        ]
        self.check_ciphertexts(found, where)
        return found

    def check_ciphertexts(self, ciphertexts: Sequence[mpz], where: str) -> None:
        """Check that all are in Z_(N^2)^*. Raises RangeError, which names the first that is not.

        One gcd serves all, since a product mod N is a unit exactly if each factor is one
        (PPMF-AHE-005).
        """
        modulus, product = self.modulus, mpz(1)
        for number, ciphertext in enumerate(ciphertexts):
            if not 0 < ciphertext < self.square:
                raise RangeError(f"{where}: ciphertext {number} is outside (0, N^2)")
            product = product * (ciphertext % modulus) % modulus
        if gmpy2.gcd(product, modulus) == 1:
            return
        number = next(i for i, c in enumerate(ciphertexts) if gmpy2.gcd(c, modulus) != 1)
        raise RangeError(f"{where}: ciphertext {number} is not prime to N")


class SecretKey:
    """A key pair, as its owner holds it. Its `repr` shows nothing of the key."""

    def __init__(self, p: int, q: int) -> None:
        self.public = PublicKey(p * q)
        self._phe = PaillierPrivateKey(self.public._phe, int(p), int(q))
        self._p, self._q = mpz(p), mpz(q)
        self._p_square, self._q_square = self._p**2, self._q**2
        self._lift = self._q_square * gmpy2.invert(self._q_square, self._p_square)

    @classmethod
    def generate(cls, bits: int, coins: Coins) -> SecretKey:
        """A key whose modulus has exactly `bits` bits; ParametersError if there can be none.

        p and q are independent and uniform among the primes of bits / 2 bits whose two top bits are
        set, so that N has `bits` bits. Their distance is above 2^(bits / 2 - 100) (FIPS 186-5,
        A.1.3). As they have one length, gcd(N, phi(N)) = 1: since p < q < 2 p, p would divide q - 1
        only if q = p + 1 (PPMF-AHE-003).
        """
        if bits < MIN_BITS or bits % 16:
            raise ParametersError(
                f"Paillier modulus: {bits} bits; at least {MIN_BITS} and a multiple of 16 wanted"
            )
        p = _prime(bits // 2, coins)
        while True:
            q = _prime(bits // 2, coins)
            if abs(p - q) >> (bits // 2 - 100):
                return cls(p, q)

    def encrypt(self, message: int, coins: Coins) -> mpz:
        """An encryption as `PublicKey.encrypt` makes it, about four times as fast, by CRT.

        The result is (1 + m N) z, where z must be uniform among the N-th residues mod N^2. By CRT
        these are the pairs of an N-th residue mod p^2 and one mod q^2. Z_(p^2)^* is cyclic of order
        p (p - 1), and gcd(N, p (p - 1)) = p, as gcd(N, phi(N)) = 1. So its N-th residues are its
        p-th residues, the subgroup of order p - 1. For u in [1, p) the power u^p mod p^2 is in it
        and is u mod p, so that it takes each of the p - 1 values once: if u is uniform, so is u^p
        (PPMF-AHE-006).
        """
        public = self.public
        public.check_message(message)
        at_p, at_q = self._residue(self._p, coins), self._residue(self._q, coins)
        residue = at_q + self._lift * ((at_p - at_q) % self._p_square)
        return public.plain(message) * residue % public.square

    @staticmethod
    def _residue(prime: mpz, coins: Coins) -> mpz:
        return gmpy2.powmod(1 + coins.below(int(prime) - 1), prime, prime * prime)

    def decrypt(self, ciphertext: mpz) -> int:
        """The plaintext in [0, N) of a checked ciphertext, by CRT (Paillier 1999, section 7)."""
        return int(self._phe.raw_decrypt(int(ciphertext)))

    def __repr__(self) -> str:
        return "SecretKey(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret key is not to be pickled")


def _prime(bits: int, coins: Coins) -> int:
    """A prime that is uniform among those of `bits` bits whose two top bits are set."""
    frame = 3 << (bits - 2) | 1
    while True:
        candidate = int.from_bytes(coins.bytes(bits // 8), "big") | frame
        if gmpy2.is_prime(candidate, _PRIME_ROUNDS):
            return candidate
