# SPDX-License-Identifier: Apache-2.0
"""The group of P-256 by its equations, in Python's integers: slow, and nobody's code but this.

The constants are those of NIST SP 800-186, section 3.2.1.3.
"""

from __future__ import annotations

PRIME = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)

Point = tuple[int, int] | None
"""A point (x, y); None is the neutral element."""


def add(one: Point, other: Point) -> Point:
    if one is None or other is None:
        return other if one is None else one
    (x, y), (u, v) = one, other
    if x == u and (y + v) % PRIME == 0:
        return None
    top, bottom = (3 * x * x - 3, 2 * y) if one == other else (v - y, u - x)
    slope = top * pow(bottom, -1, PRIME) % PRIME
    third = (slope * slope - x - u) % PRIME
    return third, (slope * (x - third) - y) % PRIME


def times(factor: int, point: Point) -> Point:
    total: Point = None
    while factor:
        if factor & 1:
            total = add(total, point)
        point, factor = add(point, point), factor >> 1
    return total


def encode(point: Point) -> bytes:
    assert point is not None
    x, y = point
    return bytes([2 + y % 2]) + x.to_bytes(32, "big")


def decode(data: bytes) -> Point:
    """The point in 33 bytes; None if they are the encoding of no point."""
    x = int.from_bytes(data[1:], "big")
    square = (x * x * x - 3 * x + B) % PRIME
    root = pow(square, (PRIME + 1) // 4, PRIME)
    if len(data) != 33 or data[0] not in (2, 3) or x >= PRIME or root * root % PRIME != square:
        return None
    return x, root if root % 2 == data[0] % 2 else PRIME - root
