# SPDX-License-Identifier: Apache-2.0
"""The lattice suites from the prose alone: all vectors of `rlwe.*`, and faults that they find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import prod
from typing import Any

import pytest

from ppmf_conformance import cases
from ppmf_conformance.judgement import judge
from ppmf_conformance.line_protocol import Answer
from ppmf_conformance.results import Outcome
from tests.independent_reading import lattice_from_prose as reading
from tests.independent_reading.adapter_from_prose import strings
from tests.independent_reading.lattice_from_prose import (
    DEGREES,
    PRIMES,
    Keystream,
    Lattice,
    Matrix,
    Members,
    Polynomial,
    Residues,
)
from tests.independent_reading.parameters_from_prose import RefusedError

CASES = {case.id: case for case in cases.shipped().cases if case.op.startswith("rlwe.")}
req = pytest.mark.req


def answered(case: cases.Case) -> Answer:
    """The answer of the reading, as an adapter would write it."""
    try:
        out, steps = reading.OPERATIONS[case.op](case.given)
    except RefusedError as refused:
        return Answer("reject", {}, refused.kind, str(refused))
    return Answer("ok", {**strings(out), **strings(steps)})


@pytest.mark.parametrize(
    ("operation", "least"),
    [
        pytest.param("rlwe.moduli", 20, marks=req("PPMF-RLW-007", "PPMF-RLW-017")),
        pytest.param("rlwe.expand", 8, marks=req("PPMF-RLW-001", "PPMF-RLW-002")),
        pytest.param("rlwe.pack", 10, marks=req("PPMF-RLW-003")),
        pytest.param("rlwe.unpack", 20, marks=req("PPMF-RLW-003", "PPMF-RLW-013")),
        pytest.param("rlwe.encode", 7, marks=req("PPMF-RLW-006")),
        pytest.param("rlwe.place", 20, marks=req("PPMF-RLW-015")),
        pytest.param("rlwe.times", 7, marks=req("PPMF-RLW-001")),
        pytest.param("rlwe.key", 9, marks=req("PPMF-RLW-004")),
        pytest.param("rlwe.encrypt", 10, marks=req("PPMF-RLW-006", "PPMF-RLW-015")),
        pytest.param("rlwe.fold", 20, marks=req("PPMF-RLW-013", "PPMF-RLW-014")),
        pytest.param(
            "rlwe.answer",
            18,
            marks=req(
                "PPMF-RLW-008",
                "PPMF-RLW-009",
                "PPMF-RLW-010",
                "PPMF-RLW-011",
                "PPMF-RLW-013",
                "PPMF-RLW-016",
            ),
        ),
        pytest.param("rlwe.round", 6, marks=req("PPMF-RLW-010")),
        pytest.param("rlwe.decode", 4, marks=req("PPMF-RLW-012")),
        pytest.param("rlwe.decrypt", 15, marks=req("PPMF-RLW-012", "PPMF-RLW-013")),
    ],
)
def test_every_vector_of_an_operation(operation: str, least: int) -> None:
    of_it = [case for case in CASES.values() if case.op == operation]
    assert len(of_it) >= least
    verdicts = {case.id: judge(case, answered(case)) for case in of_it}
    assert {
        name: said for name, (found, said) in verdicts.items() if found is not Outcome.PASS
    } == {}


def test_every_operation_of_the_lattice_is_read_and_broken() -> None:
    asked = {case.op for case in CASES.values()}
    assert asked == set(reading.OPERATIONS)
    assert {CASES[case].op for _, _, case in FAULTS.values()} == asked


@req("PPMF-CON-023")
def test_every_must_of_the_lattice_is_shown_by_a_case() -> None:
    """Distributions cannot be shown by an answer: RLW-005 is met by the errors that are given."""
    shown = {name for case in CASES.values() for name in case.requirements}
    due = {f"PPMF-RLW-{number:03}" for number in range(1, 18)} - {"PPMF-RLW-005"}
    assert due <= shown


# Programs that are wrong in one way each: what is replaced, by what, and the case that finds it.


def replaced_at_once(seed: bytes, degree: int, primes: Sequence[int]) -> Any:
    """The next word of the stream takes the place of a refused one at once."""
    stream = Keystream(seed)

    def word(p: int) -> int:
        return next(w for w in iter(stream.word, None) if w < 2**32 // p * p)

    return [[(word(p) - (p - 1) // 2) % p for _ in range(degree)] for p in primes], []


def replaced_once(seed: bytes, degree: int, primes: Sequence[int]) -> Any:
    """A replacement is taken whatever it is."""
    stream = Keystream(seed)
    found = [[stream.word() for _ in range(degree)] for _ in primes]
    for row, p in zip(found, primes, strict=True):
        for at, word in enumerate(row):
            if word >= 2**32 // p * p:
                row[at] = stream.word()
    return [
        [(word - (p - 1) // 2) % p for word in row] for row, p in zip(found, primes, strict=True)
    ], []


def replaced_from_the_last(seed: bytes, degree: int, primes: Sequence[int]) -> Any:
    """The last place that is refused gets the first replacement."""
    stream = Keystream(seed)
    found = [[stream.word() for _ in range(degree)] for _ in primes]
    for row, p in reversed([*zip(found, primes, strict=True)]):
        for at in reversed(range(degree)):
            while row[at] >= 2**32 // p * p:
                row[at] = stream.word()
    return [
        [(word - (p - 1) // 2) % p for word in row] for row, p in zip(found, primes, strict=True)
    ], []


def limit_taken(seed: bytes, degree: int, primes: Sequence[int]) -> Any:
    """A word that is the least to be refused is taken."""
    stream = Keystream(seed)
    found = [[stream.word() for _ in range(degree)] for _ in primes]
    places = [(row, at, p) for row, p in zip(found, primes, strict=True) for at in range(degree)]
    while places := [(row, at, p) for row, at, p in places if row[at] > (1 << 32) // p * p]:
        for row, at, _ in places:
            row[at] = stream.word()
    return [
        [(word - (p - 1) // 2) % p for word in row] for row, p in zip(found, primes, strict=True)
    ], []


_expansion = reading.expansion


def not_centred(seed: bytes, degree: int, primes: Sequence[int]) -> Any:
    """The residue is the word's, nothing taken off."""
    found, refused = _expansion(seed, degree, primes)
    moved = [
        [(value + (p - 1) // 2) % p for value in row] for row, p in zip(found, primes, strict=True)
    ]
    return moved, refused


def packed_in_order(table: Residues, primes: Sequence[int]) -> bytes:
    """Three neighbours share a word."""
    data = b""
    for row, p in zip(table, primes, strict=True):
        r = [*row, *[0] * (-len(row) % 3)]
        for i in range(0, len(r), 3):
            data += (r[i] + p * r[i + 1] + p**2 * r[i + 2]).to_bytes(8, "little")
    return data


def unpacked_by(largest: Callable[[int], int], *, continued: bool) -> Callable[..., Residues]:
    """Reading with another bound for a word, and with or without a look at the continuation."""

    def unpacked(data: bytes, count: int, primes: Sequence[int], what: str) -> Residues:
        height = (count + 2) // 3
        if len(data) != 8 * height * len(primes):
            raise RefusedError("encoding", what)
        found = []
        for number, p in enumerate(primes):
            part = data[8 * height * number : 8 * height * (number + 1)]
            words = [int.from_bytes(part[at : at + 8], "little") for at in range(0, len(part), 8)]
            row = [word // p**place % p for place in range(3) for word in words]
            if any(word >= largest(p) for word in words) or (continued and any(row[count:])):
                raise RefusedError("range", what)
            found.append(row[:count])
        return found

    return unpacked


def encoding_down(message: int, lattice: Lattice) -> int:
    """Rounding down."""
    return lattice.q * message // (1 << lattice.ring)


def encoding_half_down(message: int, lattice: Lattice) -> int:
    """A tie goes down."""
    return (lattice.q * message + (1 << (lattice.ring - 1)) - 1) // (1 << lattice.ring)


def encoding_scaled(message: int, lattice: Lattice) -> int:
    """The message times floor(q / 2^k), as in the textbook."""
    return lattice.q // (1 << lattice.ring) * message


def flood_without_outputs(degree: int, ring: int, rows: int, outputs: int) -> tuple[int, int]:
    """No bits for the union over the outputs."""
    B = 22 * rows * (1 << (ring - 1)) + 21 * (2 * degree + 1) + 1
    return B, reading.logarithm(B) + 40


def flood_of_two_logarithms(degree: int, ring: int, rows: int, outputs: int) -> tuple[int, int]:
    """Two logarithms, each rounded up by itself."""
    B = 22 * rows * (1 << (ring - 1)) + 21 * (2 * degree + 1) + 1
    return B, reading.logarithm(B) + 40 + reading.logarithm(outputs)


def moduli_of_the_first(degree: int, ring: int, matrices: list[list[int]]) -> tuple[int, int]:
    """One orientation decides."""
    return _moduli(degree, ring, matrices[:1])


def fewest_kept(degree: int, ring: int, matrices: list[list[int]]) -> tuple[int, int]:
    """The least l' of all, and then the least l for it."""
    for kept in range(1, 10):
        for some in range(kept + 1, 11):
            if all(reading.satisfies(degree, ring, J, O, some, kept) for J, O in matrices):
                return some, kept
    raise RefusedError("parameters", "none")


def without_the_rounding(
    degree: int, ring: int, rows: int, outputs: int, some: int, kept: int
) -> bool:
    """What the rounding adds is left out of the budget but for half a unit."""
    B, gamma = reading.bound_and_flood(degree, ring, rows, outputs)
    left = Fraction(B + (1 << gamma), prod(PRIMES[:some])) + Fraction(1, 2 * prod(PRIMES[:kept]))
    return left < Fraction(1, 1 << (ring + 1))


_moduli = reading.moduli


def as_many_as_fit(columns: int, degree: int) -> int:
    """A group need be no power of two."""
    return max(1, min(128, degree // columns))


def no_most(columns: int, degree: int) -> int:
    """A group may have more than 128 rows."""
    g = 1
    while 2 * g * columns <= degree:
        g *= 2
    return g


def one_row_fewer(columns: int, degree: int) -> int:
    """The product g v must stay below N."""
    g = 1
    while g < 128 and 2 * g * columns < degree:
        g *= 2
    return g


def block_after_block(row: int, block: int, column: int, columns: int, degree: int) -> list[int]:
    """All secrets of the block of W come first."""
    group, piece, at, _ = _place(row, block, column, columns, degree)
    return [group, piece, at, block * -(-columns // degree) + piece]


def one_secret(row: int, block: int, column: int, columns: int, degree: int) -> list[int]:
    """Both blocks are under the secrets of W."""
    group, piece, at, _ = _place(row, block, column, columns, degree)
    return [group, piece, at, 2 * piece]


def side_by_side(row: int, block: int, column: int, columns: int, degree: int) -> list[int]:
    """A row begins where the one before it ends, and not at its band."""
    group, piece, _, secret = _place(row, block, column, columns, degree)
    g = reading.rows_of_a_group(columns, degree)
    return [group, piece, row % g * columns + column % degree, secret]


_place = reading.place


def cyclic(one: Polynomial, other: Polynomial, at: int) -> int:
    """X^N is 1."""
    return sum(one[i] * other[at - i] for i in range(len(one)))


def plus_as(
    lattice: Lattice, seed: str, secrets: list[Polynomial], errors: list[Polynomial]
) -> bytes:
    """The product a s is added and not taken off."""
    return _public_key(lattice, seed, [[-v for v in s] for s in secrets], errors)


_public_key = reading.public_key


def without_errors(given: Members) -> Any:
    """No error is added."""
    return _encrypt({**given, "errors": [["0"] * len(row) for row in given["errors"]]})


def unsealed_rows(given: Members) -> Any:
    """Rows are numbered from 0 in each block: all of W comes first, and then all of R."""
    half = int(given["matrix"]["columns"])
    turned = [row[half:] + row[:half] for row in given["entries"]]
    return _encrypt({**given, "entries": turned})


_encrypt = reading.op_encrypt


def not_folded(
    groups: list[str], own: list[list[int]], matrix: Matrix, lattice: Lattice
) -> list[list[int]]:
    """The own share is left out."""
    return reading.numbers_of_groups(groups, matrix, lattice)


def folded_bare(
    groups: list[str], own: list[list[int]], matrix: Matrix, lattice: Lattice
) -> list[list[int]]:
    """The own share is added without an encoding."""
    received = reading.numbers_of_groups(groups, matrix, lattice)
    return [
        [c + mine for c, mine in zip(row, entries, strict=True)]
        for row, entries in zip(received, own, strict=True)
    ]


def forward(x: list[int], rows: range, columns: int, lattice: Lattice) -> Polynomial:
    """Row b is multiplied by y^b."""
    found = [0] * lattice.degree
    for b, row in enumerate(rows):
        g = reading.rows_of_a_group(columns, lattice.degree)
        found[b * (lattice.degree // g)] = reading.lifted(x[row], lattice.ring)
    return found


def without_the_sign(x: list[int], rows: range, columns: int, lattice: Lattice) -> Polynomial:
    """y^(-b) is taken for y^(g - b)."""
    first, *rest = _weight(x, rows, columns, lattice)
    return [first, *(-value for value in rest)]


_weight = reading.weight


def unsigned(x: int, k: int) -> int:
    """Entries of X in [0, 2^k)."""
    return x % (1 << k)


def rounded_down(number: int, lattice: Lattice) -> int:
    """Rounding down."""
    return number % lattice.q * lattice.q_kept // lattice.q


def decoded_down(number: int, lattice: Lattice) -> int:
    """Rounding down."""
    top, q = (1 << lattice.ring), lattice.q_kept
    return top * (number % q) // q % top


def decoded_to_the_top(number: int, lattice: Lattice) -> int:
    """2^k is not taken mod 2^k."""
    q = prod(lattice.kept)
    return (2 * (1 << lattice.ring) * (number % q) + q) // (2 * q)


def without(member: str) -> Callable[[Members], Any]:
    """An answer in which one kind of randomness is left out."""

    def zeros(value: Any) -> Any:
        return [zeros(one) for one in value] if isinstance(value, list) else "0"

    def answer(given: Members) -> Any:
        return _answer({**given, member: zeros(given[member])})

    return answer


def every_row(uses: list[list[int]]) -> list[int]:
    """c_1 is sent for all rows up to the last."""
    return [*range(max(end for _, end in uses))]


def row_after_use(uses: list[list[int]]) -> list[int]:
    """The rows in the order of the uses, twice where both blocks use one."""
    return [row for first, end in uses for row in range(first, end)]


_answer = reading.op_answer


def primes_of_the_suite(given: Members) -> Lattice:
    """All primes of the suite, whatever the session needs."""
    table = given["lattice"]
    return Lattice(DEGREES[table["suite"]], int(table["ring"]), PRIMES, PRIMES[:4])


def accepts(given: Members) -> Any:
    """Bytes that are refused are read as far as they go."""
    return {"residues": []}, {}


FAULTS: dict[str, tuple[str, Any, str]] = {
    "replaced-at-once": ("expansion", replaced_at_once, "lattice/expand-refused"),
    "replaced-once": ("expansion", replaced_once, "lattice/expand-refused-twice"),
    "replaced-from-the-last": (
        "expansion",
        replaced_from_the_last,
        "lattice/expand-refused-two",
    ),
    "replaced-at-once-full": ("expansion", replaced_at_once, "lattice/expand-full"),
    "not-centred": ("expansion", not_centred, "lattice/expand-two"),
    "packed-in-order": ("packed", packed_in_order, "lattice/pack-4"),
    "any-word": (
        "unpacked",
        unpacked_by(lambda p: 2**64, continued=True),
        "lattice/unpack-cube",
    ),
    "words-of-the-first-prime": (
        "unpacked",
        unpacked_by(lambda p: PRIMES[0] ** 3, continued=True),
        "lattice/unpack-of-another-prime",
    ),
    "any-continuation": (
        "unpacked",
        unpacked_by(lambda p: p**3, continued=False),
        "lattice/unpack-continued-two",
    ),
    "largest-word-refused": (
        "unpacked",
        unpacked_by(lambda p: p**3 - 1, continued=True),
        "lattice/unpack-last",
    ),
    "accepts-everything": ("op_unpack", accepts, "lattice/unpack-cut"),
    "encoding-down": ("encoding", encoding_down, "lattice/encode-32"),
    "encoding-half-down": ("encoding", encoding_half_down, "lattice/encode-64"),
    "encoding-scaled": ("encoding", encoding_scaled, "lattice/encode-46"),
    "flood-without-outputs": (
        "bound_and_flood",
        flood_without_outputs,
        "lattice/moduli-outputs-37",
    ),
    "flood-of-two-logarithms": (
        "bound_and_flood",
        flood_of_two_logarithms,
        "lattice/moduli-outputs-37",
    ),
    "moduli-of-the-first": ("moduli", moduli_of_the_first, "lattice/moduli-refused-toy"),
    "fewest-kept": ("moduli", fewest_kept, "lattice/moduli-fewest-36"),
    "groups-of-any-size": ("rows_of_a_group", as_many_as_fit, "lattice/place-64-5"),
    "groups-without-a-most": ("rows_of_a_group", no_most, "lattice/place-8192-1"),
    "groups-below-the-degree": ("rows_of_a_group", one_row_fewer, "lattice/place-64-16"),
    "secrets-block-after-block": ("place", block_after_block, "lattice/place-64-65"),
    "rows-side-by-side": ("place", side_by_side, "lattice/place-64-9"),
    "cyclic": ("coefficient", cyclic, "lattice/times-x"),
    "plus-a-s": ("public_key", plus_as, "lattice-rows/key-one-group"),
    "no-error": ("op_encrypt", without_errors, "lattice-rows/encrypt-one-group"),
    "blocks-swapped": ("op_encrypt", unsealed_rows, "lattice-rows/encrypt-groups"),
    "one-secret-for-both": ("place", one_secret, "lattice-rows/encrypt-one-group"),
    "secret-of-another-piece": ("place", block_after_block, "lattice-rows/encrypt-pieces"),
    "rows-without-bands": ("place", side_by_side, "lattice-rows/encrypt-full"),
    "not-folded": ("folded", not_folded, "lattice-rows/fold-one-group"),
    "folded-bare": ("folded", folded_bare, "lattice-rows/fold-groups"),
    "row-times-y": ("weight", forward, "lattice-answers/answer-one-group"),
    "wrap-without-a-sign": ("weight", without_the_sign, "lattice-answers/answer-groups"),
    "x-unsigned": ("lifted", unsigned, "lattice-answers/answer-extreme"),
    "no-mask": ("op_answer", without("masks"), "lattice-answers/answer-one-group"),
    "no-e1": ("op_answer", without("e1"), "lattice-answers/answer-one-group"),
    "no-e2": ("op_answer", without("e2"), "lattice-answers/answer-one-group"),
    "no-flood": ("op_answer", without("floods"), "lattice-answers/answer-one-group"),
    "word-at-the-limit-taken": ("expansion", limit_taken, "lattice/expand-full-limit"),
    "no-term-of-the-rounding": ("satisfies", without_the_rounding, "lattice/moduli-close-8192-51"),
    "own-share-not-added": ("folded", not_folded, "lattice-answers/answer-one-group"),
    "c1-for-every-row": ("asked_rows", every_row, "lattice-answers/decrypt-one-block"),
    "c1-for-every-use": ("asked_rows", row_after_use, "lattice-answers/decrypt-one-group"),
    "primes-of-the-suite": (
        "lattice_of",
        primes_of_the_suite,
        "lattice-answers/answer-more-primes",
    ),
    "rounded-down": ("rounded", rounded_down, "lattice/round-2-1"),
    "answer-rounded-down": ("rounded", rounded_down, "lattice-answers/answer-one-group"),
    "decoded-down": ("decoded", decoded_down, "lattice/decode-32"),
    "decoded-to-the-top": ("decoded", decoded_to_the_top, "lattice/decode-40"),
    "decrypted-with-one-secret": ("place", one_secret, "lattice-answers/decrypt-groups"),
    "decrypted-with-another-piece": (
        "place",
        block_after_block,
        "lattice-answers/decrypt-pieces",
    ),
    "decrypted-cyclic": ("coefficient", cyclic, "lattice-answers/decrypt-column"),
}


@req("PPMF-CON-018")
@pytest.mark.parametrize("member", ["masks", "e1", "e2", "floods"])
def test_what_an_answer_leaves_out_is_found_without_its_steps(member: str) -> None:
    """An error is far below what the rounding drops; one case is made so that it shows all the same
    (PPMF-RLW-008).
    """
    case = CASES["lattice-answers/answer-sharp"]
    whole, _ = reading.OPERATIONS["rlwe.answer"](case.given)
    assert judge(case, Answer("ok", strings(whole)))[0] is Outcome.PASS
    less, _ = without(member)(case.given)
    assert (
        judge(case, Answer("ok", {**strings(whole), "answer": less["answer"]}))[0] is Outcome.FAIL
    )


@req("PPMF-CON-018")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_by_the_case_named_for_it(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced, wrong, name = FAULTS[fault]
    operation = CASES[name].op
    monkeypatch.setattr(reading, replaced, wrong)
    if replaced.startswith("op_"):
        monkeypatch.setitem(reading.OPERATIONS, operation, wrong)
    outcome, said = judge(CASES[name], answered(CASES[name]))
    assert outcome is Outcome.FAIL, said
