# SPDX-License-Identifier: Apache-2.0
"""The operations of chapter 4 on sessions, uploads, Paillier and the output, by ppmf_secure."""

from __future__ import annotations

from typing import Any

import numpy as np

from ppmf_conformance.adapters import values
from ppmf_conformance.adapters.line_server import Given, Operation
from ppmf_secure.primitives.base_transfers import private_key
from ppmf_secure.primitives.encryption.interface import Layout
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey, SecretKey
from ppmf_secure.primitives.encryption.paillier.owner import PaillierOwner
from ppmf_secure.primitives.encryption.paillier.slots import Slots
from ppmf_secure.primitives.rating_code import RatingCode, Row
from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.protocols.admission import (
    Decision,
    Intake,
    examine,
    read_admission,
    read_closing,
    write_rows,
)
from ppmf_secure.protocols.output import open_output
from ppmf_secure.protocols.upload import (
    consent,
    keystream,
    open_seal,
    seal_upload,
)
from ppmf_secure.session import set_up
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.session import Acceptance, Proposal, Session
from ppmf_spec.errors import EncodingError, ParametersError
from ppmf_spec.wire import Admission, Closing, Upload


def session(given: Given) -> Session:
    """The session of a case, with the members of PPMF-SES-008."""
    params = values.parameters(given["parameters"])
    cipher_suite(given["suite"])
    if not (least := values.integer(given["least"])):
        raise ParametersError("least = 0: must be at least 1")
    proposal = Proposal(
        params,
        tuple(given["users"]),
        tuple(given["items"]),
        given["suite"],
        bytes.fromhex(given["recsys_key"]),
        bytes.fromhex(given["recsys_nonce"]),
        least,
        values.integer(given["closes"]),
        values.integer(given["expires"]),
        tuple(given["addresses"]),
        trial=given["trial"],
    )
    accepted = (bytes.fromhex(given[name]) for name in ("csp_key", "csp_nonce", "sealing_key"))
    return Session(proposal, Acceptance(*accepted))


def session_id(given: Given) -> dict[str, Any]:
    """`session.id`: the id of a session."""
    return {"id": session(given).id.hex()}


def _signed(given: Given) -> set_up.SignedSession:
    signatures = (bytes.fromhex(given[name]) for name in ("by_recsys", "by_csp"))
    return set_up.SignedSession(session(given["session"]), *signatures)


def session_sign(given: Given) -> dict[str, Any]:
    """`session.sign`: a server's signature of a session."""
    key = private_key(bytes.fromhex(given["secret"]))
    return {"signature": set_up.sign(key, session(given["session"]).id).hex()}


def session_write(given: Given) -> dict[str, Any]:
    """`session.write`: the file of a session."""
    return {"file": set_up.write(_signed(given)).hex()}


def session_read(given: Given) -> dict[str, Any]:
    """`session.read`: the id of the session of a file, at a time."""
    found = set_up.read(bytes.fromhex(given["file"])).session
    found.check_time(values.integer(given["now"]))
    return {"id": found.id.hex()}


def open_share(given: Given) -> dict[str, Any]:
    """`share.open`: V from CSP's output share and RecSys' colours, both packed bits."""
    run = session(given["session"])
    params = run.parameters
    count = params.row_rank * len(run.items)
    packed = bytes.fromhex(given["recsys"])
    bits = np.unpackbits(
        np.frombuffer(packed, dtype=np.uint8), count=params.word_bits * count, bitorder="little"
    )
    labels = np.zeros((params.word_bits, count, 2), dtype=np.uint64)
    labels[..., 0] = bits.reshape(params.word_bits, count)
    found = open_output(run, labels, bytes.fromhex(given["csp"]))
    bias = None if found.bias is None else values.shown(found.bias.tolist())
    return {"factors": values.shown(found.factors.tolist()), "bias": bias}


def _secret(given: Given) -> SecretKey:
    return SecretKey(values.integer(given["p"]), values.integer(given["q"]))


def code_weights(given: Given) -> dict[str, Any]:
    """`code.weights`: the least rating of a scale, and what each bit of a code weighs."""
    code = RatingCode.of(values.parameters(given["parameters"]))
    return {"least": str(code.least), "weights": values.shown(code.weights)}


def code_encode(given: Given) -> dict[str, Any]:
    """`code.encode`: the codes of ratings, each a text of 0 and 1, the lowest bit first."""
    code = RatingCode.of(values.parameters(given["parameters"]))
    found = code.encode(np.array(values.integers(given["values"]), dtype=np.int64))
    return {"codes": ["".join(map(str, one)) for one in found.T.tolist()]}


def code_decode(given: Given) -> dict[str, Any]:
    """`code.decode`: the ratings of any codes."""
    code = RatingCode.of(values.parameters(given["parameters"]))
    codes = np.array([list(map(int, one)) for one in given["codes"]], dtype=np.uint8)
    found = code.decode(codes.reshape(len(given["codes"]), code.bits).T)
    return {"values": values.shown(found.tolist())}


def upload_plain(given: Given) -> dict[str, Any]:
    """`upload.plain`: the bits of a row, from the number and the x of each item that is rated."""
    code = RatingCode.of(values.parameters(given["parameters"]))
    pairs = [values.integers(one) for one in given["ratings"]]
    row = Row(*np.array(pairs, dtype=np.int64).reshape(-1, 2).T)
    return {"plain": code.plain_bits(row, values.integer(given["items"])).hex()}


def upload_keystream(given: Given) -> dict[str, Any]:
    """`upload.keystream`: the mask of a user's bits, from the seed."""
    stream = keystream(session(given["session"]), given["user"], bytes.fromhex(given["seed"]))
    return {"keystream": stream.hex()}


def upload_consent(given: Given) -> dict[str, Any]:
    """`upload.consent`: the consent of a user to one upload."""
    run, key = session(given["session"]), bytes.fromhex(given["key"])
    return {"consent": consent(key, run, given["user"], values.integer(given["serial"])).hex()}


def upload_seal(given: Given) -> dict[str, Any]:
    """`upload.seal`: a user seals the seed of the mask and the consent."""
    run, payload = session(given["session"]), bytes.fromhex(given["seed"] + given["consent"])
    material = bytes.fromhex(given["material"])
    return {"sealed": seal_upload(run, given["user"], payload, material).hex()}


def upload_open(given: Given) -> dict[str, Any]:
    """`upload.open`: CSP opens a seal."""
    run, sealed = session(given["session"]), bytes.fromhex(given["sealed"])
    key = SealingKey(bytes.fromhex(given["secret"]))
    seed, found = open_seal(run, given["user"], key, sealed)
    return {"seed": seed.hex(), "consent": found.hex()}


def upload_take(given: Given) -> dict[str, Any]:
    """`upload.take`: RecSys takes uploads one after the other; the first it refuses, if any."""
    return {"missing": str(_intake(given).missing)}


def _intake(given: Given) -> Intake:
    intake = Intake(session(given["session"]))
    for user, serial, masked, sealed in given["uploads"]:
        data = (bytes.fromhex(part) for part in (masked, sealed))
        intake.take(Upload(user, values.integer(serial), *data))
    return intake


def closing_make(given: Given) -> dict[str, Any]:
    """`closing.make`: RecSys takes uploads, and closes."""
    closing = _intake(given).close()
    return {"presence": closing.presence.hex(), "seals": closing.seals.hex()}


def _closing(given: Given) -> Closing:
    return Closing(bytes.fromhex(given["presence"]), bytes.fromhex(given["seals"]))


def admission_make(given: Given) -> dict[str, Any]:
    """`admission.make`: CSP says whom of a closing it admits."""
    run, closing = session(given["session"]), _closing(given)
    keys = dict(zip(run.users, map(bytes.fromhex, given["consent_keys"]), strict=True))
    secret = SealingKey(bytes.fromhex(given["secret"]))
    rows = examine(run, secret, keys, read_closing(run, closing))
    return {"admitted": write_rows(rows, len(run.users)).hex()}


def admission_take(given: Given) -> dict[str, Any]:
    """`admission.take`: RecSys takes an admission: the rows of the users, and the digest of what is
    decided.
    """
    run, closing = session(given["session"]), _closing(given)
    admission = Admission(bytes.fromhex(given["admitted"]))
    rows = read_admission(run, closing, admission)
    return {"rows": values.shown(rows), "digest": Decision(closing, admission).digest(run).hex()}


def ahe_modulus(given: Given) -> dict[str, Any]:
    """`ahe.modulus`: a modulus of so many bits that another party sent, or its refusal."""
    bits = values.integer(given["bits"])
    key = PublicKey.parse(bytes.fromhex(given["modulus"]), bits)
    return {"modulus": str(int(key.modulus))}


def ahe_ciphertexts(given: Given) -> dict[str, Any]:
    """`ahe.ciphertexts`: the ciphertexts of a field."""
    key = PublicKey.parse(bytes.fromhex(given["modulus"]), values.integer(given["bits"]))
    found = key.read(bytes.fromhex(given["data"]), values.integer(given["count"]), "field")
    return {"ciphertexts": [str(int(one)) for one in found]}


def ahe_decrypt(given: Given) -> dict[str, Any]:
    """`ahe.decrypt`: the plaintext of a ciphertext."""
    key = _secret(given)
    (found,) = key.public.read(bytes.fromhex(given["ciphertext"]), 1, "ciphertext")
    return {"plaintext": str(key.decrypt(found))}


def _layout(given: Given) -> Layout:
    return Layout(
        values.integer(given["rows"]),
        tuple(values.integers(given["blocks"])),
        values.integer(given["outputs"]),
        values.integer(given["ring"]),
    )


def ahe_slots(given: Given) -> dict[str, Any]:
    """`ahe.slots`: width and number of the slots of a plaintext."""
    slots = Slots.of(values.integer(given["bits"]), _layout(given))
    return {"width": str(slots.width), "count": str(slots.count)}


def ahe_open(given: Given) -> dict[str, Any]:
    """`ahe.open`: the owner's shares of a product, from the peer's answer."""
    uses = [slice(*values.integers(use)) for use in given["uses"]]
    try:
        answer = bytes.fromhex(given["answer"])
    except ValueError:
        raise EncodingError("answer: not hexadecimal") from None
    found = PaillierOwner(_secret(given)).decrypt(answer, _layout(given), uses)
    return {"shares": values.shown(block.tolist() for block in found)}


OPERATIONS: dict[str, Operation] = {
    "session.id": session_id,
    "session.sign": session_sign,
    "session.write": session_write,
    "session.read": session_read,
    "share.open": open_share,
    "code.weights": code_weights,
    "code.encode": code_encode,
    "code.decode": code_decode,
    "upload.plain": upload_plain,
    "upload.keystream": upload_keystream,
    "upload.consent": upload_consent,
    "upload.seal": upload_seal,
    "upload.open": upload_open,
    "upload.take": upload_take,
    "closing.make": closing_make,
    "admission.make": admission_make,
    "admission.take": admission_take,
    "ahe.modulus": ahe_modulus,
    "ahe.ciphertexts": ahe_ciphertexts,
    "ahe.decrypt": ahe_decrypt,
    "ahe.slots": ahe_slots,
    "ahe.open": ahe_open,
}
