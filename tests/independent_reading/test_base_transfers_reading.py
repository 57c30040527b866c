# SPDX-License-Identifier: Apache-2.0
"""The base transfers from the prose alone: all vectors of `base.*`, and faults that they find."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from ppmf_conformance import cases
from ppmf_conformance.judgement import judge
from ppmf_conformance.line_protocol import Answer
from ppmf_conformance.results import Outcome
from tests.independent_reading import base_transfers_from_prose as reading
from tests.independent_reading.base_transfers_from_prose import G, Members, P
from tests.independent_reading.parameters_from_prose import RefusedError

CASES = {case.id: case for case in cases.shipped().cases if case.op.startswith("base.")}
req = pytest.mark.req


def answered(case: cases.Case) -> Answer:
    """The answer of the reading, as an adapter would write it."""
    try:
        out, _ = reading.OPERATIONS[case.op](case.given)
    except RefusedError as refused:
        return Answer("reject", {}, refused.kind, str(refused))
    return Answer("ok", out)


@pytest.mark.parametrize(
    ("operation", "least"),
    [
        pytest.param("base.points", 18, marks=req("PPMF-OTE-009", "PPMF-OTE-010")),
        pytest.param("base.answer", 25, marks=req("PPMF-OTE-009", "PPMF-OTE-011", "PPMF-OTE-012")),
        pytest.param("base.seed", 18, marks=req("PPMF-OTE-009", "PPMF-OTE-012")),
    ],
)
def test_every_vector_of_an_operation(operation: str, least: int) -> None:
    of_it = [case for case in CASES.values() if case.op == operation]
    assert len(of_it) >= least
    verdicts = {case.id: judge(case, answered(case)) for case in of_it}
    assert {
        name: said for name, (found, said) in verdicts.items() if found is not Outcome.PASS
    } == {}


def test_every_operation_is_read_and_broken() -> None:
    assert {case.op for case in CASES.values()} == set(reading.OPERATIONS)
    assert {CASES[case].op for _, _, case in FAULTS.values()} == set(reading.OPERATIONS)


# Programs that are wrong in one way each: what is replaced, by what, and the case that finds it.


def own_point_first(given: Members) -> Any:
    """The point with a known secret comes first, whatever the choice."""
    return _points({**given, "choice": "0"})


_points = reading.points


def reduced(data: bytes) -> bool:
    """An x above the prime stands for its remainder."""
    x = int.from_bytes(data[1:], "big") % P
    return data[0] in (2, 3) and pow(reading.right_side(x), (P - 1) // 2, P) in (0, 1)


def any_x(data: bytes) -> bool:
    """Whatever is below the prime is the x of a point."""
    return data[0] in (2, 3) and int.from_bytes(data[1:], "big") < P


def any_first_byte(data: bytes) -> bool:
    """The first byte may be another than 2 or 3."""
    return _is_point(bytes([2]) + data[1:])


_is_point = reading.is_point


def unmarked(candidates: list[bytes]) -> bytes:
    """Candidates are taken as they are, so that most are passed over."""
    return next((data for data in candidates if _is_point(data)), bytes(33))


def positive(point: tuple[int, int]) -> bytes:
    """Every point is written as one of even y."""
    return b"\2" + point[0].to_bytes(32, "big")


def short_x(point: tuple[int, int]) -> bytes:
    """Zeros in front are left out."""
    x = point[0].to_bytes(32, "big").lstrip(b"\0")
    return bytes([2 + point[1] % 2]) + x


def text_of(given: Members, c: int, answer: bytes, shared: tuple[int, int]) -> dict[str, bytes]:
    """The parts of what is hashed, in order."""
    return {
        "label": b"ppmf/v2/base-seed/",
        "session": bytes.fromhex(given["session"]),
        "epoch": reading.u64(int(given["epoch"])),
        "sender": given["sender"].encode(),
        "transfer": reading.u64(int(given["transfer"])),
        "slot": reading.u64(c),
        "points": bytes.fromhex(given["points"]),
        "answer": answer,
        "shared": shared[0].to_bytes(32, "big"),
    }


def hashed_with(**changes: Any) -> Any:
    """The hash of a text in which parts are replaced by what a function makes of all of them."""

    def hashed(given: Members, c: int, answer: bytes, shared: tuple[int, int]) -> bytes:
        parts = text_of(given, c, answer, shared)
        parts |= {name: change(parts) for name, change in changes.items()}
        return hashlib.sha256(b"".join(parts.values())).digest()[:16]

    return hashed


OTHER = {b"csp": b"recsys", b"recsys": b"csp"}
FAULTS: dict[str, tuple[str, Any, str]] = {
    "own-point-first": ("points", own_point_first, "base/points-first-1"),
    "candidate-reduced": ("is_point", reduced, "base/points-not-reduced-0"),
    "candidate-unmarked": ("first_point", unmarked, "base/points-parity-0"),
    "even-y": ("written", positive, "base/points-secret-1-0"),
    "x-without-zeros": ("written", short_x, "base/points-small-x-1"),
    "any-first-byte": ("is_point", any_first_byte, "base/answer-hybrid-first"),
    "any-x": ("is_point", any_x, "base/answer-no-such-x-second"),
    "x-above-the-prime": ("is_point", reduced, "base/seed-not-reduced"),
    "no-epoch": ("hashed", hashed_with(epoch=lambda parts: bytes(8)), "base/answer-last-0"),
    "epoch-of-32-bits": (
        "hashed",
        hashed_with(epoch=lambda parts: parts["epoch"][:4] + bytes(4)),
        "base/answer-large-1",
    ),
    "other-direction": (
        "hashed",
        hashed_with(sender=lambda parts: OTHER[parts["sender"]]),
        "base/answer-first-0",
    ),
    "no-transfer": ("hashed", hashed_with(transfer=lambda parts: bytes(8)), "base/seed-last-1"),
    "no-slot": ("hashed", hashed_with(slot=lambda parts: bytes(8)), "base/seed-first-1"),
    "points-swapped": (
        "hashed",
        hashed_with(points=lambda parts: parts["points"][33:] + parts["points"][:33]),
        "base/seed-first-0",
    ),
    "no-answer": ("hashed", hashed_with(answer=lambda parts: b""), "base/seed-first-0"),
    "shared-without-zeros": (
        "hashed",
        hashed_with(shared=lambda parts: parts["shared"].lstrip(b"\0")),
        "base/seed-small-x-0",
    ),
    "shared-lowest-first": (
        "hashed",
        hashed_with(shared=lambda parts: parts["shared"][::-1]),
        "base/answer-first-1",
    ),
}


@req("PPMF-CON-018")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_by_the_case_named_for_it(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced, wrong, name = FAULTS[fault]
    monkeypatch.setattr(reading, replaced, wrong)
    if replaced in ("points", "answer", "seed"):
        monkeypatch.setitem(reading.OPERATIONS, CASES[name].op, wrong)
    outcome, said = judge(CASES[name], answered(CASES[name]))
    assert outcome is Outcome.FAIL, said


def test_the_generator_is_a_point_of_the_curve() -> None:
    assert pow(G[1], 2, P) == reading.right_side(G[0])
