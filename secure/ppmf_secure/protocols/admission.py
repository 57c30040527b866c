# SPDX-License-Identifier: GPL-3.0-or-later
"""Who takes part: RecSys closes the intake of uploads, and CSP says whom it admits (chapter 4).

RecSys says in one message who is present, with the serial and the seal of each. CSP opens the
seals and admits those whose seal opens and whose consent is right. Both servers then keep the bits
of the admitted users; the others have none. Whatever users send, or fail to send, ends no run,
unless fewer than `Session.least` are left.

The module holds first RecSys' side (`Intake`, `take_uploads`), then CSP's (`examine`,
`take_closing`), then what both have in common. A session has one closing and one admission, which
are kept before they are sent; `Decision` is both.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from ppmf_secure.arrays import Bytes
from ppmf_secure.effects import (
    Keep,
    Now,
    Phase,
    Program,
    Refuse,
    Send,
    Wait,
    receive,
    receive_until,
)
from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_secure.primitives.sealing import SealingKey, check_seal
from ppmf_secure.primitives.shares import check_length
from ppmf_secure.protocols.upload import (
    PAYLOAD_BYTES,
    SEAL_BYTES,
    consent,
    keystream,
    open_seal,
    planes,
    upload_bytes,
)
from ppmf_secure.session.checkpoint import RatingBits, write_admission, write_closing, write_ratings
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.errors import PeerError, PpmfError, RangeError, StateError, told
from ppmf_spec.roles import CSP, RECSYS, USERS

RECORD_BYTES = 8 + SEAL_BYTES
"""The bytes of a present user in a closing: the serial and the seal."""

DECISION_BYTES = 32
"""The bytes of the digest of closing and admission."""


class AbandonedError(PeerError):
    """The end of a session in which too few users take part (PPMF-ADM-003, -008)."""


class IntakeClosedError(StateError):
    """An upload that came after the closing (PPMF-ADM-002)."""


class SerialError(StateError):
    """An upload whose serial is not larger than that of the user's last (PPMF-ADM-001, -002)."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A user whom RecSys lists as present: the row, the serial of their upload, and its seal."""

    row: int
    serial: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Decision:
    """The one closing and the one admission of a session."""

    closing: wire.Closing
    admission: wire.Admission

    def again(self, closing: wire.Closing) -> wire.Admission:
        """The admission, for the same closing once more. Raises StateError for another closing
        (PPMF-ADM-007).
        """
        if closing != self.closing:
            raise StateError("closing: another one than that which was answered")
        return self.admission

    def digest(self, session: Session) -> bytes:
        """What a later epoch compares, 32 bytes (PPMF-ADM-010)."""
        text = hashlib.sha256(b"ppmf/v2/decision/" + session.id)
        for part in (self.closing.presence, self.closing.seals, self.admission.admitted):
            text.update(len(part).to_bytes(8, "little") + part)
        return text.digest()


# -- RecSys ----------------------------------------------------------------------------------------


def check_upload(session: Session, upload: wire.Upload) -> None:
    """Check what one upload shows by itself; its user is on the list (PPMF-ADM-001, PPMF-ERR-014).

    Raises RangeError for the serial 0 or a seal outside its group, EncodingError for a wrong
    length.
    """
    where = f"upload of user {upload.user}"
    if not upload.serial:
        raise RangeError(f"{where}: serials count from 1")
    check_length(upload.masked, upload_bytes(session), f"{where}: masked bits")
    check_seal(upload.sealed, PAYLOAD_BYTES, f"{where}: seal")


def check_newer(user: str, serial: int, last: int | None) -> None:
    """Check that an upload may take the place of the user's last, of which it is no repetition.

    last: the serial of that one, if there is one. Raises SerialError unless `serial` is larger
    (PPMF-ADM-001, -002).
    """
    where = f"upload of user {user}"
    if last is not None and serial < last:
        raise SerialError(f"{where}: serial {serial} after {last}")
    if last is not None and serial == last:
        raise SerialError(f"{where}: a second upload of serial {serial}, not the same")


class Intake:
    """The intake of the uploads at RecSys: the newest of each user, in any order."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._row = {user: row for row, user in enumerate(session.users)}
        self._taken: dict[int, wire.Upload] = {}
        self._closing: wire.Closing | None = None

    def take(self, upload: wire.Upload) -> None:
        """Take in one upload, in the place of an earlier one of the user (PPMF-ADM-001, -002,
        PPMF-ERR-014).

        Raises RangeError for an unknown user, the serial 0 or a seal outside its group,
        EncodingError for a wrong length, and StateError once the intake is closed, or for a serial
        that is older than the user's last or comes with other bytes than that had. What was taken
        in before is not affected then.
        """
        if upload.user not in self._row:
            raise RangeError(f"upload of {told(upload.user)}: not on the user list")
        check_upload(self._session, upload)
        row = self._row[upload.user]
        last = self._taken.get(row)
        if last == upload:
            return
        if self._closing is not None:
            raise IntakeClosedError(f"upload of user {upload.user}: the intake is closed")
        check_newer(upload.user, upload.serial, None if last is None else last.serial)
        self._taken[row] = upload

    @property
    def present(self) -> int:
        """The number of users whose upload was taken in."""
        return len(self._taken)

    @property
    def missing(self) -> int:
        """The number of users of whom no upload was taken in."""
        return len(self._row) - len(self._taken)

    def close(self) -> wire.Closing:
        """Close the intake; the same message whenever this is called (PPMF-ADM-003, -004).

        Raises AbandonedError if too few users are present.
        """
        if self._closing is None:
            if self.present < self._session.least:
                raise _too_few(self._session, self.present, "are present")
            rows = sorted(self._taken)
            records = (self._taken[row] for row in rows)
            seals = b"".join(one.serial.to_bytes(8, "little") + one.sealed for one in records)
            self._closing = wire.Closing(write_rows(rows, len(self._session.users)), seals)
        return self._closing

    def bits(self, admitted: Iterable[int]) -> RatingBits:
        """RecSys' share of the bits of the users of these rows; the others have none
        (PPMF-ADM-006).
        """
        wanted = set(admitted)
        found = {row: one.masked for row, one in self._taken.items() if row in wanted}
        return _bits(self._session, found)


def take_uploads(session: Session, grace: int = 0) -> Program[RatingBits]:
    """RecSys' share of the bits of the users who are admitted.

    grace: for how many seconds users may still replace their uploads when all are there.
    An upload that is refused affects no other (PPMF-ADM-001 to -004, -007, -009, PPMF-ERR-007).
    Raises AbandonedError if too few users are present or admitted.
    """
    yield Phase("upload", 0, session.half_steps)
    intake = Intake(session)
    until = session.closes or None
    graced = False
    while intake.missing or grace:
        if grace and not intake.missing and not graced:
            end, graced = (yield from now()) + grace, True
            until = end if until is None else min(until, end)
        upload = yield from receive_until(USERS, wire.Upload, until)
        if upload is None:
            break
        try:
            intake.take(upload)
        except PpmfError as refusal:
            yield Refuse(USERS, refusal)
    closing = intake.close()
    rows = read_rows(closing.presence, len(session.users), "presence")
    yield Keep("closing", None, lambda: write_closing(session, closing, intake.bits(rows)))
    yield Send(CSP, closing)
    admission = yield from receive(CSP, wire.Admission)
    admitted = read_admission(session, closing, admission)
    yield Keep("admission", None, partial(write_admission, session, admission))
    _check_enough(session, admitted)
    bits = intake.bits(admitted)
    yield Keep("ratings", None, partial(write_ratings, session, bits))
    return bits


def read_admission(
    session: Session, closing: wire.Closing, admission: wire.Admission
) -> tuple[int, ...]:
    """The rows of the users whom CSP admits (PPMF-ADM-005).

    Raises EncodingError for a wrong length, RangeError for a user who was not present.
    """
    count = len(session.users)
    admitted = read_rows(admission.admitted, count, "admission")
    if not set(admitted) <= set(read_rows(closing.presence, count, "presence")):
        raise RangeError("admission: of a user who is not present")
    return admitted


# -- CSP -------------------------------------------------------------------------------------------


def take_closing(
    session: Session, key: SealingKey, consent_keys: Mapping[str, bytes]
) -> Program[RatingBits]:
    """CSP's share of the bits of the users whom it admits.

    key: the key pair of which the session has the public key (PPMF-SES-011).
    consent_keys: those of the users, by their ids.
    The answer waits until the session closes where not every listed user is admitted
    (PPMF-ADM-004 to -008). Raises AbandonedError if too few are.
    """
    yield Phase("upload", 0, session.half_steps)
    closing = yield from receive(RECSYS, wire.Closing)
    listed = read_closing(session, closing)
    yield Keep("closing", None, partial(write_closing, session, closing, None))
    seeds = examine(session, key, consent_keys, listed)
    if len(seeds) < len(listed) and session.closes:
        yield Wait(session.closes)
    admission = wire.Admission(write_rows(seeds, len(session.users)))
    yield Keep("admission", None, partial(write_admission, session, admission))
    yield Send(RECSYS, admission)
    _check_enough(session, tuple(seeds))
    masks = {row: keystream(session, session.users[row], seed) for row, seed in seeds.items()}
    bits = _bits(session, masks)
    yield Keep("ratings", None, partial(write_ratings, session, bits))
    return bits


def read_closing(session: Session, closing: wire.Closing) -> tuple[Listed, ...]:
    """The users whom a closing lists as present (PPMF-ADM-004).

    Raises EncodingError for a wrong length, RangeError for a bit of no user or the serial 0, and
    StateError if they are too few.
    """
    rows = read_rows(closing.presence, len(session.users), "closing: presence")
    if len(rows) < session.least:
        raise StateError(f"closing: {len(rows)} users, where {session.least} have to take part")
    check_length(closing.seals, RECORD_BYTES * len(rows), "closing: seals")
    records = (
        closing.seals[RECORD_BYTES * at : RECORD_BYTES * (at + 1)] for at in range(len(rows))
    )
    listed = tuple(
        Listed(row, int.from_bytes(record[:8], "little"), bytes(record[8:]))
        for row, record in zip(rows, records, strict=True)
    )
    for one in listed:
        if not one.serial:
            raise RangeError(f"closing: serial of user {told(session.users[one.row])}: from 1")
    return listed


def examine(
    session: Session,
    key: SealingKey,
    consent_keys: Mapping[str, bytes],
    listed: Iterable[Listed],
) -> dict[int, bytes]:
    """The seeds of the users whom CSP admits, by row: those whose seal opens, and whose consent is
    right (PPMF-ADM-005).
    """
    return dict(_admitted(session, key, consent_keys, listed))


def _admitted(
    session: Session,
    key: SealingKey,
    consent_keys: Mapping[str, bytes],
    listed: Iterable[Listed],
) -> Iterator[tuple[int, bytes]]:
    for one in listed:
        user = session.users[one.row]
        try:
            seed, found = open_seal(session, user, key, one.sealed)
        except PpmfError:
            continue
        due = consent(consent_keys[user], session, user, one.serial)
        if hmac.compare_digest(found, due):
            yield one.row, seed


# -- both ------------------------------------------------------------------------------------------


def write_rows(rows: Iterable[int], count: int) -> bytes:
    """The bits of `count` users, 1 for those of these rows, the lowest bit of a byte first."""
    bits = np.zeros(count, dtype=np.uint8)
    bits[list(rows)] = 1
    return np.packbits(bits, bitorder="little").tobytes()


def read_rows(data: bytes, count: int, where: str) -> tuple[int, ...]:
    """The rows whose bit is 1, in order; `where` names the field in errors.

    Raises EncodingError for a wrong length, RangeError for a bit of no user.
    """
    check_length(data, (count + 7) // 8, where)
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), bitorder="little")
    if bits[count:].any():
        raise RangeError(f"{where}: a bit of no user")
    return tuple(np.flatnonzero(bits).tolist())


def now() -> Program[int]:
    """The time of the party's clock, in seconds since 1970."""
    found = yield Now()
    assert isinstance(found, int), "the transport answers Now with a number"
    return found


def check_time(session: Session) -> Program[None]:
    """Raise StateError if the session has expired by the party's clock (PPMF-SES-014)."""
    if session.proposal.expires:
        session.check_time((yield from now()))


def _bits(session: Session, found: Mapping[int, bytes | memoryview]) -> RatingBits:
    """The share of all users' bits, of which some have one (PPMF-ADM-006)."""
    code, items = RatingCode.of(session.parameters), len(session.items)
    shape = (1 + code.bits, len(session.users), (items + 7) // 8)
    share: Bytes = np.zeros(shape, dtype=np.uint8)
    for row, data in found.items():
        share[:, row] = planes(session, data)
    return RatingBits(share)


def _check_enough(session: Session, admitted: tuple[int, ...]) -> None:
    if len(admitted) < session.least:
        raise _too_few(session, len(admitted), "are admitted")


def _too_few(session: Session, count: int, what: str) -> AbandonedError:
    return AbandonedError(
        f"{count} of {len(session.users)} users {what}, and {session.least} have to take part"
    )
