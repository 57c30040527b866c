# SPDX-License-Identifier: Apache-2.0
"""What a whole run puts on the wire: ciphertexts only, of public lengths, never twice, uniform.

Toy runs on three data sets of the same size: nobody rated anything, everybody rated everything, and
something between. Uniformity is Pearson's chi-square of byte values, with coins that are fixed: a
test either passes always or never.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ppmf_reference import fixed, rating_code
from ppmf_secure.arrays import Bits, Bytes, Words
from ppmf_secure.primitives.circuits.wire_labels import permute_bits
from ppmf_secure.primitives.encryption.paillier.slots import Slots
from ppmf_secure.protocols import output
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.transcript import read
from ppmf_spec import wire
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, USERS
from ppmf_spec.wire import FieldClass
from tests.support import lattice_by_hand
from tests.support.chi_square import bytes_deviate
from tests.support.ideal import ideal_suite
from tests.support.lengths import BOTH, Sizes, message_lengths
from tests.support.parameter_sets import OTHER_STEP_RULES
from tests.support.ratings import ratings_of
from tests.support.toy_runs import run_toy

pytestmark = pytest.mark.no_cover  # many whole runs, whose lines other tests reach

N_USERS, N_ITEMS = 4, 5
PAILLIER, LATTICE = "paillier-512-insecure", "rlwe-64-insecure"

CASES = {
    "default": Parameters(rank=2, iterations=2),
    "no bias": Parameters(rank=2, iterations=2, bias=False),
    **OTHER_STEP_RULES,
    "count, l1, no bias": Parameters(
        rank=2, iterations=1, step_rule="count", bias=False, l1=Fraction(1, 2)
    ),
    "l1": Parameters(rank=2, iterations=2, l1=Fraction(3, 4)),
    "binary": Parameters(
        rank=2, iterations=1, regulariser="binary-elastic-net", ridge=Fraction(2), l1=Fraction(1, 2)
    ),
    "inner steps": Parameters(rank=2, iterations=2, inner_steps=2),
    "inner steps, binary, count": Parameters(
        rank=1,
        iterations=2,
        inner_steps=2,
        step_rule="count",
        regulariser="binary-elastic-net",
        ridge=Fraction(2),
    ),
}
OVER_PAILLIER = ("default", "no bias", "inner steps, binary, count")
OVER_LATTICES = ("default", "no bias")
REAL = [(case, PAILLIER) for case in OVER_PAILLIER] + [(case, LATTICE) for case in OVER_LATTICES]
RUNS = [(case, "ideal") for case in CASES] + REAL

DATA = {
    "nobody": {},
    "everything": {(i, j): (4, -5)[(i + j) % 2] for i in range(N_USERS) for j in range(N_ITEMS)},
    "some": {(0, 0): 4, (0, 3): -5, (2, 1): 1, (3, 4): -2},
}

Transcripts = dict[str, list[tuple[str, str, bytes]]]
"""By party: direction, peer, message, in that party's order."""


@cache
def transcripts(case: str, suite_name: str, data: str, coins: str = "coins") -> Transcripts:
    chosen = ideal_suite() if suite_name == "ideal" else cipher_suite(suite_name)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ratings = ratings_of(N_USERS, N_ITEMS, DATA[data])
        run_toy(ratings, CASES[case], chosen, label=coins, transcripts=folder)
        return {
            party: [
                (r.direction, r.peer, r.message) for r in read(folder / party / f"{party}.cborseq")
            ]
            for party in (RECSYS, CSP, USERS)
        }


def shape(seen: Transcripts) -> dict[str, list[tuple[str, str, str, int]]]:
    return {
        party: [
            (direction, peer, wire.decode(message).message.name, len(message))
            for direction, peer, message in records
        ]
        for party, records in seen.items()
    }


def sent(seen: Transcripts) -> Iterator[tuple[str, str, wire.Message]]:
    for party, records in seen.items():
        for direction, peer, message in records:
            if direction == "sent":
                yield party, peer, wire.decode(message).message


def fields(seen: Transcripts, *classes: FieldClass) -> Iterator[tuple[str, bytes]]:
    """(message name, value) of the fields of these classes, each once where it is first sent."""
    for _, _, message in sent(seen):
        if isinstance(message, wire.Closing):
            continue  # what users sent before
        for _, field_class, value in message.fields_with_class():
            if field_class in classes:
                assert isinstance(value, bytes)
                yield message.name, value


@pytest.mark.req(
    "PPMF-RUN-010",
    "PPMF-RUN-011",
    "PPMF-WIR-008",
    "PPMF-PRD-002",
    "PPMF-PRD-003",
    "PPMF-PRD-004",
    "PPMF-PRD-005",
    "PPMF-STP-002",
    "PPMF-STP-003",
    "PPMF-HST-004",
    "PPMF-HST-005",
    "PPMF-GCB-003",
    "PPMF-GCB-009",
)
@pytest.mark.parametrize(("case", "suite_name"), RUNS)
def test_messages_and_lengths_are_those_predicted_whatever_the_ratings(
    case: str, suite_name: str
) -> None:
    shapes = [shape(transcripts(case, suite_name, data)) for data in DATA]
    assert shapes[0] == shapes[1] == shapes[2]
    ids = [tuple(str(i + 1) for i in range(count)) for count in (N_USERS, N_ITEMS)]
    predicted = message_lengths(CASES[case], ids[0], ids[1], suite_name)
    for way in (*BOTH, (CSP, USERS), (USERS, RECSYS), (USERS, CSP), (RECSYS, USERS)):
        assert [
            (name, length)
            for direction, peer, name, length in shapes[0][way[0]]
            if (direction, peer) == ("sent", way[1])
        ] == [(name, length) for *route, name, length in predicted if tuple(route) == way]


@pytest.mark.req("PPMF-RUN-011", "PPMF-WIR-008", "PPMF-RLW-006", "PPMF-RLW-011")
@pytest.mark.parametrize("bias", [True, False])
def test_lengths_where_rows_take_several_lattice_ciphertexts(bias: bool) -> None:
    """70 users: 140 columns in three pieces, the second with columns of both blocks."""
    params = Parameters(rank=1, iterations=2, bias=bias)
    ratings = ratings_of(70, 2, {(0, 0): 4, (69, 1): -5})
    with tempfile.TemporaryDirectory() as name:
        profiles = run_toy(ratings, params, cipher_suite(LATTICE), transcripts=Path(name))
        written = [r.message for r in read(Path(name) / "csp/csp.cborseq") if r.direction == "sent"]
    assert profiles == fixed.train(ratings, params)
    predicted = message_lengths(params, ratings.users, ratings.items, LATTICE)
    assert sorted(map(len, written)) == sorted(size for one, *_, size in predicted if one == CSP)


@pytest.mark.parametrize(("case", "suite_name"), RUNS)
def test_every_party_receives_what_its_peer_sent(case: str, suite_name: str) -> None:
    seen = transcripts(case, suite_name, "some")
    for me, records in seen.items():
        for peer in seen:
            mine = [m for direction, to, m in records if (direction, to) == ("sent", peer)]
            theirs = [m for way, who, m in seen[peer] if (way, who) == ("received", me)]
            assert mine == theirs


@pytest.mark.req("PPMF-FIX-042", "PPMF-OUT-002", "PPMF-GCB-009", "PPMF-WIR-006", "PPMF-WIR-007")
@pytest.mark.parametrize(("case", "suite_name"), RUNS)
def test_v_alone_is_opened_and_last(case: str, suite_name: str) -> None:
    seen = transcripts(case, suite_name, "everything")
    assert shape(seen)[CSP][-1][:3] == ("sent", RECSYS, "output-share")
    assert shape(seen)[RECSYS][-1][:3] == ("received", CSP, "output-share")
    openings = 0
    for sender, receiver, message in sent(seen):
        assert (sender, receiver) in message.routes
        for _, field_class, _ in message.fields_with_class():
            assert field_class is not FieldClass.LABEL
            openings += field_class is FieldClass.OUTPUT_SHARE
    assert openings == 1


@pytest.mark.req("PPMF-OUT-001", "PPMF-OUT-003")
@pytest.mark.parametrize("case", ["default", "no bias"])
def test_the_output_share_opens_to_v(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """V taken by hand from RecSys' colours and the bits of the last message."""
    colours: list[Words] = []

    def watched(labels: Words) -> Bits:
        bits = permute_bits(labels)
        colours.append(bits.astype(np.uint64))
        return bits

    monkeypatch.setattr(output, "colours", watched)
    params, label = CASES[case], "opened by hand"
    with tempfile.TemporaryDirectory() as name:
        ratings = ratings_of(N_USERS, N_ITEMS, DATA["some"])
        profiles = run_toy(ratings, params, ideal_suite(), label=label, transcripts=Path(name))
        *_, last = read(Path(name) / "recsys/recsys.cborseq")
    assert profiles == fixed.train(ratings, params)
    message = wire.decode(last.message).message
    assert isinstance(message, wire.OutputShare)
    (mine,) = colours
    elements = params.row_rank * N_ITEMS
    for item in range(N_ITEMS):
        for k in range(params.row_rank):
            value = 0
            for t in range(params.word_bits):
                place = t * elements + k * N_ITEMS + item
                bit = message.bits[place // 8] >> place % 8 & 1 ^ int(mine[t, k * N_ITEMS + item])
                value += bit << t if t < params.word_bits - 1 else -(bit << t)
            if k < params.rank:
                assert profiles.factors[item][k] == value
            else:
                assert profiles.bias is not None
                assert profiles.bias[item] == value


def pieces(seen: Transcripts) -> list[bytes]:
    """What must never repeat: ciphertexts, blocks of columns and tables, payloads, masked rows."""
    found = []
    for _, value in fields(seen, FieldClass.PK_CIPHERTEXT, FieldClass.HE_CIPHERTEXT):
        found += [value[at : at + 128] for at in range(0, len(value), 128)]
    for name, value in fields(seen, FieldClass.OT, FieldClass.GARBLED_TABLE, FieldClass.MASKED):
        size = len(value) if name == "transfer-payload" else 16
        found += [value[at : at + size] for at in range(0, len(value), size)]
    return found


@pytest.mark.req(
    "PPMF-AHE-006", "PPMF-OTE-006", "PPMF-UPL-014", "PPMF-RLW-004", "PPMF-RLW-006", "PPMF-RLW-008"
)
@pytest.mark.parametrize(("case", "suite_name"), REAL)
def test_nothing_is_ever_repeated(case: str, suite_name: str) -> None:
    """Neither within a run, nor in a run with other coins, nor in one on other ratings."""
    runs = [
        transcripts(case, suite_name, "nobody"),
        transcripts(case, suite_name, "nobody", "other coins"),
        transcripts(case, suite_name, "everything", "third coins"),
    ]
    found = [piece for run in runs for piece in pieces(run)]
    assert len(found) > 10_000
    assert len(found) == len(set(found))


@pytest.mark.parametrize("suite_name", [PAILLIER, LATTICE])
def test_other_coins_give_other_bytes_of_the_same_lengths(suite_name: str) -> None:
    one = transcripts("default", suite_name, "some")
    other = transcripts("default", suite_name, "some", "other coins")
    assert shape(one) == shape(other)
    classes = set(FieldClass) - {FieldClass.PUBLIC, FieldClass.OUTPUT_SHARE}
    pairs = list(zip(fields(one, *classes), fields(other, *classes), strict=True))
    assert all(mine != theirs for mine, theirs in pairs)


@pytest.mark.parametrize("data", ["nobody", "everything"])
@pytest.mark.parametrize("field_class", [FieldClass.OT, FieldClass.GARBLED_TABLE])
def test_masked_bytes_look_uniform(data: str, field_class: FieldClass) -> None:
    runs = [transcripts("default", PAILLIER, data, coins) for coins in ("coins", "c2", "c3", "c4")]
    by_message: dict[str, bytes] = {}
    for run in runs:
        for name, value in fields(run, field_class):
            by_message[name] = by_message.get(name, b"") + value
    assert by_message
    for name, value in by_message.items():
        assert not bytes_deviate(value), name


@pytest.mark.req("PPMF-RLW-003", "PPMF-RLW-006", "PPMF-RLW-008")
@pytest.mark.parametrize("data", ["nobody", "everything"])
def test_lattice_ciphertexts_look_uniform(data: str) -> None:
    """Residues by which 256th of [0, p) they lie in; of the seeds, which are few, none twice."""
    seeds: list[bytes] = []
    found = {"encrypted-rows": b"", "product-answer": b""}
    primes, kept = Sizes(CASES["default"], N_USERS, N_ITEMS, LATTICE).moduli
    for coins in ("coins", "c2", "c3"):
        for _, _, message in sent(transcripts("default", LATTICE, data, coins)):
            if isinstance(message, wire.EncryptedRows):
                rows, width = N_ITEMS, N_USERS
                if message.packing == "items":
                    rows, width = width, rows
                shape = lattice_by_hand.Shape(64, rows, width, 1, (range(1), range(1)))
                at = 0
                for group in range(message.first, shape.groups):
                    stop = (
                        at + 32 + 8 * primes * -(-2 * shape.width * len(shape.rows_of(group)) // 3)
                    )
                    seeds.append(message.rows[at : at + 32])
                    packed = message.rows[at + 32 : stop]
                    found[message.name] += cells(packed, lattice_by_hand.PRIMES[:primes])
                    at = stop
                assert at == len(message.rows)
            elif isinstance(message, wire.ProductAnswer):
                found[message.name] += cells(message.answer, lattice_by_hand.PRIMES[:kept])
    assert len(set(seeds)) == len(seeds)
    for value in found.values():
        assert not bytes_deviate(value)


def cells(packed: bytes, primes: tuple[int, ...]) -> bytes:
    """One byte a residue, of the first two in each word: the third may be a continuation."""
    words = np.frombuffer(packed, dtype="<u8").reshape(len(primes), -1)
    modulus = np.array(primes, dtype=np.uint64)[:, None]
    residues = np.concatenate([words % modulus, words // modulus % modulus], axis=1)
    return (residues * np.uint64(256) // modulus).astype(np.uint8).tobytes()


@pytest.mark.req("PPMF-UPL-011")
def test_masked_bits_are_independent_of_the_ratings() -> None:
    """Under equal coins two uploads differ by their bits, a one-time pad; under others by noise."""

    def masked(data: str, *coins: str) -> Bytes:
        run = transcripts("default", PAILLIER, data, *coins)
        sent = b"".join(value for _, value in fields(run, FieldClass.MASKED))
        return np.frombuffer(sent, dtype=np.uint8)

    nobody = masked("nobody")
    both = (masked("everything") ^ nobody).reshape(N_USERS, -1)
    everything = DATA["everything"]
    for row, plain in enumerate(both):
        ratings = rating_code.row(plain.tobytes(), N_ITEMS, Parameters())
        assert ratings == {item: everything[row, item] for item in range(N_ITEMS)}
    noise = np.unpackbits(masked("everything", "c2") ^ nobody)
    assert 0.25 < noise.mean() < 0.75


@pytest.mark.req("PPMF-SEC-004")
def test_until_the_conversion_nothing_to_csp_depends_on_the_masked_bits() -> None:
    """Under equal coins RecSys sends CSP the same bytes, whatever bits users mask."""

    def before_the_conversion(data: str) -> list[bytes]:
        found: list[bytes] = []
        for direction, peer, message in transcripts("default", PAILLIER, data)[RECSYS]:
            if (direction, peer) == ("sent", CSP):
                if isinstance(wire.decode(message).message, wire.TransferColumns):
                    return found
                found.append(message)
        raise AssertionError("a run has a conversion")

    one, other = map(before_the_conversion, ("nobody", "everything"))
    names = [wire.decode(message).message.name for message in one]
    assert names == ["closing", "server-key", "base-request", "base-answer"]
    assert one == other


@pytest.mark.req("PPMF-AHE-007", "PPMF-AHE-010")
@pytest.mark.parametrize("data", ["nobody", "everything"])
def test_what_the_servers_decrypt_is_uniform(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All slots of the products of four runs, RecSys' and CSP's: over the mask's whole range.

    The shares in them would be uniform even under a short mask, as those of the columns are.
    """
    slots: list[bytes] = []
    shares: list[int] = []
    original = Slots.unpack

    def watched(self: Slots, plaintext: int, used: int) -> list[int]:
        for slot in range(used):
            value = plaintext >> self.width * slot & (1 << self.width) - 1
            assert value >> (self.width - 1) == 0, "v + rho has no bit more than rho, almost surely"
            slots.append((value >> (self.width - 1 - 120)).to_bytes(15, "big"))
        found = original(self, plaintext, used)
        shares.extend(found)
        return found

    monkeypatch.setattr(Slots, "unpack", watched)
    ratings = ratings_of(N_USERS, N_ITEMS, DATA[data])
    for coins in ("d1", "d2", "d3", "d4"):
        run_toy(ratings, CASES["default"], cipher_suite(PAILLIER), label=coins)
    assert not bytes_deviate(b"".join(slots))
    assert not bytes_deviate(b"".join(slot[:2] for slot in slots))
    lowest = np.array(shares, dtype=np.uint64).astype("<u4")  # no ring is narrower
    assert not bytes_deviate(lowest.tobytes())
    assert len(set(shares)) == len(shares)
