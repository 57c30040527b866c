# SPDX-License-Identifier: Apache-2.0
"""The operations of chapter 8 on codes, tokens, invitations, proposals and receipts."""

from __future__ import annotations

import hashlib
from typing import Any

from ppmf_conformance.adapters.line_server import Given, Operation
from ppmf_conformance.adapters.sessions_and_uploads import session
from ppmf_secure.primitives.base_transfers import private_key, read_point
from ppmf_secure.session import enrolment, invitations, proposals
from ppmf_secure.session.invitations import CspHalf, RecSysHalf


def enrol_letters(given: Given) -> dict[str, Any]:
    """`enrol.letters`: the 27 letters of a code."""
    return {"letters": enrolment.write_code(bytes.fromhex(given["code"]))}


def enrol_code(given: Given) -> dict[str, Any]:
    """`enrol.code`: the code that somebody typed."""
    return {"code": enrolment.read_code(given["text"]).hex()}


def enrol_consent_key(given: Given) -> dict[str, Any]:
    """`enrol.consent_key`: the consent key of a code."""
    return {"key": enrolment.consent_key(bytes.fromhex(given["code"])).hex()}


def enrol_token(given: Given) -> dict[str, Any]:
    """`enrol.token`: what RecSys keeps of a token."""
    return {"digest": enrolment.token_digest(given["token"]).hex()}


def enrol_key_digest(given: Given) -> dict[str, Any]:
    """`enrol.key_digest`: what users know a server's signing key by."""
    point = bytes.fromhex(given["key"])
    read_point(point, "key")
    return {"digest": hashlib.sha256(point).hexdigest()}


def _half(given: Given) -> RecSysHalf | CspHalf:
    if given["from"] == "recsys":
        return RecSysHalf(given["user"], given["token"], given["recsys"], given["csp"])
    return CspHalf(given["user"], bytes.fromhex(given["code"]), bytes.fromhex(given["key"]))


def invitation_write(given: Given) -> dict[str, Any]:
    """`invitation.write`: the line of a half."""
    return {"line": _half(given).text()}


def invitation_read(given: Given) -> dict[str, Any]:
    """`invitation.read`: the members of a half, from its line or a link."""
    found = invitations.read_half(given["text"])
    if isinstance(found, RecSysHalf):
        return {
            "from": "recsys",
            "user": found.user,
            "token": found.token,
            "recsys": found.recsys_url,
            "csp": found.csp_url,
        }
    return {
        "from": "csp",
        "user": found.user,
        "code": found.code.hex(),
        "key": found.csp_key.hex(),
    }


def invitation_join(given: Given) -> dict[str, Any]:
    """`invitation.join`: whose invitation two halves are."""
    return {"user": invitations.join(*map(invitations.read_half, given["halves"])).user}


def session_proposal(given: Given) -> dict[str, Any]:
    """`session.proposal`: the digests of a session's proposal and of its items."""
    proposal = session(given["session"]).proposal
    return {
        "digest": proposals.proposal_digest(proposals.write_proposal(proposal)).hex(),
        "catalogue": proposals.catalogue_digest(proposal.items).hex(),
    }


def receipt_sign(given: Given) -> dict[str, Any]:
    """`receipt.sign`: RecSys' receipt of V."""
    key = private_key(bytes.fromhex(given["secret"]))
    run, digest = session(given["session"]), bytes.fromhex(given["digest"])
    return {"signature": proposals.sign_receipt(key, run.id, digest).hex()}


def receipt_check(given: Given) -> dict[str, Any]:
    """`receipt.check`: CSP looks at a receipt."""
    parts = (bytes.fromhex(given[name]) for name in ("digest", "signature"))
    run = session(given["session"])
    proposals.check_receipt(run, *parts)
    return {"id": run.id.hex()}


OPERATIONS: dict[str, Operation] = {
    "enrol.letters": enrol_letters,
    "enrol.code": enrol_code,
    "enrol.consent_key": enrol_consent_key,
    "enrol.token": enrol_token,
    "enrol.key_digest": enrol_key_digest,
    "invitation.write": invitation_write,
    "invitation.read": invitation_read,
    "invitation.join": invitation_join,
    "session.proposal": session_proposal,
    "receipt.sign": receipt_sign,
    "receipt.check": receipt_check,
}
