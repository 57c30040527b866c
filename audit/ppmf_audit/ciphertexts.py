# SPDX-License-Identifier: Apache-2.0
"""Checks that ciphertexts are of fixed width, valid under their key, and never repeated.

Semantic security does not cover a ciphertext that is sent twice: the repetition itself shows that
two plaintexts, or two parties' states, are equal. Nor does it cover two ciphertexts with one
randomness, whose difference is that of their plaintexts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from ppmf_audit.ciphertext_pieces import Key, Seals, product_key
from ppmf_audit.finding import Finding
from ppmf_audit.transcript_outline import Direction
from ppmf_secure.session.cipher_suites import CipherSuite
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.errors import PpmfError

SENDER, RECEIVER = "the sender's", "the receiver's"

# The public key of each field of ciphertexts: the field of the message that carries the key, and
# the party that sends that message. (Seals are to a key of the session, which is in no message.)
KEYS: dict[tuple[str, str], tuple[str, str]] = {
    ("encrypted-rows", "rows"): ("product_key", SENDER),
    ("product-answer", "answer"): ("product_key", RECEIVER),
}
CLASSES = (wire.FieldClass.PK_CIPHERTEXT, wire.FieldClass.HE_CIPHERTEXT)


@dataclass(slots=True)
class Ciphertexts:
    """The checks of all ciphertexts of a run. Every message is given twice: once to `learn`, which
    takes in the keys, and then, when all keys are known, to `add`.

    `keys` are the public keys by the field that carried them, their owner and the epoch. `seen` are
    the SHA-256 of the pieces that must not occur twice (see `ciphertext_pieces`). `uploaded` and
    `forwarded` are those of the users' seals, of which RecSys must hand on one of each user who is
    present, as it came: the one ciphertext that appears twice. `suite` is the cipher suite of the
    run, where it is known better than by its name.
    """

    session: Session
    keys: dict[tuple[str, str, int], Key] = field(default_factory=dict)
    seen: set[bytes] = field(default_factory=set)
    uploaded: set[bytes] = field(default_factory=set)
    forwarded: set[bytes] = field(default_factory=set)
    invalid: str = ""
    repeated: str = ""
    suite: CipherSuite | None = None

    def learn(self, direction: Direction, envelope: wire.Envelope) -> None:
        """Take in the public keys of a message."""
        message, epoch, sender = envelope.message, envelope.epoch, direction[0]
        try:
            if isinstance(message, wire.ServerKey):
                self.keys["product_key", sender, epoch] = product_key(
                    message, self.session, self.suite
                )
        except PpmfError as error:
            self.invalid = self.invalid or f"{message.name} from {direction[0]}: {error}"

    def add(self, direction: Direction, envelope: wire.Envelope) -> None:
        """Check the ciphertexts of a message."""
        message = envelope.message
        for name, field_class, value in message.fields_with_class():
            if field_class in CLASSES and isinstance(value, bytes):
                where = f"{message.name}.{name}, {direction[0]} to {direction[1]}"
                if field_class is wire.FieldClass.PK_CIPHERTEXT:
                    self._add(where, message, Seals(), value)
                    continue
                key_field, whose = KEYS[message.name, name]
                owner = {SENDER: direction[0], RECEIVER: direction[1]}[whose]
                key = self.keys.get((key_field, owner, envelope.epoch))
                if key is None:
                    self.invalid = self.invalid or f"{where}: {owner} never sent the key"
                else:
                    self._add(where, message, key, value)

    def _add(self, where: str, message: wire.Message, key: Key, data: bytes) -> None:
        digests: list[bytes] = []
        try:
            for piece in key.pieces(message, data, where):
                digests.append(hashlib.sha256(piece).digest())
        except PpmfError as error:
            self.invalid = self.invalid or str(error)
        if isinstance(message, wire.Closing):
            if len(set(digests)) != len(digests) or not self.forwarded.isdisjoint(digests):
                self.repeated = self.repeated or f"{where}: a seal is forwarded twice"
            self.forwarded.update(digests)
            return
        if isinstance(message, wire.Upload):
            self.uploaded.update(digests)
        for digest in digests:
            if digest in self.seen:
                self.repeated = self.repeated or f"{where}: a ciphertext is repeated"
            self.seen.add(digest)

    def findings(self) -> list[Finding]:
        """The findings, after all messages were added."""
        same = self.forwarded <= self.uploaded
        forwarded = f"{len(self.forwarded)} of {len(self.uploaded)} pieces of seals as they came"
        count = f"{len(self.seen):,} pieces"
        return [
            Finding(
                "ciphertexts of fixed width and valid",
                not self.invalid,
                self.invalid or count,
            ),
            Finding("no ciphertext repeated", not self.repeated, self.repeated or count),
            Finding("seals forwarded unchanged", same, forwarded),
        ]
