# SPDX-License-Identifier: GPL-3.0-or-later
"""How a session comes about: proposal, acceptance, two signatures, and the file that holds them.

`agree` does it for both servers on one machine. Servers on two machines do the same in turns:
RecSys makes a `Proposal`, CSP calls `accept`, and each calls `sign` on the id of the session. The
file of a session (`write`, `read`) is what users fetch and what servers keep.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from ppmf_secure.primitives.base_transfers import fresh_secret, read_point, write_point
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.primitives.shares import check_length
from ppmf_secure.session.session import (
    MOST_ADDRESSES,
    MOST_IDS,
    NONCE_BYTES,
    Acceptance,
    Proposal,
    Session,
    texts,
)
from ppmf_spec import strict_cbor
from ppmf_spec.errors import EncodingError, ParametersError, StateError
from ppmf_spec.parameters import Parameters

MOST_BYTES = 1 << 26
"""The longest file of a session that is read (PPMF-SES-013)."""

MOST_ITEMS = 2 * MOST_IDS + MOST_ADDRESSES + 32
"""The most items of CBOR of a session file, or of a proposal (PPMF-SES-016)."""

SIGNATURE_BYTES = 64
CONSENT_KEY_BYTES = 32
_FORMAT = "ppmf-session/2"
ACCEPT = b"ppmf/v2/accept/"
"""The label of a signature by which a server takes part in a session."""

_HALF = SIGNATURE_BYTES // 2


@dataclass(frozen=True, slots=True)
class SignedSession:
    """A session with the signatures of RecSys and CSP, 64 bytes each."""

    session: Session
    by_recsys: bytes
    by_csp: bytes


@dataclass(frozen=True, slots=True)
class Agreed:
    """What both servers have after the set-up on one machine.

    sealing: CSP's key pair for seals, which RecSys does not have.
    consent_keys: by their ids, those of the users, which CSP and each user have, and RecSys not.
    """

    signed: SignedSession
    sealing: SealingKey = field(repr=False)
    consent_keys: Mapping[str, bytes] = field(repr=False)

    @property
    def session(self) -> Session:
        """The session itself."""
        return self.signed.session


def agree(
    params: Parameters,
    users: tuple[str, ...],
    items: tuple[str, ...],
    suite: str,
    *,
    recsys: Coins,
    csp: Coins,
    least: int = 0,
    trial: bool = False,
) -> Agreed:
    """A session that both servers sign, each with fresh keys and a nonce of its own coins.

    least: how many users have to take part; 0 for the default of PPMF-SES-015.
    Raises as `Proposal` and `Session` do (PPMF-SES-009, -010).
    """
    key = fresh_secret(recsys)
    point, nonce = write_point(key.public_key()), recsys.bytes(NONCE_BYTES)
    proposal = Proposal(params, users, items, suite, point, nonce, least, trial=trial)
    csp_key = fresh_secret(csp)
    acceptance, sealing = accept(csp_key, csp)
    session = Session(proposal, acceptance)
    signed = SignedSession(session, sign(key, session.id), sign(csp_key, session.id))
    return Agreed(signed, sealing, {user: csp.bytes(CONSENT_KEY_BYTES) for user in users})


def accept(key: ec.EllipticCurvePrivateKey, coins: Coins) -> tuple[Acceptance, SealingKey]:
    """CSP's part of a session, with the key pair for seals that it makes for it and nothing else.

    key: CSP's key for signatures (PPMF-SES-010, -011).
    """
    nonce = coins.bytes(NONCE_BYTES)
    sealing = SealingKey.generate(coins)
    return Acceptance(write_point(key.public_key()), nonce, sealing.public), sealing


def sign(key: ec.EllipticCurvePrivateKey, session_id: bytes, label: bytes = ACCEPT) -> bytes:
    """A server's signature of a session, 64 bytes; it takes no coins (PPMF-SES-012).

    label: what the signature says, for others than that the server takes part.
    """
    made = key.sign(label + session_id, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    return b"".join(half.to_bytes(_HALF, "big") for half in decode_dss_signature(made))


def check_signature(
    public: bytes, session_id: bytes, signature: bytes, where: str, label: bytes = ACCEPT
) -> None:
    """Check a server's signature with that label; `where` names it in errors.

    Raises EncodingError on a wrong length, StateError if it is of another session or key
    (PPMF-SES-012).
    """
    check_length(signature, SIGNATURE_BYTES, where)
    halves = (signature[:_HALF], signature[_HALF:])
    encoded = encode_dss_signature(*(int.from_bytes(half, "big") for half in halves))
    try:
        read_point(public, where).verify(encoded, label + session_id, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise StateError(f"{where}: made for another session, or with another key") from None


def write(signed: SignedSession) -> bytes:
    """The file of a session (PPMF-SES-013)."""
    session = signed.session
    parts = [session.proposal.as_array(), session.acceptance.as_array()]
    return strict_cbor.encode([_FORMAT, *parts, signed.by_recsys, signed.by_csp])


def read(data: bytes | memoryview, where: str = "session file") -> SignedSession:
    """The session of a file, with both signatures checked; `where` names it in errors.

    Raises EncodingError for what is no such file, and otherwise as `Session` and `check_signature`
    do (PPMF-SES-009, -012, -013, -016).
    """
    if len(data) > MOST_BYTES:
        raise EncodingError(f"{where}: more than {MOST_BYTES} bytes")
    try:
        content = strict_cbor.decode(data, depth=3, items=MOST_ITEMS)
    except EncodingError as error:
        raise EncodingError(f"{where}: {error}") from None
    match content:
        case [
            str(name),
            list(proposed),
            list(accepted),
            memoryview() as by_recsys,
            memoryview() as by_csp,
        ] if name == _FORMAT:
            proposal, acceptance = proposal_of(proposed), acceptance_of(accepted)
            if proposal is not None and acceptance is not None:
                session = Session(proposal, acceptance)
                signed = SignedSession(session, bytes(by_recsys), bytes(by_csp))
                check_both(signed)
                return signed
    raise EncodingError(f"{where}: not of format {_FORMAT}")


def check_both(signed: SignedSession) -> None:
    """Check both signatures of a session; raises as `check_signature` does."""
    session = signed.session
    for whose, public, signature in (
        ("RecSys'", session.proposal.signing_key, signed.by_recsys),
        ("CSP's", session.acceptance.signing_key, signed.by_csp),
    ):
        check_signature(public, session.id, signature, f"{whose} signature")


def proposal_of(content: strict_cbor.Item) -> Proposal | None:
    """The proposal of an array, or None if it is none or its members are not of the right types.

    Raises as `Proposal` does, and ParametersError for `least` 0 (PPMF-SES-009, -013).
    """
    match content:
        case [
            str(text),
            list(users),
            list(items),
            str(suite),
            int(least),
            int(closes),
            int(expires),
            list(addresses),
            (0 | 1) as trial,
            memoryview() as key,
            memoryview() as nonce,
        ]:
            lists = texts(users), texts(items), texts(addresses)
            if lists[0] is None or lists[1] is None or lists[2] is None:
                return None
            if not least:  # the default is for who makes a proposal, not for who reads one
                raise ParametersError("least = 0: must be at least 1")
            return Proposal(
                _parameters(text),
                lists[0],
                lists[1],
                suite,
                bytes(key),
                bytes(nonce),
                least,
                closes,
                expires,
                lists[2],
                trial=bool(trial),
            )
    return None


def _parameters(text: str) -> Parameters:
    """The parameters of their canonical text. Raises ParametersError for any other text."""
    params = Parameters.from_toml(text)
    if params.to_toml() != text:
        raise ParametersError("the parameters are not in their canonical text")
    return params


def acceptance_of(content: strict_cbor.Item) -> Acceptance | None:
    """The acceptance of an array, or None as above; raises as `Acceptance` does (PPMF-SES-009)."""
    match content:
        case [memoryview() as key, memoryview() as nonce, memoryview() as sealing]:
            return Acceptance(bytes(key), bytes(nonce), bytes(sealing))
    return None
