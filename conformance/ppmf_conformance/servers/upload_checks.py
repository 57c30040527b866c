# SPDX-License-Identifier: Apache-2.0
"""What a server answers to a user who uploads, replaces, repeats and withdraws, in trials alone."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from ppmf_conformance.servers import judged
from ppmf_conformance.servers.judged import CBOR, NotSeenError, Receipt, WrongError, demand
from ppmf_conformance.servers.public_checks import head_of
from ppmf_conformance.servers.target import MOST_SERIAL, Target, next_serial
from ppmf_spec import wire

_KIND = ("Content-Type", CBOR)


def own_receipt(target: Target) -> None:
    """The user's receipt has its form, and nothing is admitted while the intake is open."""
    found = target.receipt()
    if found is not None and target.phase() == "open":
        demand(found.admitted is None, "admitted before the admission")


def first_upload(target: Target) -> None:
    """An upload is acknowledged with its receipt, the first one with 201."""
    target.in_phase(open_=True)
    before = target.receipt()
    _upload(target, before)


def the_same_again(target: Target) -> None:
    """The same bytes again change nothing, and are acknowledged alike."""
    target.in_phase(open_=True)
    body, made = _upload(target, target.receipt())
    answer = target.put(body)
    judged.status(answer, 200)
    demand(judged.receipt(answer) == made, "another receipt for the same bytes")
    demand(target.receipt() == made, "another receipt when it is asked for")


def older_serials(target: Target) -> None:
    """Other bytes of the same serial, and older serials, are refused."""
    target.in_phase(open_=True)
    _upload(target, target.receipt())
    _, made = _upload(target, target.receipt())
    for serial, label in ((made.serial, "other"), (made.serial - 1, "")):
        body = target.encoded(target.own.upload(target.session, serial, label))
        judged.problem(target.put(body), 409, "state")
    demand(target.receipt() == made, "what was refused changed something")


def wrong_bodies(target: Target) -> None:
    """What is no upload of this user and session is refused, each with its class."""
    target.in_phase(open_=True)
    before = target.receipt()
    right = target.own.upload(target.session, next_serial(target.receipt()))
    body = target.encoded(right)
    users = target.session.users
    other = users[(target.row + 1) % len(users)]
    point = bytes(len(right.sealed))
    cases = [
        ("nothing", b"", 400, "encoding"),
        ("a byte less", body[:-1], 400, "encoding"),
        ("a byte more", body + b"\0", 400, "encoding"),
        ("a longer head than needed", _longer_head(body), 400, "encoding"),
        ("short masked bits", target.encoded(_with(right, masked=b"")), 400, "encoding"),
        ("a short seal", target.encoded(_with(right, sealed=right.sealed[:-1])), 400, "encoding"),
        ("another session", target.encoded(right, session=bytes(32)), 409, "state"),
        ("another epoch", target.encoded(right, epoch=1), 409, "state"),
        ("another number", target.encoded(right, number=1), 409, "state"),
        ("another message", target.encoded(wire.Admission(b"\1")), 409, "state"),
        ("a seal of no point", target.encoded(_with(right, sealed=point)), 422, "range"),
        ("the serial 0", target.encoded(_with(right, serial=0)), 422, "range"),
        ("nobody's", target.encoded(_with(right, user="nobody at all")), 422, "range"),
    ]
    if other != right.user:
        cases.append(("another user's", target.encoded(_with(right, user=other)), 422, "range"))
    for what, sent, status, kind in cases:
        if len(sent) > _cap(target):
            continue
        try:
            judged.problem(target.put(sent), status, kind)
        except WrongError as error:
            raise WrongError(f"{what}: {error}") from None
    demand(target.receipt() == before, "what was refused changed something")


def other_media_types(target: Target) -> None:
    """Another media type is refused."""
    target.in_phase(open_=True)
    before = target.receipt()
    body = target.encoded(target.own.upload(target.session, next_serial(target.receipt())))
    for kind in ("text/plain", "application/json"):
        judged.problem(target.put(body, ("Content-Type", kind)), 415, "encoding")
    demand(target.receipt() == before, "what was refused changed something")


def said_too_long(target: Target) -> None:
    """A body whose length is said to be too long is refused before any of it comes."""
    target.in_phase(open_=True)
    for length in (_cap(target) + 1, 10**12):
        answer = target.put(b"", _KIND, length=length, held_back=True)
        judged.problem(answer, 413, "encoding")


def found_too_long(target: Target) -> None:
    """A body that comes in chunks and is too long is refused."""
    target.in_phase(open_=True)
    before = target.receipt()
    body = target.encoded(target.own.upload(target.session, next_serial(target.receipt())))
    longer = body + bytes(_cap(target) + 1 - len(body))
    judged.problem(target.put(longer, _KIND, chunked=True), 413, "encoding")
    demand(target.receipt() == before, "what was refused changed something")


def wrong_withdrawals(target: Target) -> None:
    """A withdrawal names one serial that is larger than the last."""
    target.in_phase(open_=True)
    _, made = _upload(target, target.receipt())
    for query, status, kind in (
        ("", 400, "encoding"),
        ("serial=", 400, "encoding"),
        ("serial=x", 400, "encoding"),
        (f"serial={made.serial + 1}&serial={made.serial + 2}", 400, "encoding"),
        ("serial=0", 422, "range"),
        (f"serial={MOST_SERIAL + 1}", 422, "range"),
        (f"serial={made.serial}", 409, "state"),
    ):
        try:
            judged.problem(target.withdraw(query), status, kind)
        except WrongError as error:
            raise WrongError(f"{query!a}: {error}") from None
    demand(target.receipt() == made, "what was refused changed something")


def withdrawals(target: Target) -> None:
    """A withdrawal is acknowledged, also again, and a late upload does not undo it."""
    target.in_phase(open_=True)
    body, made = _upload(target, target.receipt())
    due = Receipt(made.serial + 1, None, True, None)
    for _ in range(2):
        answer = target.withdraw(f"serial={due.serial}")
        judged.status(answer, 200)
        demand(judged.receipt(answer) == due, "not the receipt of the withdrawal")
    demand(target.receipt() == due, "another receipt when it is asked for")
    judged.problem(target.put(body), 409, "state")
    demand(target.receipt() == due, "a late upload undid the withdrawal")
    _upload(target, due)


def other_rows(target: Target) -> None:
    """The token is good for its own row alone, and comes once."""
    users = len(target.session.users)
    other = target.at("uploads", (target.row + 1) % users)
    twice = target.ask("GET", target.at("uploads", target.row), target.bearer, target.bearer)
    judged.problem(twice, 401, "range")
    if users == 1:
        return
    nobodys = target.ask("GET", other, ("Authorization", "Bearer short"))
    due = judged.problem(nobodys, 401, "range")
    serial = next_serial(target.receipt())
    body = target.encoded(target.own.upload(target.session, serial))
    for answer in (
        target.ask("PUT", other, target.bearer, _KIND, body=body),
        target.ask("DELETE", f"{other}?serial={serial}", target.bearer),
    ):
        demand(judged.problem(answer, 401, "range") == due, "another detail than a wrong token's")


def methods_of_uploads(target: Target) -> None:
    """The methods of an upload are those of the table; `HEAD` is `GET` without content."""
    path = target.at("uploads", target.row)
    for method in ("POST", "PATCH"):
        answer = target.ask(method, path, target.bearer)
        judged.problem(answer, 405, "state")
        allowed = {one.strip() for one in answer.one("allow").split(",")}
        demand({"GET", "PUT", "DELETE"} <= allowed, "Allow does not name GET, PUT and DELETE")
        demand(method not in allowed, f"Allow names {method}")
    head_of(target, path, target.bearer)


def after_the_closing(target: Target) -> None:
    """After the closing nothing new is taken."""
    _closed(target)
    before = target.receipt()
    serial = next_serial(before)
    body = target.encoded(target.own.upload(target.session, serial))
    judged.problem(target.put(body), 409, "state")
    judged.problem(target.withdraw(f"serial={serial}"), 409, "state")
    demand(target.receipt() == before, "what was refused changed something")


def the_last_again(target: Target) -> None:
    """After the closing the last request of the user is acknowledged again."""
    _closed(target)
    before = target.receipt()
    if before is None:
        raise NotSeenError("nothing came from the user before the closing")
    if before.withdrawn:
        answer = target.withdraw(f"serial={before.serial}")
    else:
        body = target.encoded(target.own.upload(target.session, before.serial))
        if before.digest is None:
            raise NotSeenError("the upload was erased")
        if hashlib.sha256(body).hexdigest() != before.digest:
            raise NotSeenError("the last upload was not one of these checks")
        answer = target.put(body)
    judged.status(answer, 200)
    demand(judged.receipt(answer) == before, "another receipt than before")


def erased_digests(target: Target) -> None:
    """Once V is published the receipt says nothing of the bytes that came."""
    _closed(target)
    if target.phase() != "finished":
        raise NotSeenError("the session is not finished")
    found = target.receipt()
    if found is None:
        raise NotSeenError("nothing came from the user before the closing")
    demand(found.digest is None, "a digest after the uploads were to be erased")
    demand(type(found.admitted) is bool, "admitted is null after the admission")


def _upload(target: Target, before: Receipt | None) -> tuple[bytes, Receipt]:
    """Upload with the next serial; the bytes, and the receipt, which is the one that is due."""
    serial = next_serial(before)
    body = target.encoded(target.own.upload(target.session, serial))
    answer = target.put(body)
    if before is None:
        judged.status(answer, 201)
    elif before.withdrawn:
        judged.status(answer, 200, 201)
    else:
        judged.status(answer, 200)
    due = Receipt(serial, hashlib.sha256(body).hexdigest(), False, None)
    demand(judged.receipt(answer) == due, "not the receipt of what was sent")
    return body, due


def _closed(target: Target) -> None:
    """Raise NotSeenError unless the user is on the list of a session whose intake is closed."""
    demand(target.row >= 0, "no row")
    target.in_phase(open_=False)


def _cap(target: Target) -> int:
    """The most bytes of an upload of the user (PPMF-WIR-009)."""
    longest = _with(target.own.upload(target.session, 1), serial=MOST_SERIAL)
    return len(target.encoded(longest))


def _with(upload: wire.Upload, **other: object) -> wire.Upload:
    return replace(upload, **other)  # type: ignore[arg-type]


def _longer_head(body: bytes) -> bytes:
    """The same array with its length in one byte more than it needs (PPMF-WIR-002)."""
    return bytes((body[0] & 0xE0 | 24, body[0] & 0x1F)) + body[1:]
