# SPDX-License-Identifier: Apache-2.0
"""The figures of chapter 6 that follow from others are computed anew."""

from __future__ import annotations

import re
from collections import Counter
from math import ceil, log2, pi
from pathlib import Path

import pytest

from ppmf_costs.counts import PublicSize, count_run
from ppmf_secure.primitives.base_transfers import ORDER, TRANSFERS
from ppmf_secure.primitives.encryption.lattice.layout import AnswerShape
from ppmf_secure.primitives.encryption.lattice.params import STANDARD, Budget
from ppmf_secure.primitives.encryption.paillier.slots import STATISTICAL_BITS, Slots
from ppmf_secure.primitives.hashing import MAX_CALLS
from ppmf_secure.protocols.ratings_product import orientations
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import SIDES
from tests.support.leaks import LEAKS

CHAPTER = Path(__file__).resolve().parents[2] / "spec" / "06-security.md"
MOVIELENS = 943, 1682


@pytest.fixture(scope="module")
def text() -> str:
    return re.sub(r"\s+", " ", CHAPTER.read_text(encoding="utf-8"))


def fresh_secrets() -> int:
    """A: of a run with the defaults at the size of MovieLens-100K, for one server."""
    params = Parameters()
    by_side = dict(zip(SIDES, orientations(params, *MOVIELENS), strict=True))
    return sum(
        len(AnswerShape.of(STANDARD.degree, orientation.layout, orientation.uses).rows)
        for half_step in range(1, 2 * params.iterations)
        for orientation in [by_side[SIDES[half_step % 2]]]
    )


def test_the_number_of_hops_in_a_lattice_suite(text: str) -> None:
    assert f"under `rlwe-8192` it is {fresh_secrets():,} for a server" in text


def test_the_advantage_is_the_sum_of_its_terms(text: str) -> None:
    """In units of 2^t: four hops of RLWE, one of AES and of Diffie-Hellman; HPKE at 125 bits."""
    others = (fresh_secrets() + 4 + 1) * 2.0**-128 + 2.0**-127.8 + 2.0**-125
    total = 3 * 2.0**-116 + others + (2 * MOVIELENS[0] + 3) * 2.0**-256
    shown = ceil(100 * total * 2.0**116) / 100
    assert f"less than ${shown:.2f} \\cdot 2^{{t - 116}}$ an epoch" in text
    assert f"an epoch: {-log2(total):.1f} bits." in text


def test_the_bits_of_the_curve(text: str) -> None:
    assert f"= 2^{{{log2(pi * ORDER / 4) / 2:.1f}}}$ additions of points" in text


def test_the_bits_that_the_hash_leaves(text: str) -> None:
    """The lemma without delta: of the calls under a key half are of what a server lacks."""
    mu = MAX_CALLS // 2
    assert f"$\\mu = 2^{{{int(log2(mu))}}}$" in text
    uniform, odd = (-log2(mu / 2.0**known + mu / 2.0**128) for known in (128, 127))
    assert uniform == 115
    assert odd == 116 - log2(3)
    assert f"$2 \\mu\\, 2^t / N = 2^{{t - {uniform:.0f}}}$" in text
    assert rf"$3 \mu\, 2^t / N = 3 \cdot 2^{{t - 116}}$, which is $2^{{t - {odd:.1f}}}$" in text
    assert f"| hash of garbled circuits, CSP's offset | {odd:.1f} |" in text
    assert f"| hash of transfers, RecSys' offset | {uniform:.0f} |" in text
    assert f"about **{int(odd)} bits of computational security" in text
    known_attack = 128 - log2(mu)
    assert f"$\\mu\\, 2^t / N = 2^{{t - {known_attack:.0f}}}$" in text
    assert known_attack - uniform == 1
    assert f"one bit for RecSys' offset, and {known_attack - odd:.1f} for CSP's" in text


def test_the_lemma_holds_for_vectors_of_the_defaults(text: str) -> None:
    beta = -(-Parameters().row_rank // 2)
    assert f"$\\beta$ is half the length of a vector, rounded up: {beta} with the defaults" in text
    assert 6 * beta * 2.0**116 / 2.0**128 < 0.01
    assert (1 + beta) * 2.0**116 <= 2.0**127


def test_how_often_a_run_hashes_and_what_it_adds(text: str) -> None:
    """Four labels a gate; both keys of a transfer for every two words of pads, or for a plane."""
    work: Counter[str] = Counter()
    tally = count_run(Parameters(), PublicSize.numbered(*MOVIELENS), cipher_suite("rlwe-8192"))
    for (_, primitive), amount in tally.work.items():
        work[primitive] += amount
    calls = 4 * work["gates"] + work["pads"] + 2 * work["planes"]
    assert 2**26 < calls < 2**28
    assert "for the $2^{26}$ to $2^{28}$ hashes of a run" in text
    keys, mu = work["hash_keys"], MAX_CALLS // 2
    assert 2**15 < keys < 2**16
    assert keys**2 / 2**129 < 2.0**-95
    assert 9 * keys * mu**2 / 2**128 < 2.0**-85
    assert 2 * calls * 3 * mu / 2**128 < 2.0**-85
    assert "with less than $2^{16}$ batches and $2^{28}$ hashes under an offset" in text
    assert text.count("less than $2^{-85}$") == 2
    assert "equal keys add less than $2^{-95}$" in text
    blocks = work["transfers"] / TRANSFERS  # of each keystream of columns
    assert TRANSFERS * blocks**2 / 2**129 < 2.0**-84
    assert "less than $2^{-84}$ for a run" in text


def test_collisions_of_coins(text: str) -> None:
    assert "less than $2^{-70}$ for a stream of 8 GB" in text
    assert (8e9 / 16) ** 2 / 2**129 < 2.0**-70


def test_the_distances_of_the_budget() -> None:
    """Masks over sums, floods over noise: a shift by v of a range r is v / r away."""
    for orientation in orientations(Parameters(), *MOVIELENS):
        layout = orientation.layout
        width = Slots.of(3072, layout).width
        largest = 2**layout.ring_bits - 1
        sums = layout.rows * largest * 2 * largest  # a share of X times both shares of M
        assert layout.outputs * sums / 2 ** (width - 1) <= 2.0**-STATISTICAL_BITS
        budget = Budget.of(STANDARD, layout)
        assert layout.outputs * budget.noise / 2 ** (budget.flood_bits + 1) <= 2.0**-41


def test_how_many_leaks_there_are(text: str) -> None:
    assert len(LEAKS) == 32
    assert f"in {len(LEAKS)} places" in text


def test_every_leak_that_the_chapter_names_is_tried(text: str) -> None:
    table = text.split("| a leak it finds |")[1].split("Three of these")[0]
    rows = re.findall(r"\| ([^|]+) \| ([^|]+) \| ([^|]+) \|", table.split("|---|---|---|")[1])
    named = {name.strip() for *_, names in rows for name in names.replace("`", "").split(";")}
    assert len(rows) == 16
    assert named <= {leak.name for leak in LEAKS}
