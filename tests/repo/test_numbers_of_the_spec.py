# SPDX-License-Identifier: Apache-2.0
"""Numbers that the prose derives from others are computed anew, and looked for in the text.

A claim is a snippet of a chapter in which every `#` is a number that follows from something else,
with the function that computes these. A text or a program that changes fails here. The last test
goes the other way: in the chapters it reads, every larger number is claimed, or known to be none
that follows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, log2, sqrt
from pathlib import Path

import pytest

import tests.support.derived_numbers as derived
from ppmf_conformance.cases import shipped
from ppmf_secure.primitives.base_transfers import ORDER, POINT_BYTES, REQUEST_BYTES
from ppmf_secure.primitives.circuits.half_gates import BATCH
from ppmf_secure.primitives.encryption.interface import Layout
from ppmf_secure.primitives.encryption.lattice.layout import LARGEST_GROUP
from ppmf_secure.primitives.encryption.lattice.params import ERROR_BOUND, STANDARD, WORD_BITS
from ppmf_secure.primitives.encryption.lattice.sampling import SEED_BYTES
from ppmf_secure.primitives.encryption.lattice.wire import WORD_BYTES
from ppmf_secure.primitives.encryption.paillier.slots import (
    STATISTICAL_BITS,
    Slots,
    term_bits,
)
from ppmf_secure.primitives.hashing import MAX_CALLS
from ppmf_secure.primitives.shares import CHUNK
from ppmf_secure.primitives.transfer_extension import columns_bytes
from ppmf_secure.protocols import transfers
from ppmf_secure.protocols.admission import DECISION_BYTES, RECORD_BYTES
from ppmf_secure.protocols.bit_products import RANGE_BYTES
from ppmf_secure.protocols.suite_choice import PAILLIER
from ppmf_secure.protocols.upload import SEAL_BYTES
from ppmf_secure.session.checkpoint import LINEAGE_BYTES
from ppmf_spec import profiles
from ppmf_spec.bounds import MAX_RING_BITS
from tests.support.text_of_the_spec import CHAPTERS, prose

ROOT = Path(__file__).resolve().parents[2]
FUNCTION, PARAMETERS, PROTOCOL, WIRE, SECURITY = (
    f"spec/{chapter.name}" for chapter in CHAPTERS[1:6]
)


@dataclass(frozen=True)
class Claim:
    """`values` gives the numbers of the snippet, as they are written, from left to right."""

    file: str
    snippet: str
    values: Callable[[], Sequence[object]]

    @property
    def text(self) -> str:
        parts = self.snippet.split("#")
        found = [str(value) for value in self.values()]
        assert len(found) == len(parts) - 1, "a number for every #"
        return "".join(a + b for a, b in zip(parts, [*found, ""], strict=True))


def read(file: str) -> str:
    return re.sub(r"\s+", " ", (ROOT / file).read_text(encoding="utf-8"))


CLAIMS = [
    Claim(
        FUNCTION,
        "($L$ is about $2^{#}$ with the defaults at 1,682 rows)",
        lambda: [derived.amplification()],
    ),
    Claim(
        PARAMETERS,
        "With the defaults and a scale from 1 to 5, 1,682 rows need # bits, 10,000 need # and a "
        "million #. Rows of more than # ratings need a larger `step_bits`",
        lambda: [*map(derived.bits, (1682, 10_000, 10**6)), derived.most_ratings()],
    ),
    Claim(
        PROTOCOL,
        "has at least $2^{#}$ transfers, ranges of $2^{#}$ of them are made by workers",
        lambda: [round(log2(2 * transfers.RANGE)), round(log2(transfers.RANGE))],
    ),
    Claim(
        PROTOCOL,
        "have at least # MiB, chunks are put together to ranges of at least # MiB of payload",
        lambda: [2 * RANGE_BYTES >> 20, RANGE_BYTES >> 20],
    ),
    Claim(
        PROTOCOL,
        "No size up to 1,000,000 users and 100,000 items needs it: with the parameters of chapter "
        "3 at their defaults and `step_bits` = #, so that every row can move, such a run has a "
        "ring of # bits, for which the ten primes suffice for up to # iterations",
        lambda: derived.largest_run()[:3],
    ),
    Claim(
        PROTOCOL,
        "With `box_bits` = 0 the ring has # bits and they suffice for up to #, with "
        "`curvature_shift` = 2 and `step_bits` = # as well # bits and for up to #.",
        lambda: derived.largest_run()[3:],
    ),
    Claim(
        PROTOCOL,
        r"A message of $\lceil (1 + t) m / 8 \rceil + #$ bytes from each user, half a round.",
        lambda: [SEAL_BYTES],
    ),
    Claim(PROTOCOL, r"$\lceil n / 8 \rceil + #\, n'$ bytes from RecSys", lambda: [RECORD_BYTES]),
    Claim(PROTOCOL, "and # bytes at 3,072 bits", lambda: [2 * 3072 // 8]),
    Claim(PROTOCOL, "here it is # bytes, and what was altered", lambda: [SEAL_BYTES]),
    Claim(
        PROTOCOL,
        r"$\sigma = 2k + # + \lceil \log_2 J \rceil + \lceil \log_2 O \rceil$",
        lambda: [Slots.of(3072, Layout(1, (1,), 1, 50)).width - 2 * 50],
    ),
    Claim(
        PROTOCOL,
        r"about $t = 2\, (# + \log_2 O)$; the last decides on the bits of all exponents together, "
        r"$\epsilon t$, about $L + 2\, (# + \log_2 O)$",
        lambda: [
            derived.least_bases(3072, 2**13) // 2 - 13,
            derived.margin_of_exponents(2**13) // 2 - 13,
        ],
    ),
    Claim(
        PROTOCOL,
        "For $L = 3072$ and $O = 2^{13}$, say, $t = #$ bases with exponents of # bits, # bits in "
        "all, will do; # bases are enough for no number of answers.",
        derived.pool,
    ),
    Claim(
        PROTOCOL,
        r"$2^{2k + # + \lceil \log_2 J \rceil}$, the mask below $2^{\sigma - 1}$, which is "
        r"$2^{#}\, O$ times as much or more. So the mask hides the sum up to a distance of "
        r"$2^{-#} / O$ an output.",
        lambda: [term_bits(50) - 2 * 50, STATISTICAL_BITS, STATISTICAL_BITS],
    ),
    Claim(
        PROTOCOL,
        r"$\log_2 q < #$ with all ten primes, and less with fewer, which is safer; the errors "
        r"below have standard deviation $\sqrt{#/2} = #$",
        lambda: [
            ceil(100 * log2(STANDARD.modulus)) / 100,
            ERROR_BOUND,
            f"{sqrt(ERROR_BOUND / 2):.2f}",
        ],
    ),
    Claim(
        PROTOCOL,
        "$k$ is at most #. A program may compute with words of # bits",
        lambda: [MAX_RING_BITS, WORD_BITS],
    ),
    Claim(PROTOCOL, "there are roots of order #, which", lambda: [2 * LARGEST_GROUP]),
    Claim(
        PROTOCOL,
        r"one more prime of this size, $\log_2 q = #$,",
        lambda: [derived.one_prime_more()],
    ),
    Claim(
        PROTOCOL,
        r"$B = #\, J\, 2^{k-1} + #\, (2N + 1) + 1$",
        lambda: [ERROR_BOUND + 1, ERROR_BOUND],
    ),
    Claim(PROTOCOL, "Errors are at most # in absolute value", lambda: [ERROR_BOUND]),
    Claim(
        PROTOCOL,
        r"shifted by at most $B \le 2^{\gamma - #} / O$",
        lambda: [derived.flood_over_noise()],
    ),
    Claim(
        PROTOCOL,
        "which is within $2^{-#} / O$ of the flood",
        lambda: [derived.flood_over_noise() + 1],
    ),
    Claim(
        PROTOCOL,
        r"A public key has $# + # l\, S \lceil N / 3 \rceil$ bytes, a group of $r$ rows "
        r"$# + # l \lceil 2 r v / 3 \rceil$, an answer $# l' \lceil A / 3 \rceil$ with",
        lambda: [SEED_BYTES, WORD_BYTES] * 2 + [WORD_BYTES],
    ),
    Claim(
        PROTOCOL,
        r"One message of $# \lceil v / 128 \rceil$ bytes from chooser to sender",
        lambda: [columns_bytes(128)],
    ),
    Claim(
        PROTOCOL, "how many bits are left: about #.", lambda: [int(derived.bits_of_the_hash()[0])]
    ),
    Claim(
        PROTOCOL,
        r"server: $# \lceil \ell E / 128 \rceil$ bytes from RecSys to CSP and $# A E$ back, by "
        r"chunks, in one round; then $# \lceil \ell' E / 128 \rceil$ bytes",
        lambda: [columns_bytes(128), 2 * 16, columns_bytes(128)],
    ),
    Claim(
        PROTOCOL,
        "Two messages each way, of # and of # bytes,",
        lambda: [f"{REQUEST_BYTES:,}", POINT_BYTES],
    ),
    Claim(
        PROTOCOL,
        r"the prime $\nu = 2^{#} - 2^{#} + 2^{#} - #$",
        lambda: [256, 224, 192, 2**256 - 2**224 + 2**192 - ORDER],
    ),
    Claim(PROTOCOL, "Elements MUST be taken in chunks of #,", lambda: [CHUNK]),
    Claim(
        PROTOCOL,
        r"a word has $\ell_0 = #$ bits, $a_W + a_R = # + #$ columns are wanted, and "
        r"$\ell_1 = \ell_2 = #$. "
        "`reciprocal` has # AND gates for a user's factors, # for an item's; `update` has # "
        r"without a prox, # with that of the elastic net at $\kappa = 1$, # with that of the "
        "binary one.",
        derived.example,
    ),
    Claim(
        PROTOCOL, "An iteration after the first then takes # rounds,", lambda: [derived.rounds()]
    ),
    Claim(
        PROTOCOL,
        "in the suite `rlwe-8192` # MB from RecSys to CSP and # MB back, in `paillier-3072` # MB "
        "and # MB.",
        lambda: [*derived.traffic("rlwe-8192"), *derived.traffic("paillier-3072")],
    ),
    Claim(
        PROTOCOL,
        "The conversion takes # MB from RecSys to CSP and # MB back, once in an epoch.",
        derived.traffic_of_the_conversion,
    ),
    Claim(
        PROTOCOL,
        "The encrypted rows of the set-up have # MB each way in the one, # MB in the other.",
        lambda: [derived.set_up("rlwe-8192"), derived.set_up("paillier-3072")],
    ),
    Claim(
        PROTOCOL,
        r"# bytes and # a checkpoint each way, one round; a new epoch's keys, base transfers, "
        r"conversion and rows; and, from a checkpoint, "
        r"$# \lceil \ell_0 D n / 128 \rceil + # \lceil \ell_0 D m / 128 \rceil$",
        lambda: [DECISION_BYTES, 8 + LINEAGE_BYTES, columns_bytes(128), columns_bytes(128)],
    ),
    Claim(
        SECURITY,
        r"at most half of the calls of PPMF-HSH-008: $\mu = 2^{#}$.",
        lambda: [int(log2(MAX_CALLS)) - 1],
    ),
    Claim(
        SECURITY,
        "| hash of garbled circuits, CSP's offset | # | the lemma above, AES-128 an ideal cipher | "
        "| hash of transfers, RecSys' offset | # |",
        lambda: [f"{bits:.1f}".removesuffix(".0") for bits in derived.bits_of_the_hash()],
    ),
    Claim(
        SECURITY,
        "Keys of each element's gate alone gain # bits",
        lambda: [int(log2(BATCH))],
    ),
    Claim(SECURITY, "it is # for a server", lambda: [f"{derived.rows_of_columns():,}"]),
    Claim(
        SECURITY,
        "| Paillier: together | at most $2^{-#}$ | the sum of both | "
        "| lattice: floods of all answers under its key | at most $2^{-#}$ |",
        lambda: [STATISTICAL_BITS - 1, derived.flood_over_noise() + 1],
    ),
    Claim(
        "README.md",
        "with Paillier keys of # bits",
        lambda: [f"{int(PAILLIER.removeprefix('paillier-')):,}"],
    ),
    Claim(
        "secure/ppmf_secure/primitives/encryption/lattice/params.py",
        "Here log2 q = #, rounded up: an eleventh prime, which makes it #,",
        lambda: [ceil(100 * log2(STANDARD.modulus)) / 100, derived.one_prime_more()],
    ),
    Claim(WIRE, "the length of the name, # bytes of session,", lambda: [derived.head(32) + 32]),
    Claim(WIRE, "1 byte each below #, 2 below #, 3 below #, 5 below $2^{32}$", derived.limits),
]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.snippet[:40])
def test_a_derived_number_equals_its_computation(claim: Claim) -> None:
    assert claim.text in read(claim.file)


def test_the_size_of_movielens_is_the_one_that_chapter_6_assumes() -> None:
    """Inequalities of its prose: calls of the hash, and collisions of blocks, at 128 bits."""
    text, calls, blocks = read(SECURITY), derived.hash_calls(), derived.keystream_blocks()
    assert "for the $2^{26}$ to $2^{28}$ hashes of a run would leave some 100 bits" in text
    assert 2**26 <= calls <= 2**28
    assert round(128 - log2(3 * calls / 2)) in (100, 101, 102)
    assert "less than $2^{-84}$ for a run of the size of MovieLens-100K" in text
    assert 128 * blocks**2 / 2**129 < 2**-84


def test_the_file_that_chapter_2_shows_is_the_file_of_its_profiles() -> None:
    shown = re.search(r"```json\n(.*?)```", (ROOT / FUNCTION).read_text(encoding="utf-8"), re.S)
    assert shown is not None
    assert profiles.dumps(profiles.loads(shown[1])) == shown[1]


NOT_DERIVED = (
    r"Apache-2\.0|(?:SHAKE|SHA|AES)-?\d+|HKDF-SHA256|X25519|Curve25519|P-256|Poly1305|SHA256",
    r"`?(?:rlwe|paillier)-\d+(?:-insecure)?`?|[Dd]egree 8192",
    # sources, and what is quoted from them
    r"(?:RFC|SP|NeurIPS|CCS|CRYPTO|S&P|EUROCRYPT|November|ePrint) [\d/-]+",
    r"Mathematical Programming 146, 2014|SIAM Journal on Imaging Sciences 9\(4\), 2016",
    r"section [\d.]+|Unicode 15\.0|U\+0020|1\(4\), 2025|deviation 3\.19|MovieLens-100K",
    r"\\log_2 q \\le 21[48]\$|21[48] (?:is quoted )?from",
    r"128 bits (?:of security against classical attacks|for `rlwe-8192`)|[^.]112 bits of security",
    # measured
    r"36 ms|0\.1 ms",
    # given: the size of an example, the ring, lengths of keys and blocks, numbers of transfers
    r"1,682 (?:rows|items)|10,000 need|943 users|3,072 bits|\$O = 2\^\{13\}|\$L = 3072",
    r"2\^\{6[34]\}|2\^\{32\}|block\* is 16 bytes|16 m \+|\^\{16\}|16\^\{t-3\}|offset's 128 bits",
    r"128 transfers of 16-byte seeds|128 bits;|(?:128|its 128) (?:pairs|choices)",
    # formulas that the tables' tests evaluate
    r"/ 128 \\rceil|\(64 - t\)",
    r"\\mathit\{col\}\(v\) = 2048|\$O \\delta \\le 2\^\{-41\}",
    r"\$32 (?:\\lceil A_n|A n|A D n)",
    # rows of the tables of parameters, which tests/spec checks, and of suites
    r"\| `[a-z0-9_-]+` \|[^|]*\|[^|]*\|[^|]*\|",
)
"""In chapters 1 to 5: numbers that are defined or quoted where they stand."""


def test_there_are_over_two_thousand_cases_as_the_pages_say() -> None:
    for page in ("README.md", "docs/index.md", "docs/validate.md"):
        assert "over two thousand" in (ROOT / page).read_text(encoding="utf-8"), page
    assert 2000 < len(shipped().cases) < 3000


@pytest.mark.parametrize("chapter", CHAPTERS[:5], ids=lambda path: path.stem)
def test_every_derived_number_of_a_chapter_is_computed_anew(chapter: Path) -> None:
    """Of numbers from 13 up and of decimals, outside requirements and programs."""
    text = re.sub(r"\s+", " ", re.sub(r"PPMF-[A-Z]+-\d+", "", prose(chapter)))
    claimed = [re.escape(claim.text) for claim in CLAIMS if ROOT / claim.file == chapter]
    known = [m.span() for known in (*claimed, *NOT_DERIVED) for m in re.finditer(known, text)]
    loose = []
    for number in re.finditer(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?", text):
        large = "." in number[0] or int(number[0].replace(",", "")) >= 13
        if large and not any(a <= number.start() and number.end() <= b for a, b in known):
            loose.append(text[max(0, number.start() - 40) : number.end() + 20])
    assert "\n".join(loose) == ""
