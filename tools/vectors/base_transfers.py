# SPDX-License-Identifier: Apache-2.0
"""Vectors of base transfers: the points of a transfer, its seeds, and what is no point."""

from __future__ import annotations

from itertools import count
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from ppmf_conformance.adapters.building_blocks import OPERATIONS
from tools.vectors.family import Family
from tools.vectors.labelled_stream import LabelledStream
from tools.vectors.messages import SESSION

CURVE = ec.SECP256R1()
PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
NO_SUCH_X = 1
"""No point of P-256 has this x."""
SOME_X = 5
"""Two points have this one, and none of a reduced x may take the place of it."""


def families() -> list[Family]:
    """The family `base`."""
    base = Family("base", "Base transfers: points, seeds, and what is no point.", OPERATIONS)
    _points(base)
    _seeds(base)
    _no_points(base)
    return [base]


def _candidate(x: int, first: int = 0) -> bytes:
    return bytes([first]) + x.to_bytes(32, "big")


def _x_of(secret: int) -> int:
    """The x of a secret's point."""
    return ec.derive_private_key(secret, CURVE).public_key().public_numbers().x


def _points(family: Family) -> None:
    good, other = _candidate(SOME_X), _candidate(SOME_X, 1)
    refused = [_candidate(NO_SUCH_X), _candidate(NO_SUCH_X, 1)]
    small = next(n for n in count(1) if _x_of(n) < 2**248)
    for slug, comment, secret, candidates, flags in (
        ("first", "the first candidate is a point", None, [good, other], "positive"),
        (
            "later",
            "the first that is a point, after two",
            None,
            [*refused, other, good],
            "positive",
        ),
        ("parity", "a first byte of 255 becomes 3", None, [_candidate(SOME_X, 255)], "positive"),
        ("even", "a first byte of 4 becomes 2", None, [_candidate(SOME_X, 4)], "positive"),
        (
            "not-reduced",
            "an x above the prime is passed over, though its remainder is one of a point",
            None,
            [_candidate(PRIME + SOME_X), _candidate(2**256 - 1), _candidate(PRIME), other],
            "positive unlucky",
        ),
        ("zero-x", "the point with x = 0", None, [_candidate(0)], "positive unlucky"),
        ("secret-1", "the smallest secret", 1, [good], "positive unlucky"),
        ("secret-last", "the largest secret", ORDER - 1, [good], "positive unlucky"),
        ("small-x", "an x that begins with a zero byte", small, [good], "positive unlucky"),
    ):
        for choice in (0, 1):
            draw = LabelledStream(f"base/points-{slug}-{choice}")
            given = {
                "choice": choice,
                "secret": draw.between(1, ORDER - 1) if secret is None else secret,
                "candidates": candidates,
            }
            family.add(
                f"points-{slug}-{choice}",
                "base.points",
                "OTE-009 OTE-010",
                comment,
                given,
                flags=flags,
                seed=draw.label,
            )


def _transfer(draw: LabelledStream, choice: int, secret: int) -> str:
    """The two points of a transfer."""
    candidates = [draw.bytes(33).hex() for _ in range(64)]  # about half of them are points
    given = {"choice": str(choice), "secret": str(secret), "candidates": candidates}
    return str(OPERATIONS["base.points"](given)["points"])


def _seeds(family: Family) -> None:
    """Both sides of transfers, whose seeds agree."""
    # the secrets of two parties whose product has an x that begins with a zero byte
    small = next(n for n in count(1) if _x_of(n * 9) < 2**248)
    for slug, comment, epoch, transfer, own, answering, flags in (
        ("first", "transfer 0", 0, 0, None, None, "positive"),
        ("last", "transfer 127, of a later epoch", 3, 127, None, None, "positive"),
        ("large", "an epoch of more than 32 bits", 2**40 + 1, 5, None, None, "positive"),
        ("secrets-1", "the smallest secrets", 0, 1, 1, 1, "positive unlucky"),
        ("opposite", "the largest secrets", 0, 2, ORDER - 1, ORDER - 1, "positive unlucky"),
        (
            "small-x",
            "a product whose x begins with a zero byte",
            0,
            3,
            small,
            9,
            "positive unlucky",
        ),
    ):
        for choice, sender in ((0, "csp"), (1, "recsys")):
            draw = LabelledStream(f"base/{slug}-{choice}")
            secret = draw.between(1, ORDER - 1) if own is None else own
            place: dict[str, Any] = {
                "session": SESSION,
                "epoch": epoch,
                "sender": sender,
                "transfer": transfer,
                "points": _transfer(draw, choice, secret),
            }
            second = draw.between(1, ORDER - 1) if answering is None else answering
            family.add(
                f"answer-{slug}-{choice}",
                "base.answer",
                "OTE-009 OTE-011 OTE-012",
                f"{comment}: the sender's point and both seeds",
                {**place, "secret": second},
                flags=flags,
                seed=draw.label,
            )
            answered = family.cases[-1]["expect"]["out"]
            family.add(
                f"seed-{slug}-{choice}",
                "base.seed",
                "OTE-009 OTE-012",
                f"{comment}: the chooser's seed",
                {**place, "choice": choice, "secret": secret, "answer": answered["answer"]},
                flags=flags,
                seed=draw.label,
            )
            found = family.cases[-1]["expect"]["out"]["seed"]
            assert found == answered["seeds"][choice], "the two sides have one seed"


def _no_points(family: Family) -> None:
    draw = LabelledStream("base/no-points")
    pair = bytes.fromhex(_transfer(draw, 0, draw.between(1, ORDER - 1)))
    place = {"session": SESSION, "epoch": 0, "sender": "csp", "transfer": 0}
    one, other = pair[:33], pair[33:]
    for slug, comment, bad, refuse in (
        ("cut", "a byte too few", one[:-1], "encoding"),
        ("more", "a byte too many", one + b"\0", "encoding"),
        ("zeros", "zeros", bytes(33), "range"),
        ("uncompressed", "the first byte of an uncompressed point", b"\4" + one[1:], "range"),
        ("hybrid", "the first byte of a hybrid point", b"\6" + one[1:], "range"),
        ("no-such-x", "an x that no point has", _candidate(NO_SUCH_X, 2), "range"),
        ("not-reduced", "an x above the prime", _candidate(PRIME + SOME_X, 2), "range"),
        ("ones", "nothing but ones", b"\xff" * 33, "range"),
    ):
        for where, points in (("first", bad + other), ("second", one + bad)):
            family.add(
                f"answer-{slug}-{where}",
                "base.answer",
                "OTE-009 ERR-003" if refuse == "encoding" else "OTE-009",
                f"{comment}, as the {where} point",
                {**place, "points": points, "secret": 9},
                refuse=refuse,
                seed=draw.label,
            )
        family.add(
            f"seed-{slug}",
            "base.seed",
            "OTE-009 ERR-003" if refuse == "encoding" else "OTE-009",
            f"{comment}, as the answer",
            {**place, "points": pair, "choice": 0, "secret": 9, "answer": bad},
            refuse=refuse,
            seed=draw.label,
        )
