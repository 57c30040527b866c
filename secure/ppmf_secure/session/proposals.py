# SPDX-License-Identifier: GPL-3.0-or-later
"""Proposals and acceptances by themselves, the digests of a proposal, and the receipt of V.

Before a session is accepted it has no id, and servers know it by the digest of its proposal; after
it was trained, RecSys signs the digest of V for CSP (chapter 8, "Sessions").
"""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric import ec

from ppmf_secure.primitives.shares import check_length
from ppmf_secure.session import set_up
from ppmf_secure.session.session import Acceptance, Proposal, Session
from ppmf_spec import strict_cbor
from ppmf_spec.errors import EncodingError

DIGEST_BYTES = 32
_PROPOSAL = b"ppmf/v2/proposal/"
_CATALOGUE = b"ppmf/v2/catalogue/"
_RECEIPT = b"ppmf/v2/receipt/"


def write_proposal(proposal: Proposal) -> bytes:
    """The encoding of a proposal (PPMF-SRV-006)."""
    return strict_cbor.encode(proposal.as_array())


def read_proposal(data: bytes | memoryview) -> Proposal:
    """The proposal of such bytes. Raises EncodingError if they are none, else as `Proposal`
    (PPMF-SES-016).
    """
    if len(data) > set_up.MOST_BYTES:
        raise EncodingError(f"proposal: more than {set_up.MOST_BYTES} bytes")
    found = set_up.proposal_of(strict_cbor.decode(data, depth=2, items=set_up.MOST_ITEMS))
    if found is None:
        raise EncodingError("proposal: its members are not of their types")
    return found


def write_acceptance(acceptance: Acceptance) -> bytes:
    """The encoding of an acceptance."""
    return strict_cbor.encode(acceptance.as_array())


def read_acceptance(data: bytes | memoryview) -> Acceptance:
    """The acceptance of such bytes; raises as `read_proposal`."""
    found = set_up.acceptance_of(strict_cbor.decode(data))
    if found is None:
        raise EncodingError("acceptance: its members are not of their types")
    return found


def proposal_digest(data: bytes) -> bytes:
    """The 32 bytes by which a proposal is known before it is accepted (PPMF-SRV-006)."""
    return hashlib.sha256(_PROPOSAL + data).digest()


def catalogue_digest(items: tuple[str, ...]) -> bytes:
    """The 32 bytes by which sessions of the same items are found (PPMF-SRV-028)."""
    return hashlib.sha256(_CATALOGUE + strict_cbor.encode(items)).digest()


def sign_receipt(
    key: ec.EllipticCurvePrivateKey, session_id: bytes, profiles_digest: bytes
) -> bytes:
    """RecSys' signature of V's digest, 64 bytes, after which CSP erases (PPMF-SRV-016)."""
    return set_up.sign(key, session_id + profiles_digest, label=_RECEIPT)


def check_receipt(session: Session, profiles_digest: bytes, signature: bytes) -> None:
    """Check such a signature. Raises as `set_up.check_signature`, and EncodingError for a digest
    that is not of its length (PPMF-SRV-016).
    """
    check_length(profiles_digest, DIGEST_BYTES, "digest of V")
    set_up.check_signature(
        session.proposal.signing_key,
        session.id + profiles_digest,
        signature,
        "RecSys' receipt",
        label=_RECEIPT,
    )
