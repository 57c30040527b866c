# SPDX-License-Identifier: Apache-2.0
"""What a party must have drawn anew for every message, as far as the messages themselves show it.

No output depends on a party's coins, so that a run ends well without any. What is random in one
field is in no other of the run, though (PPMF-CON-049).
"""

from __future__ import annotations

import hashlib

from ppmf_spec.wire import EncryptedRows, FieldClass, Message, ServerKey

LEAST = 16
"""The bytes from which on two random fields are never the same."""


class FreshFields:
    """The fields that one party has sent in the epochs of a run."""

    def __init__(self) -> None:
        self._fields: set[bytes] = set()
        self._modulus = 0
        self._randomisers: set[int] = set()

    def fault(self, message: Message) -> str:
        """Note a message; returns what is wrong with it, in one line, or an empty text."""
        for name, kind, value in message.fields_with_class():
            public = kind is FieldClass.PUBLIC and name != "product_key"
            if public or not isinstance(value, bytes | bytearray | memoryview):
                continue
            digest = hashlib.sha256(value).digest()
            if len(value) >= LEAST and digest in self._fields:
                return f"{name} as in an earlier message"
            self._fields.add(digest)
        if isinstance(message, ServerKey):
            paillier = message.suite.startswith("paillier")
            self._modulus = int.from_bytes(message.product_key, "big") if paillier else 0
        if isinstance(message, EncryptedRows) and self._modulus:
            return self._fault_of_rows(message.rows)
        return ""

    def _fault_of_rows(self, rows: bytes) -> str:
        """What is wrong with ciphertexts under the party's own key (PPMF-AHE-005, -006)."""
        size = 2 * ((self._modulus.bit_length() + 7) // 8)
        for at in range(0, len(rows), size):
            found = int.from_bytes(rows[at : at + size], "big") % self._modulus
            if found == 1:
                return f"ciphertext {at // size} of rows has no randomiser"
            if found in self._randomisers:
                return f"ciphertext {at // size} of rows has the randomiser of another"
            self._randomisers.add(found)
        return ""
