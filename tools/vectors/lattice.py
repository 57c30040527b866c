# SPDX-License-Identifier: Apache-2.0
"""Vectors of the lattice suites: every stage of a product, with all its randomness in the case.

Most are of `rlwe-64-insecure`, so that a polynomial fits a line. No number of an answer is within
2^-30 of the middle between two integers when it is rounded, since PPMF-RLW-010 leaves open which
of two integers that are as near as that is taken.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ppmf_conformance.adapters.lattice_blocks import OPERATIONS
from ppmf_conformance.adapters.values import matrix, shown
from ppmf_spec.errors import ParametersError
from tools.vectors.family import Family
from tools.vectors.labelled_stream import LabelledStream

TOY, FULL = "rlwe-64-insecure", "rlwe-8192"
DEGREE = 64
PRIMES = (
    *(2641921, 2641153, 2639873, 2638849, 2636033),
    *(2634241, 2633473, 2626817, 2626049, 2624513),
)
Rows = list[list[int]]


def families() -> list[Family]:
    """The families `lattice`, `lattice-rows` and `lattice-answers`."""
    numbers = Family("lattice", "The arithmetic of the lattice suites, stage by stage.", OPERATIONS)
    _moduli(numbers)
    _expansions(numbers)
    _packing(numbers)
    _encodings(numbers)
    _places(numbers)
    _products(numbers)
    _roundings(numbers)
    _decodings(numbers)
    rows = Family("lattice-rows", "Public keys, encrypted rows, the peer's own share.", OPERATIONS)
    answers = Family("lattice-answers", "Answers of the peer and their decryption.", OPERATIONS)
    for sizes in SIZES:
        _whole_product(rows, answers, sizes)
    _refused_bytes(rows, answers)
    _full_degree(rows)
    return [numbers, rows, answers]


def lattice(primes: int, kept: int, ring: int, suite: str = TOY) -> dict[str, Any]:
    """The member `lattice` of a case."""
    return {"suite": suite, "ring": ring, "primes": primes, "kept": kept}


def ask(op: str, given: Any) -> Any:
    """The answer to an operation."""
    return OPERATIONS[op](shown(given))


def by_prime(numbers: Iterable[int], primes: Sequence[int]) -> Rows:
    """The residues of numbers, prime after prime."""
    listed = list(numbers)
    return [[number % p for number in listed] for p in primes]


def joined(table: Rows, primes: Sequence[int]) -> list[int]:
    """The numbers that have these residues."""
    q = prod(primes)
    basis = [q // p * pow(q // p, -1, p) for p in primes]
    return [
        sum(r * b for r, b in zip(column, basis, strict=True)) % q
        for column in zip(*table, strict=True)
    ]


def _moduli(family: Family) -> None:
    def add(
        slug: str, comment: str, suite: str, ring: int, matrices: Rows, flags: str | None = None
    ) -> None:
        given = {"suite": suite, "ring": ring, "matrices": matrices}
        family.add(f"moduli-{slug}", "rlwe.moduli", "RLW-007 RLW-017", comment, given, flags=flags)

    add("toy-32", "a toy in the narrowest ring", TOY, 32, [[3, 60], [5, 60]])
    add("toy-64", "a toy in the widest ring", TOY, 64, [[3, 60], [5, 60]])
    add("one-row", "one row and one output", TOY, 32, [[1, 1]])
    add("full", "hundreds of rows, at the full degree", FULL, 41, [[943, 10**7], [1682, 10**7]])
    add("full-64", "the same in the widest ring", FULL, 64, [[943, 10**6], [1682, 10**6]])
    for suite, ring, rows, outputs in (
        (TOY, 58, 7, 1),
        (FULL, 51, 943, 1),
        (TOY, 36, 7, 2**6),
        (TOY, 32, 7, 2**16),
        (TOY, 56, 7, 2**10),
    ):
        add(
            f"close-{suite.split('-')[1]}-{ring}",
            "a budget that is satisfied or missed by little",
            suite,
            ring,
            [[rows, outputs]],
            "positive unlucky",
        )
    for suite, ring, rows, outputs in ((TOY, 36, 7, 2**7), (FULL, 50, 943, 2**15)):
        add(
            f"fewest-{ring}",
            "the fewest primes, though with one more fewer could be kept",
            suite,
            ring,
            [[rows, outputs]],
            "positive unlucky",
        )
    for suite, ring in ((TOY, 37), (FULL, 46)):
        last = _last_outputs(suite, ring, 7, 2**20)
        for slug, comment, outputs in (
            ("", "the most outputs with this flood", last),
            ("-more", "one output more: a bit more of the flood", last + 1),
        ):
            matrices = [[7, outputs]]
            add(f"outputs-{ring}{slug}", comment, suite, ring, matrices, "positive unlucky")
    for suite, ring, outputs in ((TOY, 32, 90), (FULL, 40, 10**6), (FULL, 53, 10**7)):
        for number, rows in enumerate(_last_rows(suite, ring, outputs)):
            place = f"{suite.split('-')[1]}-{ring}-{number}"
            comment = f"the most rows with these numbers of primes (ring of {ring} bits)"
            add(f"most-{place}", comment, suite, ring, [[rows, outputs]], "positive unlucky")
            comment = "one row more: other primes, or other primes kept"
            add(f"above-{place}", comment, suite, ring, [[rows + 1, outputs]], "positive unlucky")
            add(
                f"either-{place}",
                "the larger of two matrices decides, whichever comes first",
                suite,
                ring,
                [[rows + 1, outputs], [1, outputs]]
                if number % 2
                else [[1, outputs], [rows + 1, outputs]],
                "positive unlucky",
            )
    for slug, suite, rows in (("toy", TOY, 2**60), ("full", FULL, 2**50)):
        family.add(
            f"moduli-refused-{slug}",
            "rlwe.moduli",
            "RLW-007 RLW-017",
            "no primes satisfy the budget of the second matrix",
            {"suite": suite, "ring": 64, "matrices": [[1, 1], [rows, 2**30]]},
            refuse="parameters",
        )
    last = _bisect(lambda rows: _primes(FULL, 64, rows, 2**20) is not None)
    given = {"suite": FULL, "ring": 64, "matrices": [[last, 2**20]]}
    add("last", "the most rows of all", FULL, 64, [[last, 2**20]], "positive unlucky")
    family.add(
        "moduli-refused-above",
        "rlwe.moduli",
        "RLW-007 RLW-017",
        "one row more than ten primes bear",
        {**given, "matrices": [[last + 1, 2**20]]},
        refuse="parameters",
        flags="negative unlucky",
    )
    family.add(
        "moduli-no-suite",
        "rlwe.moduli",
        "AHE-001",
        "a suite that is none",
        {**given, "suite": "rlwe-4096"},
        refuse="parameters",
    )


def _primes(suite: str, ring: int, rows: int, outputs: int) -> tuple[int, int] | None:
    """The numbers of primes that an operation says; None if it refuses."""
    given = {"suite": suite, "ring": ring, "matrices": [[rows, outputs]]}
    try:
        found = ask("rlwe.moduli", given)
    except ParametersError:
        return None
    return int(found["primes"]), int(found["kept"])


def _bisect(holds: Any) -> int:
    """The largest number for which something holds that holds for small ones."""
    low, high = 1, 1 << 62
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _last_outputs(suite: str, ring: int, rows: int, outputs: int) -> int:
    """The most outputs with the flood of so many."""

    def flood(count: int) -> str:
        given = {"suite": suite, "ring": ring, "matrices": [[rows, count]]}
        found: str = ask("rlwe.moduli", given)["floods"][0]
        return found

    here = flood(outputs)
    high = outputs
    while flood(high) == here:
        high *= 2
    low = outputs
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if flood(middle) == here else (low, middle)
    return low


def _last_rows(suite: str, ring: int, outputs: int) -> list[int]:
    """The numbers of rows below 2^21 above which other primes are taken."""

    def above(rows: int) -> int:
        here = _primes(suite, ring, rows, outputs)
        return _bisect(lambda n: n < rows or _primes(suite, ring, n, outputs) == here)

    found = [above(1)]
    while found[-1] < 1 << 21:
        found.append(above(found[-1] + 1))
    return found[:-1]


def _expansions(family: Family) -> None:
    everywhere = list(range(DEGREE))
    for slug, label, primes, comment, flags in (
        ("two", "two", 2, "the fewest primes", None),
        ("five", "five-1", 5, "five primes", None),
        ("ten", "ten", 10, "all primes", None),
        (
            "refused",
            "refused-8",
            5,
            "a word is refused and replaced by the next",
            "positive unlucky",
        ),
        (
            "refused-two",
            "refused-124",
            10,
            "two words are refused, and replaced in order",
            "positive unlucky",
        ),
        ("refused-twice", "refused-4613", 10, "a replacement is refused too", "positive unlucky"),
    ):
        draw = LabelledStream(f"lattice/expand-{label}")
        seed = draw.bytes(32)
        given = {"lattice": lattice(primes, 1, 32), "seed": seed, "places": everywhere}
        refused = _refused(seed, DEGREE, primes)
        due = {"refused": 1, "refused-two": 2, "refused-twice": 2}.get(slug, 0)
        assert len(refused) == due, (slug, refused)
        family.add(
            f"expand-{slug}",
            "rlwe.expand",
            "RLW-001 RLW-002",
            comment,
            given,
            flags=flags,
            seed=draw.label,
            shows={"refused": refused},
        )
    for slug, label, primes in (
        ("full", "full", 3),
        ("full-two", "full-two", 2),
        ("full-limit", "limit-132180", 2),
        ("full-below", "limit-191326", 2),
    ):
        draw = LabelledStream(f"lattice/expand-{label}")
        seed = draw.bytes(32)
        refused = _refused(seed, 8192, primes)
        given = {
            "lattice": lattice(primes, 1, 40, FULL),
            "seed": seed,
            "places": sorted(
                {0, 1, 8191, 3601, 5884, *(place for _, place in refused[:4]), refused[-1][1]}
            ),
        }
        family.add(
            f"expand-{slug}",
            "rlwe.expand",
            "RLW-001 RLW-002",
            {
                "full-limit": "the least word that is refused, for coefficient 5884",
                "full-below": "the largest word that is taken, for coefficient 3601",
            }.get(slug, "the full degree: the ends and some places whose words are replaced"),
            given,
            flags="positive unlucky",
            seed=draw.label,
            shows={"refused": refused},
        )


def _refused(seed: bytes, degree: int, primes: int) -> Rows:
    """Prime and coefficient of each word that the expansion of a seed refuses, in order."""
    stream = Cipher(algorithms.AES(seed), modes.CTR(bytes(16))).encryptor()
    found: Rows = []
    late = [[prime, place] for prime in range(primes) for place in range(degree)]
    while late:
        words = [int.from_bytes(stream.update(bytes(4)), "little") for _ in late]
        late = [
            at
            for at, word in zip(late, words, strict=True)
            if word >= 2**32 // PRIMES[at[0]] * PRIMES[at[0]]
        ]
        found += late
    return found


def _packing(family: Family) -> None:
    for count, primes in ((1, 2), (2, 3), (3, 2), (4, 2), (5, 2), (7, 10), (64, 2)):
        for slug, flags in (("", None), ("-largest", "positive unlucky")):
            if slug and count not in (2, 3, 7):
                continue
            draw = LabelledStream(f"lattice/pack-{count}{slug}")
            residues = [
                [p - 1 if slug else draw.below(p) for _ in range(count)] for p in PRIMES[:primes]
            ]
            given = {"lattice": lattice(primes, 1, 32), "residues": residues}
            comment = f"{count} numbers" + (", the largest residues" if slug else "")
            family.add(
                f"pack-{count}{slug}",
                "rlwe.pack",
                "RLW-001 RLW-003",
                comment,
                given,
                flags=flags,
                seed=draw.label,
            )
            data = family.cases[-1]["expect"]["out"]["bytes"]
            family.add(
                f"unpack-{count}{slug}",
                "rlwe.unpack",
                "RLW-001 RLW-003",
                comment,
                {"lattice": given["lattice"], "count": count, "bytes": data},
                flags=flags,
                seed=draw.label,
            )
    p, other = PRIMES[:2]
    good = {"lattice": lattice(2, 1, 32), "count": 4}

    def words(*listed: int) -> bytes:
        return b"".join(word.to_bytes(8, "little") for word in listed)

    for slug, comment, count, data, refuse in (
        ("cut", "a byte too few", 4, bytes(31), "encoding"),
        ("more", "a byte too many", 4, bytes(33), "encoding"),
        ("word-less", "a word too few", 4, bytes(24), "encoding"),
        ("word-more", "a word more for each prime", 4, bytes(48), "encoding"),
        ("of-one-prime", "the words of one prime", 4, bytes(16), "encoding"),
        ("none", "nothing", 4, b"", "encoding"),
        ("cut-large", "too short, and not reduced", 4, b"\xff" * 31, "encoding"),
        (
            "cube",
            "the first number that three residues cannot make",
            4,
            words(0, p**3, 0, 0),
            "range",
        ),
        ("ones", "nothing but ones", 4, words(0, 0, 0, 2**64 - 1), "range"),
        (
            "of-another-prime",
            "a word that the first prime would allow, for the second",
            3,
            words(0, other**3),
            "range",
        ),
        ("continued", "a continuation that is not 0", 4, words(0, p * p, 0, 0), "range"),
        ("continued-two", "the first of two zeros is not 0", 1, words(p, 0), "range"),
        (
            "continued-last",
            "a continuation that is not 0, of the last prime",
            5,
            words(0, 0, 0, other**2),
            "range",
        ),
    ):
        family.add(
            f"unpack-{slug}",
            "rlwe.unpack",
            "RLW-003 RLW-013" + (" ERR-003" if refuse == "encoding" else ""),
            comment,
            {**good, "count": count, "bytes": data},
            refuse=refuse,
        )
    family.add(
        "unpack-last",
        "rlwe.unpack",
        "RLW-003 RLW-013",
        "the largest words that are allowed",
        {**good, "count": 3, "bytes": words(p**3 - 1, other**3 - 1)},
        flags="positive unlucky",
    )


def _encodings(family: Family) -> None:
    for ring, primes in ((32, 4), (40, 5), (41, 10), (46, 7), (53, 2), (63, 8), (64, 10)):
        draw = LabelledStream(f"lattice/encode-{ring}")
        half, top = 1 << (ring - 1), 1 << ring
        messages = [0, 1, 2, half - 1, half, half + 1, top - 2, top - 1]
        messages += [draw.below(top) for _ in range(4)]
        family.add(
            f"encode-{ring}",
            "rlwe.encode",
            "RLW-001 RLW-006",
            "ends and the middle, which is a tie, and some between",
            {"lattice": lattice(primes, 1, ring), "messages": messages},
            flags="positive unlucky",
            seed=draw.label,
        )


def _places(family: Family) -> None:
    for suite, degree, widths in (
        (TOY, 64, (1, 2, 5, 9, 16, 17, 32, 33, 64, 65, 130)),
        (FULL, 8192, (1, 32, 64, 65, 943, 4096, 4097, 8192, 8193, 20000)),
    ):
        for columns in widths:
            draw = LabelledStream(f"lattice/place-{degree}-{columns}")
            rows = draw.between(130, 300)
            edges = sorted(
                {0, 1, min(columns, degree) - 1, columns - 1, columns // 2} & {*range(columns)}
            )
            entries = [
                [row, block, column]
                for row in (0, 1, 3, 127, 128, rows - 1)
                for block, column in zip((0, 1) * 3, edges, strict=False)
            ]
            family.add(
                f"place-{degree}-{columns}",
                "rlwe.place",
                "RLW-001 RLW-015",
                f"{columns} columns",
                {"suite": suite, "rows": rows, "columns": columns, "entries": entries},
                flags="positive unlucky" if columns & (columns - 1) == 0 else None,
                seed=draw.label,
            )


def _ternary(draw: LabelledStream) -> list[int]:
    return [draw.between(-1, 1) for _ in range(DEGREE)]


def _errors(draw: LabelledStream, count: int) -> list[int]:
    return [draw.below(1 << 21).bit_count() - draw.below(1 << 21).bit_count() for _ in range(count)]


def _products(family: Family) -> None:
    draw = LabelledStream("lattice/times")
    unit = [0] * DEGREE
    x, last, one = ([*unit[:at], 1, *unit[at + 1 :]] for at in (1, DEGREE - 1, 0))
    for slug, comment, primes, polynomial, ternary in (
        ("one", "times 1", 2, None, one),
        ("x", "times X: the last coefficient comes first, with the other sign", 2, None, x),
        ("minus-last", "times -X^63", 2, None, [-number for number in last]),
        ("wrap", "X^63 times X is -1", 2, last, x),
        ("ones", "the largest residues times ones", 10, [-1] * DEGREE, [1] * DEGREE),
        ("random", "a product", 3, None, _ternary(draw)),
        ("random-ten", "a product modulo all primes", 10, None, _ternary(draw)),
    ):
        table = [
            [draw.below(p) for _ in range(DEGREE)]
            if polynomial is None
            else [number % p for number in polynomial]
            for p in PRIMES[:primes]
        ]
        family.add(
            f"times-{slug}",
            "rlwe.times",
            "RLW-001 RLW-004 RLW-008 RLW-012",
            comment,
            {"lattice": lattice(primes, 1, 32), "polynomial": table, "ternary": ternary},
            seed=draw.label,
        )


def is_open(number: int, primes: int, kept: int) -> bool:
    """Whether two integers are about equally near to c q' / q, so that either may be taken."""
    dropped = prod(PRIMES[kept:primes])
    rest = Fraction(number % dropped, dropped)
    return abs(rest - Fraction(1, 2)) < Fraction(1, 2**30)


def _roundings(family: Family) -> None:
    for primes, kept in ((2, 1), (3, 2), (3, 1), (8, 3), (10, 4), (10, 9)):
        draw = LabelledStream(f"lattice/round-{primes}-{kept}")
        q, dropped = prod(PRIMES[:primes]), prod(PRIMES[kept:primes])
        near = 1 if primes - kept == 1 else dropped >> 20
        middle = dropped // 2
        numbers = [0, 1, q - 1, middle - near + 1, middle + near, dropped, q - middle + near - 1]
        numbers += [q - middle - near, q // 2] if primes - kept == 1 else []
        numbers += [draw.below(q) for _ in range(5)]
        numbers += [dropped * draw.below(q // dropped) + middle + near * draw.below(2)]
        numbers = [number for number in numbers if not is_open(number, primes, kept)]
        if primes - kept == 1:
            assert len(numbers) >= 12
        family.add(
            f"round-{primes}-{kept}",
            "rlwe.round",
            "RLW-001 RLW-010",
            "both sides of the middle, both ends, and some between",
            {
                "lattice": lattice(primes, kept, 32),
                "residues": by_prime(numbers, PRIMES[:primes]),
            },
            flags="positive unlucky",
            seed=draw.label,
        )


def _decodings(family: Family) -> None:
    for ring, kept in ((32, 2), (40, 3), (46, 3), (64, 4)):
        draw = LabelledStream(f"lattice/decode-{ring}")
        q, top = prod(PRIMES[:kept]), 1 << ring
        messages = [0, 1, top // 2, top - 1, *(draw.below(top) for _ in range(4))]
        numbers = []
        for message in messages:
            for off in (Fraction(0), Fraction(7, 16), Fraction(-7, 16)):
                numbers.append(int((message + off) * q / top) % q)
        family.add(
            f"decode-{ring}",
            "rlwe.decode",
            "RLW-001 RLW-012",
            "messages by themselves and nearly half a unit off, wrapping at both ends",
            {"lattice": lattice(10, kept, ring), "residues": by_prime(numbers, PRIMES[:kept])},
            flags="positive unlucky",
            seed=draw.label,
        )


@dataclass(frozen=True)
class Sizes:
    """A toy product: its matrix, the uses of both blocks, and its primes if not the fewest."""

    slug: str
    comment: str
    ring: int
    rows: int
    columns: int
    uses: tuple[tuple[int, int], tuple[int, int]]
    secrets: int = 2
    moduli: tuple[int, int] | None = None
    extreme: bool = False
    sharp: bool = False

    @property
    def outputs(self) -> int:
        """A number of outputs that holds two such answers."""
        return 2 * self.columns * sum(end - first for first, end in self.uses)


SIZES = (
    Sizes("one-group", "one group, which is not full", 32, 3, 5, ((0, 2), (1, 3))),
    Sizes("groups", "two full groups and a row, in 46 bits", 46, 9, 9, ((0, 1), (0, 1))),
    Sizes(
        "column", "65 rows of one column: a group of 64, and one of 1", 40, 65, 1, ((0, 1), (0, 2))
    ),
    Sizes(
        "pieces",
        "rows longer than the degree: two pieces, four secrets",
        34,
        2,
        66,
        ((0, 1), (0, 1)),
        4,
    ),
    Sizes(
        "other-side",
        "a key with secrets that only the longer side needs",
        40,
        5,
        3,
        ((0, 1), (0, 1)),
        4,
    ),
    Sizes("apart", "uses that have no row in common", 53, 4, 7, ((0, 1), (2, 3))),
    Sizes("one-block", "a block of which nothing is wanted", 36, 4, 3, ((0, 0), (1, 3))),
    Sizes(
        "more-primes",
        "more primes than the matrix needs, for another of the session",
        33,
        3,
        4,
        ((0, 1), (0, 1)),
        2,
        (7, 4),
    ),
    Sizes(
        "extreme",
        "all entries, errors and floods at their ends",
        64,
        4,
        6,
        ((0, 2), (0, 2)),
        2,
        None,
        True,
    ),
    Sizes(
        "sharp",
        "a prime dropped; a change of a number of c0, or of one of c1, by 1 is a change after it",
        32,
        3,
        4,
        ((0, 1), (0, 1)),
        2,
        (7, 6),
        False,
        True,
    ),
)


@dataclass(frozen=True)
class Product:
    """All that goes into a product, and what comes out on the way."""

    head: dict[str, Any]
    secrets: Rows
    public: str
    groups: list[str]
    answer: dict[str, Any]
    sent: str


def _whole_product(rows: Family, answers: Family, sizes: Sizes) -> Product:
    """The cases of one product, from the key to the shares."""
    draw = LabelledStream(f"lattice-rows/{sizes.slug}")
    moduli = sizes.moduli or _primes(TOY, sizes.ring, sizes.rows, sizes.outputs)
    assert moduli is not None
    numbers = lattice(*moduli, sizes.ring)
    head = {
        "lattice": numbers,
        "matrix": {
            "rows": sizes.rows,
            "columns": sizes.columns,
            "outputs": sizes.outputs,
            "secrets": sizes.secrets,
        },
    }
    width, top = 2 * sizes.columns, 1 << sizes.ring

    def errors(count: int) -> list[int]:
        return (
            [draw.one_of([-21, 21]) for _ in range(count)]
            if sizes.extreme
            else _errors(draw, count)
        )

    def entries(count: int, length: int) -> Rows:
        ends = [0, top - 1, top // 2, top // 2 - 1]
        return [
            [draw.one_of(ends) if sizes.extreme else draw.below(top) for _ in range(length)]
            for _ in range(count)
        ]

    def short() -> list[int]:
        return [draw.one_of([-1, 1]) for _ in range(DEGREE)] if sizes.extreme else _ternary(draw)

    secrets = [short() for _ in range(sizes.secrets)]
    given: dict[str, Any] = {
        "lattice": numbers,
        "seed": draw.bytes(32),
        "secrets": secrets,
        "errors": [errors(DEGREE) for _ in secrets],
    }
    rows.add(
        f"key-{sizes.slug}",
        "rlwe.key",
        "RLW-002 RLW-003 RLW-004",
        f"the public key: {sizes.comment}",
        given,
        seed=draw.label,
    )
    public = rows.cases[-1]["expect"]["out"]["public"]
    seed_of_key = given["seed"]

    asked = {"suite": TOY, "rows": sizes.rows, "columns": sizes.columns, "entries": []}
    groups = int(ask("rlwe.place", asked)["groups"])
    own, theirs = entries(sizes.rows, width), entries(sizes.rows, width)
    given = {
        **head,
        "secrets": secrets,
        "entries": theirs,
        "seeds": [draw.bytes(32) for _ in range(groups)],
        "errors": [errors(width) for _ in range(sizes.rows)],
    }
    rows.add(
        f"encrypt-{sizes.slug}",
        "rlwe.encrypt",
        "RLW-002 RLW-003 RLW-006 RLW-015",
        f"encrypted rows: {sizes.comment}",
        given,
        seed=draw.label,
    )
    _show_bare(rows.cases[-1])
    sent = rows.cases[-1]["expect"]["out"]["groups"]
    seeds = given["seeds"]
    folding = {**head, "groups": sent, "own": own}
    rows.add(
        f"fold-{sizes.slug}",
        "rlwe.fold",
        "RLW-003 RLW-014",
        f"the peer's own share: {sizes.comment}",
        folding,
        seed=draw.label,
    )
    primes = PRIMES[: moduli[0]]
    folded = matrix(rows.cases[-1]["expect"]["out"]["residues"])

    draw = LabelledStream(f"lattice-answers/{sizes.slug}")
    x = entries(max(end for _, end in sizes.uses), sizes.rows)
    chosen = sorted({row for first, end in sizes.uses for row in range(first, end)})
    flood = 1 << int(
        ask(
            "rlwe.moduli",
            {"suite": TOY, "ring": sizes.ring, "matrices": [[sizes.rows, sizes.outputs]]},
        )["floods"][0]
    )

    def blocks(make: Any) -> list[Rows]:
        return [
            [[make() for _ in range(sizes.columns)] for _ in range(first, end)]
            for first, end in sizes.uses
        ]

    given = {
        **head,
        "public": public,
        "groups": sent,
        "own": own,
        "x": x,
        "uses": sizes.uses,
        "u": [short() for _ in chosen],
        "e2": [errors(DEGREE) for _ in chosen],
        "masks": blocks(lambda: draw.below(top)),
        "e1": blocks(lambda: errors(1)[0]),
        "floods": blocks(
            lambda: (
                draw.one_of([-flood, flood - 1])
                if sizes.extreme
                else draw.between(-flood, flood - 1)
            )
        ),
    }
    if sizes.sharp:
        _sharpen(given, [seed_of_key, *seeds], folded, primes, sizes)
    steps = _steps(given, [seed_of_key, *seeds], folded, primes, sizes)
    for name in ("first", "numbers"):
        assert not any(is_open(c, *moduli) for c in joined(steps[name], primes)), sizes.slug
    answers.add(
        f"answer-{sizes.slug}",
        "rlwe.answer",
        "RLW-002 RLW-003 RLW-008 RLW-009 RLW-010 RLW-011 RLW-014 RLW-015 RLW-016",
        f"the answer: {sizes.comment}",
        given,
        seed=draw.label,
        shows=steps,
        flags="positive unlucky" if sizes.extreme or sizes.sharp else None,
    )
    out = answers.cases[-1]["expect"]["out"]
    opening = {**head, "secrets": secrets, "uses": sizes.uses, "answer": out["answer"]}
    answers.add(
        f"decrypt-{sizes.slug}",
        "rlwe.decrypt",
        "RLW-003 RLW-011 RLW-012 AHE-002",
        f"the owner's shares: {sizes.comment}",
        opening,
        seed=draw.label,
        shows={"phases": _phases(opening, chosen, moduli[1], sizes)},
        flags="positive unlucky" if sizes.extreme else None,
    )
    shares = answers.cases[-1]["expect"]["out"]["shares"]
    for block, (first, end) in enumerate(sizes.uses):
        for row in range(first, end):
            for h in range(sizes.columns):
                at = block * sizes.columns + h
                due = sum(x[row][j] * (own[j][at] + theirs[j][at]) for j in range(sizes.rows))
                both_shares = int(shares[block][row - first][h])
                both_shares += int(out["shares"][block][row - first][h])
                assert both_shares % top == due % top, "the shares are those of the product"
    return Product(head, secrets, public, sent, given, out["answer"])


def _show_bare(case: dict[str, Any]) -> None:
    """Add to a case of encrypted rows its numbers before the encodings were added."""
    given, entries = case["in"], case["in"]["entries"]
    head = {"lattice": given["lattice"], "matrix": given["matrix"]}
    nothing = [["0"] * len(row) for row in entries]
    groups = case["expect"]["out"]["groups"]
    sent = ask("rlwe.fold", {**head, "groups": groups, "own": nothing})["residues"]
    messages = [entry for row in entries for entry in row]
    encoded = ask("rlwe.encode", {"lattice": given["lattice"], "messages": messages})["residues"]
    case["steps"] = shown(
        {
            "bare": [
                [(c - message) % p for c, message in zip(row, taken, strict=True)]
                for row, taken, p in zip(matrix(sent), matrix(encoded), PRIMES, strict=False)
            ]
        }
    )


def _steps(
    given: Any, seeds: list[bytes], folded: Rows, primes: Sequence[int], sizes: Sizes
) -> dict[str, Rows]:
    """The numbers of an answer before they are rounded, put together from other operations."""
    numbers, some = given["lattice"], len(primes)
    places = list(range(DEGREE))
    a, *c1 = (
        matrix(ask("rlwe.expand", {"lattice": numbers, "seed": seed, "places": places})["residues"])
        for seed in seeds
    )
    size, top = 8 * some * ((DEGREE + 2) // 3), 1 << sizes.ring
    public = bytes.fromhex(given["public"])[32:]
    b = [
        matrix(
            ask(
                "rlwe.unpack",
                {"lattice": numbers, "count": DEGREE, "bytes": public[at : at + size]},
            )["residues"]
        )
        for at in range(0, len(public), size)
    ]

    def times(polynomial: Rows, ternary: list[int]) -> Rows:
        asked = {"lattice": numbers, "polynomial": polynomial, "ternary": ternary}
        return matrix(ask("rlwe.times", asked)["residues"])

    asked = {"suite": TOY, "rows": sizes.rows, "columns": sizes.columns, "entries": []}
    g = int(ask("rlwe.place", asked)["size"])
    lift = [[(n + top // 2) % top - top // 2 for n in row] for row in given["x"]]
    chosen = sorted({row for first, end in sizes.uses for row in range(first, end)})
    sums: Rows = [[] for _ in primes]
    firsts: Rows = [[] for _ in primes]
    hidden = {}
    for at, row in enumerate(chosen):
        u = given["u"][at]
        hidden[row] = [times(one, u) for one in b]
        own = times(a, u)
        for number, p in enumerate(primes):
            total = [0] * DEGREE
            for j, value in enumerate(lift[row]):
                shift = j % g * (DEGREE // g)
                one = c1[j // g][number]
                turned = [*one[shift:], *(-n for n in one[:shift])]
                total = [(v + value * w) % p for v, w in zip(total, turned, strict=True)]
            sums[number] += total
            firsts[number] += [
                (v + w + e) % p for v, w, e in zip(total, own[number], given["e2"][at], strict=True)
            ]
    listed: Rows = [[] for _ in primes]
    for block, (first, end) in enumerate(sizes.uses):
        for row in range(first, end):
            masks = given["masks"][block][row - first]
            encoded = matrix(
                ask("rlwe.encode", {"lattice": numbers, "messages": masks})["residues"]
            )
            for number, p in enumerate(primes):
                for h in range(sizes.columns):
                    place = block * sizes.columns + h
                    total_c0 = sum(
                        value * folded[number][2 * sizes.columns * j + place]
                        for j, value in enumerate(lift[row])
                    )
                    secret = h // DEGREE * 2 + block
                    total_c0 += hidden[row][secret][number][h % DEGREE]
                    total_c0 += given["e1"][block][row - first][h] + encoded[number][h]
                    total_c0 += given["floods"][block][row - first][h]
                    listed[number].append(total_c0 % p)
    return {"sums": sums, "first": firsts, "numbers": listed}


def _sharpen(
    given: dict[str, Any],
    seeds: list[bytes],
    folded: Rows,
    primes: Sequence[int],
    sizes: Sizes,
) -> None:
    """Change u, an error of c1 and all floods so that numbers are next to the middle between two.

    One prime is dropped, and X has one row. u is the first of a stream with which a coefficient of
    c1 is so near to the middle that an error brings it there.
    """
    p = primes[-1]
    half = p // 2

    def off(numbers: Iterable[int]) -> list[int]:
        """What to add to numbers so that they round up, and by one less down."""
        return [(half + 1 - number + half) % p - half for number in numbers]

    sums = _steps(given, seeds, folded, primes, sizes)["sums"][-1]
    asked = {"lattice": given["lattice"], "seed": seeds[0], "places": list(range(DEGREE))}
    a = matrix(ask("rlwe.expand", asked)["residues"])[-1]

    def found() -> Iterator[tuple[list[int], int, int]]:
        """Each u with which an error above 0 brings a coefficient to the middle, and these two."""
        for trial in itertools.count():
            draw = LabelledStream(f"lattice-answers/{sizes.slug}-{trial}")
            u = [byte % 3 - 1 for byte in draw.bytes(DEGREE)]
            bare = [
                sums[at]
                + sum(a[at - i] * u[i] if i <= at else -a[at - i] * u[i] for i in range(DEGREE))
                for at in range(DEGREE)
            ]
            yield from ((u, at, error) for at, error in enumerate(off(bare)) if 5 <= error <= 21)

    u, at, error = next(found())
    given["u"], given["e2"][0][at] = [u], error
    moves = iter(off(_steps(given, seeds, folded, primes, sizes)["numbers"][-1]))
    given["floods"] = [
        [[flood + next(moves) for flood in row] for row in block] for block in given["floods"]
    ]


def _phases(given: Any, chosen: list[int], kept: int, sizes: Sizes) -> Rows:
    """What is decoded in a decryption, put together from other operations."""
    wanted = sizes.columns * sum(end - first for first, end in sizes.uses)
    assert kept > 1, "a lattice has at least two primes"
    numbers = {**given["lattice"], "primes": kept, "kept": 1}
    count = len(chosen) * DEGREE + wanted
    table = matrix(
        ask("rlwe.unpack", {"lattice": numbers, "count": count, "bytes": given["answer"]})[
            "residues"
        ]
    )
    found: Rows = [[] for _ in range(kept)]
    products = {
        (at, secret): matrix(
            ask(
                "rlwe.times",
                {
                    "lattice": numbers,
                    "polynomial": [line[at * DEGREE : (at + 1) * DEGREE] for line in table],
                    "ternary": ternary,
                },
            )["residues"]
        )
        for at in range(len(chosen))
        for secret, ternary in enumerate(given["secrets"])
    }
    place = len(chosen) * DEGREE
    for block, (first, end) in enumerate(sizes.uses):
        for row in range(first, end):
            for h in range(sizes.columns):
                one = products[chosen.index(row), h // DEGREE * 2 + block]
                for number in range(kept):
                    sum_ = table[number][place] + one[number][h % DEGREE]
                    found[number].append(sum_ % PRIMES[number])
                place += 1
    return found


def _refused_bytes(rows: Family, answers: Family) -> None:
    """Keys, groups and answers of the wrong length, or with words that are none."""
    spare_rows, spare_answers = (
        Family(family.name, family.about, OPERATIONS) for family in (rows, answers)
    )
    sizes = Sizes("refused", "two groups", 32, 5, 10, ((0, 1), (0, 2)))
    found = _whole_product(spare_rows, spare_answers, sizes)
    some, kept = (found.head["lattice"][name] for name in ("primes", "kept"))
    folding = {**found.head, "groups": found.groups, "own": found.answer["own"]}
    opening = {
        **found.head,
        "secrets": found.secrets,
        "uses": sizes.uses,
        "answer": found.sent,
    }
    ones = "ff" * 8

    def bad(text: str, at: int, primes: int) -> list[tuple[str, str, str, str]]:
        """Changes of a field of hexadecimal, the words of which begin at a byte.

        The last word has no third residue.
        """
        word = int.from_bytes(bytes.fromhex(text[-16:]), "little") + PRIMES[primes - 1] ** 2
        continued = text[:-16] + word.to_bytes(8, "little").hex()
        last = f"{text[:-16]}{ones}"
        first = f"{text[: 2 * at]}{ones}{text[2 * at + 16 :]}"
        return [
            ("cut", "a byte too few", text[:-2], "encoding"),
            ("more", "a byte too many", text + "00", "encoding"),
            ("word", "a word too many", text + "00" * 8, "encoding"),
            ("empty", "nothing", "", "encoding"),
            ("first-word", "a first word that is not reduced", first, "range"),
            ("last-word", "a last word that is not reduced", last, "range"),
            ("continued", "a continuation that is not 0", continued, "range"),
        ]

    def requirements(refuse: str) -> str:
        return "RLW-013 ERR-003" if refuse == "encoding" else "RLW-013"

    for slug, comment, public, refuse in bad(found.public, 32, some):
        answers.add(
            f"answer-key-{slug}",
            "rlwe.answer",
            requirements(refuse),
            f"a public key with {comment}",
            {**found.answer, "public": public},
            refuse=refuse,
        )
    for number in (0, 1):
        for slug, comment, group, refuse in bad(found.groups[number], 32, some):
            changed = [*found.groups]
            changed[number] = group
            rows.add(
                f"fold-group-{number}-{slug}",
                "rlwe.fold",
                requirements(refuse),
                f"group {number} with {comment}",
                {**folding, "groups": changed},
                refuse=refuse,
            )
            if slug in ("cut", "last-word", "continued"):
                answers.add(
                    f"answer-group-{number}-{slug}",
                    "rlwe.answer",
                    requirements(refuse),
                    f"group {number} with {comment}",
                    {**found.answer, "groups": changed},
                    refuse=refuse,
                )
    swapped = [found.groups[1], found.groups[0]]
    rows.add(
        "fold-groups-swapped",
        "rlwe.fold",
        requirements("encoding"),
        "a short last group in the place of a full one",
        {**folding, "groups": swapped},
        refuse="encoding",
    )
    for slug, comment, answer, refuse in bad(found.sent, 0, kept):
        answers.add(
            f"decrypt-{slug}",
            "rlwe.decrypt",
            requirements(refuse),
            f"an answer with {comment}",
            {**opening, "answer": answer},
            refuse=refuse,
        )
    words = len(found.sent) // 16 // kept
    answers.add(
        "decrypt-all-primes",
        "rlwe.decrypt",
        requirements("encoding"),
        "an answer with as many words as if a prime more were kept",
        {**opening, "answer": found.sent + "00" * 8 * words},
        refuse="encoding",
    )


def _full_degree(rows: Family) -> None:
    """Two rows at the degree in use, of three columns: bands of 64."""
    draw = LabelledStream("lattice-rows/encrypt-full")
    secrets = [[byte % 3 - 1 for byte in draw.bytes(8192)] for _ in range(2)]
    rows.add(
        "encrypt-full",
        "rlwe.encrypt",
        "RLW-001 RLW-002 RLW-006 RLW-015",
        "two rows at the full degree",
        {
            "lattice": lattice(2, 1, 40, FULL),
            "matrix": {"rows": 2, "columns": 3, "outputs": 1, "secrets": 2},
            "secrets": secrets,
            "entries": [[draw.below(1 << 40) for _ in range(6)] for _ in range(2)],
            "seeds": [draw.bytes(32)],
            "errors": [_errors(draw, 6) for _ in range(2)],
        },
        seed=draw.label,
    )
    _show_bare(rows.cases[-1])
