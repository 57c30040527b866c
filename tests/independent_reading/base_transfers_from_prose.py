# SPDX-License-Identifier: Apache-2.0
"""The operations `base.*`, read off chapters 4 and 7 with plain integers alone.

Constants are those of P-256 (NIST SP 800-186, section 3.2.1.3). See f_fix_from_prose.py for what
this is about.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from tests.independent_reading.parameters_from_prose import RefusedError

Members = dict[str, Any]
Answer = tuple[Members, Members]
Point = tuple[int, int] | None
"""The numbers x and y of a point; None is the neutral element."""

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
POINT = 33


def right_side(x: int) -> int:
    """What y^2 is."""
    return (x**3 - 3 * x + B) % P


def added(one: Point, other: Point) -> Point:
    if one is None or other is None:
        return one or other
    if one[0] == other[0]:
        if (one[1] + other[1]) % P == 0:
            return None
        slope = (3 * one[0] ** 2 - 3) * pow(2 * one[1], -1, P) % P
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, P) % P
    x = (slope**2 - one[0] - other[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


def multiple(number: int, point: Point) -> tuple[int, int]:
    total: Point = None
    for bit in f"{number:b}":
        total = added(total, total)
        if bit == "1":
            total = added(total, point)
    assert total is not None, "no secret is a multiple of the order"
    return total


def written(point: tuple[int, int]) -> bytes:
    """PPMF-OTE-009."""
    x, y = point
    return bytes([2 + y % 2]) + x.to_bytes(32, "big")


def is_point(data: bytes) -> bool:
    """Whether 33 bytes are the encoding of a point."""
    x = int.from_bytes(data[1:], "big")
    return data[0] in (2, 3) and x < P and pow(right_side(x), (P - 1) // 2, P) in (0, 1)


def read(data: bytes, what: str) -> tuple[int, int]:
    if len(data) != POINT:
        raise RefusedError("encoding", f"{what}: {len(data)} bytes")
    if not is_point(data):
        raise RefusedError("range", f"{what}: the encoding of no point")
    x = int.from_bytes(data[1:], "big")
    # P is 3 mod 4
    y = pow(right_side(x), (P + 1) // 4, P)
    return x, y if y % 2 == data[0] % 2 else P - y


def first_point(candidates: list[bytes]) -> bytes:
    """The first candidate that is a point, its first byte replaced (PPMF-OTE-010)."""
    replaced = (bytes([2 + (data[0] & 1)]) + data[1:] for data in candidates)
    return next(data for data in replaced if is_point(data))


def u64(value: int) -> bytes:
    return value.to_bytes(8, "little")


def hashed(given: Members, c: int, answer: bytes, shared: tuple[int, int]) -> bytes:
    """Seed c of a pair (PPMF-OTE-012)."""
    text = b"ppmf/v2/base-seed/" + bytes.fromhex(given["session"]) + u64(int(given["epoch"]))
    text += given["sender"].encode() + u64(int(given["transfer"])) + u64(c)
    text += bytes.fromhex(given["points"]) + answer + shared[0].to_bytes(32, "big")
    return hashlib.sha256(text).digest()[:16]


def points(given: Members) -> Answer:
    own = written(multiple(int(given["secret"]), G))
    other = first_point([bytes.fromhex(candidate) for candidate in given["candidates"]])
    pair = own + other if given["choice"] == "0" else other + own
    return {"points": pair.hex()}, {}


def answer(given: Members) -> Answer:
    pair, e = bytes.fromhex(given["points"]), int(given["secret"])
    if len(pair) != 2 * POINT:
        raise RefusedError("encoding", f"points: {len(pair)} bytes")
    both = [read(pair[:POINT], "first point"), read(pair[POINT:], "second point")]
    F = written(multiple(e, G))
    seeds = [hashed(given, c, F, multiple(e, point)).hex() for c, point in enumerate(both)]
    return {"answer": F.hex(), "seeds": seeds}, {}


def seed(given: Members) -> Answer:
    F = bytes.fromhex(given["answer"])
    shared = multiple(int(given["secret"]), read(F, "answer"))
    return {"seed": hashed(given, int(given["choice"]), F, shared).hex()}, {}


OPERATIONS: dict[str, Callable[[Members], Answer]] = {
    "base.points": points,
    "base.answer": answer,
    "base.seed": seed,
}
