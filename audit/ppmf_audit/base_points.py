# SPDX-License-Identifier: Apache-2.0
"""Checks of the points of base transfers, with and without the secrets behind them.

The points of a request and of an answer are all uniform and independent (PPMF-OTE-010, -011). A
reader of a transcript sees that each is a point, that no x occurs twice, and that no two pairs of a
request have points whose difference or sum is the same but for its sign: a chooser that made the
other point from its own and a constant would show which is which. These checks are exact, and
accuse a faultless run with a probability below 2^-200.

Who has a party's secrets sees more of what it sent: of each pair one point is that of a secret, and
the other follows from drawn candidates, of which it is the first that is a point. That a secret
was drawn in the place of candidates shows in nothing else; its owner would know both seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import gmpy2
from cryptography.hazmat.primitives.asymmetric import ec

from ppmf_audit.finding import Finding
from ppmf_audit.transcript_outline import Direction
from ppmf_secure.primitives.base_transfers import POINT_BYTES, REQUEST_BYTES, read_point
from ppmf_secure.primitives.shares import check_length
from ppmf_spec import wire
from ppmf_spec.errors import PpmfError

FIELD = 2**256 - 2**224 + 2**192 + 2**96 - 1
"""The prime of the field of P-256 (NIST SP 800-186, section 3.2.1.3)."""

Point = tuple[int, int]


def points_of(message: wire.Message) -> bytes | None:
    """The points in a message of base transfers, None in any other message."""
    match message:
        case wire.BaseRequest(points=points):
            return points
        case wire.BaseAnswer(point=point):
            return point
    return None


def encodings(points: bytes) -> list[bytes]:
    """The encodings of points that follow each other."""
    return [points[at : at + POINT_BYTES] for at in range(0, len(points), POINT_BYTES)]


@dataclass(slots=True)
class BasePoints:
    """The checks that need no secret; every message of a run is added.

    seen, relations: the x of all points, and of all differences and sums of the points of a pair.
    """

    seen: set[int] = field(default_factory=set)
    relations: set[int] = field(default_factory=set)
    count: int = 0
    invalid: str = ""
    repeated: str = ""
    related: str = ""

    def add(self, direction: Direction, message: wire.Message) -> None:
        """Check the points of a message, if it has any."""
        data = points_of(message)
        if data is None:
            return
        where = f"{message.name}, {direction[0]} to {direction[1]}"
        due = REQUEST_BYTES if isinstance(message, wire.BaseRequest) else POINT_BYTES
        try:
            check_length(data, due, where)
            found = [_affine(encoded, where) for encoded in encodings(data)]
        except PpmfError as error:
            self.invalid = self.invalid or str(error)
            return
        self.count += len(found)
        for x, _ in found:
            if x in self.seen:
                self.repeated = self.repeated or f"{where}: a point is repeated"
            self.seen.add(x)
        # an answer has one point, and no pair
        for number, (zero, one) in enumerate(zip(found[::2], found[1::2], strict=False)):
            for x in _relations(zero, one):
                if x in self.relations:
                    place = f"{where}: transfer {number}"
                    self.related = self.related or f"{place}: its points differ as others do"
                self.relations.add(x)

    def findings(self) -> list[Finding]:
        """The findings, after all messages were added."""
        count, pairs = f"{self.count:,} points", f"{len(self.relations) // 2:,} pairs"
        return [
            Finding("points of base transfers valid", not self.invalid, self.invalid or count),
            Finding("no point repeated", not self.repeated, self.repeated or count),
            Finding("no difference of points repeated", not self.related, self.related or pairs),
        ]


def _affine(encoded: bytes, where: str) -> Point:
    numbers = read_point(encoded, where).public_numbers()
    return numbers.x, numbers.y


def _relations(one: Point, other: Point) -> Iterator[int]:
    """The x of the difference and of the sum of two points, unless they are equal or opposite."""
    (x, y), (u, v) = one, other
    if x == u:
        return
    inverse = pow(u - x, -1, FIELD)
    for sign in (1, -1):
        slope = (sign * v - y) * inverse
        yield (slope * slope - x - u) % FIELD


# -- with the secrets of the party -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PointSecrets:
    """What lies behind a party's points, by their encodings.

    secrets: the secret of a point that was made from one. candidates: those that were drawn for a
    point without one, in order.
    """

    secrets: Mapping[bytes, int] = field(default_factory=dict)
    candidates: Mapping[bytes, Sequence[bytes]] = field(default_factory=dict)


def origin_finding(sent: Sequence[wire.Message], behind: PointSecrets) -> Finding:
    """Whether each pair of points that a party sent has one of a secret and one from candidates,
    both derived again, and its answer one of a secret (PPMF-OTE-010, -011).
    """
    check, count = "points derived again from secrets and candidates", 0
    for message in sent:
        data = points_of(message)
        if data is None:
            continue
        wanted = [1, 1] if isinstance(message, wire.BaseRequest) else [1, 0]
        points = encodings(data)
        for number in range(len(points) // sum(wanted)):
            group = points[number * sum(wanted) : (number + 1) * sum(wanted)]
            of_secrets = sum(_of_secret(encoded, behind) for encoded in group)
            drawn = sum(_of_candidates(encoded, behind) for encoded in group)
            if [of_secrets, drawn] != wanted:
                seen = f"transfer {number}: {of_secrets} of a secret, {drawn} of candidates"
                return Finding(check, False, f"{message.name}, {seen}")
            count += len(group)
    return Finding(check, True, f"{count} points")


def coins_behind(sent: Sequence[wire.Message], behind: PointSecrets) -> list[bytes]:
    """The secrets, in 32 bytes, and the candidates of all points that a party sent."""
    found = []
    for message in sent:
        for encoded in encodings(points_of(message) or b""):
            if encoded in behind.secrets:
                found.append(behind.secrets[encoded].to_bytes(32, "big"))
            found += behind.candidates.get(encoded, ())
    return found


def _of_secret(encoded: bytes, behind: PointSecrets) -> bool:
    if encoded not in behind.secrets:
        return False
    key = ec.derive_private_key(behind.secrets[encoded], ec.SECP256R1())
    numbers = key.public_key().public_numbers()
    return encoded == bytes([2 + numbers.y % 2]) + numbers.x.to_bytes(32, "big")


def _of_candidates(encoded: bytes, behind: PointSecrets) -> bool:
    """Whether the point is the last of its candidates, and the first of them that is a point."""
    drawn = [bytes([2 + (each[0] & 1)]) + each[1:] for each in behind.candidates.get(encoded, ())]
    return [each for each in drawn if _on_curve(each)] == [encoded] and drawn[-1] == encoded


def _on_curve(encoded: bytes) -> bool:
    """Whether there is a y: whether the right side of the curve's equation is a square."""
    x = int.from_bytes(encoded[1:], "big")
    return x < FIELD and gmpy2.legendre(x**3 - 3 * x + _B, FIELD) >= 0


_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
"""The constant of the curve y^2 = x^3 - 3 x + b (NIST SP 800-186, section 3.2.1.3)."""
