# SPDX-License-Identifier: Apache-2.0
"""Bytes on the wire rebuilt from chapter 4 alone, with nothing but hashes, AES and big integers."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import gmpy2
import numpy as np
import pytest
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from ppmf_secure.effects import Receive, Send
from ppmf_secure.primitives import base_transfers, hashing
from ppmf_secure.primitives.base_transfers import BaseChooser, BaseSender
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout
from ppmf_secure.primitives.encryption.lattice.scheme import RlweScheme
from ppmf_secure.primitives.encryption.paillier.keys import SecretKey
from ppmf_secure.primitives.encryption.paillier.owner import PaillierOwner
from ppmf_secure.primitives.encryption.paillier.peer import PaillierPeer
from ppmf_secure.primitives.encryption.paillier.scheme import PaillierScheme
from ppmf_secure.primitives.hashing import BatchKeys
from ppmf_secure.primitives.rating_code import RatingCode, Row
from ppmf_secure.primitives.shares import to_bits
from ppmf_secure.primitives.transfer_extension import offset_bits
from ppmf_secure.protocols import transfers as transfers_module
from ppmf_secure.protocols.bit_products import times_vectors
from ppmf_secure.protocols.conversion import Conversion
from ppmf_secure.protocols.transfers import Site, open_transfers
from ppmf_secure.protocols.upload import consent, keystream, plain_bits, upload
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.session import Session
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, Role
from ppmf_spec.wire import BaseAnswer, BaseRequest, TransferPayload
from tests.support.cbor_by_hand import by_hand
from tests.support.ideal import ideal_suite
from tests.support.p256_by_hand import ORDER, G, decode, encode, times
from tests.support.ratings import ratings_of
from tests.support.sessions import POINTS, SEALING, session_of
from tests.support.text_of_the_spec import SPEC
from tests.support.toy_runs import run_toy
from tests.support.two_servers import ideal_transfers, ideal_words, run_both

P, Q = (
    int(gmpy2.next_prime(gmpy2.mpz(start) << 192)) for start in (0xF1F2F3F4F5F6F7F8, 0xC1 << 56)
)
KEY = SecretKey(P, Q)
N = P * Q
CIPHERTEXT = 128
CHAPTER = SPEC / "04-protocol.md"


def u64(value: int) -> bytes:
    return value.to_bytes(8, "little")


def decrypt(ciphertext: bytes) -> int:
    """Paillier's own formula, without CRT."""
    order = (P - 1) * (Q - 1)
    power = int(gmpy2.powmod(int.from_bytes(ciphertext, "big"), order, N * N))
    return (power - 1) // N * int(gmpy2.invert(order, N)) % N


def ciphertexts(data: bytes) -> list[bytes]:
    return [data[at : at + CIPHERTEXT] for at in range(0, len(data), CIPHERTEXT)]


def session(
    params: Parameters | None = None,
    nonce: bytes = bytes(range(16)),
    items: tuple[str, ...] = ("7", "8", "10"),
) -> Session:
    return session_of(params or Parameters(rank=1), ("é", "ü"), items, "ideal", nonce)


@pytest.mark.req("PPMF-SES-007", "PPMF-SES-008")
def test_the_id_of_a_session() -> None:
    params = Parameters(rank=300, curvature_shift=-5, iterations=1, frac_bits=8, seed="ß")
    one = session(params)
    text = params.to_toml()
    assert "curvature_shift = -5\n" in text
    lists = [["é", "ü"], ["7", "8", "10"]]
    proposal = [text, *lists, "ideal", 2, 0, 0, [], 1, POINTS["recsys"], bytes(range(16))]
    acceptance = [POINTS["csp"], bytes(range(16)), SEALING.public]
    text_of_all = b"ppmf/v2/session/" + by_hand([proposal, acceptance])
    assert one.id == hashlib.sha256(text_of_all).digest()


@pytest.mark.req("PPMF-COD-005", "PPMF-UPL-010", "PPMF-UPL-012", "PPMF-UPL-013")
def test_the_parts_of_an_upload() -> None:
    """Three items; HMAC, HKDF and the counter are written out."""
    one = session()
    row = Row(np.array([0, 2]), np.array([-5, 4]))  # v = 0 and 9, of weights 1, 2, 4, 2
    planes = ["101", "001", "001", "001", "001"]
    number = sum(int(bit) << at for at, bit in enumerate("".join(planes)))
    assert plain_bits(one, row) == number.to_bytes(2, "little")
    name, seed = "é".encode(), bytes(range(32))
    extracted = hmac.digest(bytes(32), seed, "sha256")
    key = hmac.digest(extracted, b"ppmf/v2/upload/" + one.id + name + b"\1", "sha256")
    cipher = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    long = session(items=tuple(str(j) for j in range(60)))
    long_key = hmac.digest(extracted, b"ppmf/v2/upload/" + long.id + name + b"\1", "sha256")
    long_cipher = Cipher(algorithms.AES(long_key), modes.ECB()).encryptor()
    blocks = b"".join(long_cipher.update(i.to_bytes(16, "big")) for i in range(3))
    assert keystream(one, "é", seed) == cipher.update(bytes(16))[:2]
    assert keystream(long, "é", seed) == blocks[:38]
    text = b"ppmf/v2/consent/" + one.id + u64(258) + name
    wanted = hmac.digest(b"k" * 32, text, "sha256")
    assert consent(b"k" * 32, one, "é", 258) == wanted
    sent = upload(one, "é", 258, row, b"k" * 32, Coins.seeded("upload"))
    secret = X25519PrivateKey.from_private_bytes(SEALING.secret_bytes())
    standard = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    payload = standard.decrypt(sent.sealed, secret, b"ppmf/v2/seal/" + one.id + name)
    assert payload[32:] == wanted
    masked = int.from_bytes(sent.masked, "little")
    assert masked ^ number == int.from_bytes(keystream(one, "é", payload[:32]), "little")
    assert (sent.user, sent.serial, len(sent.sealed)) == ("é", 258, 112)


@pytest.mark.req("PPMF-HSH-002")
def test_a_batch_key() -> None:
    text = b"ppmf/v2/batch-key/" + u64(32) + bytes(range(32)) + u64(3)
    text += u64(13) + b"update-bias/x" + u64(2) + u64(7) + u64(2**63)
    key = BatchKeys(bytes(range(32)), 3).key("update-bias/x", 7, 2**63)
    assert key == hashlib.sha256(text).digest()[:16]


@pytest.mark.req("PPMF-AHE-008", "PPMF-AHE-009", "PPMF-AHE-010", "PPMF-AHE-013")
def test_rows_and_answers_of_the_product() -> None:
    """Two slots of 175 bits in 512: four outputs and three rows."""
    layout = Layout(3, (3, 2), 4)
    owner = PaillierOwner(KEY)
    matrix = Coins.seeded("matrix").words((3, 5))
    rows = list(owner.encrypt_rows(matrix, layout, Coins.seeded("rows")))
    bits = 171 + 2 + 2
    for row, data in zip(matrix.tolist(), rows, strict=True):
        packed = [row[0] + (row[1] << bits), row[2], row[3] + (row[4] << bits)]
        assert [decrypt(c) for c in ciphertexts(data)] == packed
    x = Coins.seeded("x").words((3, 3))
    uses = (slice(1, 3), slice(0, 1))
    peer = PaillierPeer(KEY.public)
    own = Coins.seeded("own").words((3, 5))
    sent, kept = peer.rows(rows, layout, own).multiply(x, uses, Coins.seeded("answer"))
    plain = [decrypt(c) for c in ciphertexts(sent)]
    slots = [(p & (1 << bits) - 1, p >> bits) for p in plain]
    received = [*slots[0], slots[1][0], *slots[2], slots[3][0], *slots[4]]
    wanted = [(r, c) for r in (1, 2) for c in (0, 1, 2)] + [(0, 3), (0, 4)]
    negatives = [int(v) for block in kept for v in block.ravel()]
    for (r, c), slot, negative in zip(wanted, received, negatives, strict=True):
        exact = sum(int(x[r, j]) * (int(matrix[j, c]) + int(own[j, c])) for j in range(3))
        mask = slot - exact
        assert 0 <= mask < 1 << (bits - 1)
        assert -mask % 2**64 == negative


@pytest.mark.req("PPMF-OTE-009", "PPMF-OTE-010", "PPMF-OTE-011", "PPMF-OTE-012")
@pytest.mark.parametrize("sender", [CSP, RECSYS])
def test_base_transfers(sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of the 128, computed by the equations of the curve from the secrets that were drawn."""
    secrets: list[int] = []
    candidates: list[list[bytes]] = []
    fresh, draw = base_transfers.fresh_secret, base_transfers.candidates

    def watched_secret(coins: Coins) -> EllipticCurvePrivateKey:
        made = fresh(coins)
        secrets.append(made.private_numbers().private_value)
        return made

    def watched_candidates(coins: Coins) -> Iterator[bytes]:
        candidates.append([])
        for one in draw(coins):
            candidates[-1].append(one)
            yield one

    monkeypatch.setattr(base_transfers, "fresh_secret", watched_secret)
    monkeypatch.setattr(base_transfers, "candidates", watched_candidates)
    offset = Coins.seeded("offset").words(2)
    number = int(offset[0]) | int(offset[1]) << 64
    context = transfers_module._context(bytes(range(32)), 7, sender=Role(sender))
    chooser = BaseChooser(offset_bits(offset), context, Coins.seeded("request"))
    answering = BaseSender(context, Coins.seeded("answer"))
    *own, e = secrets
    pairs, seeds = answering.seed_pairs(chooser.request), chooser.seeds(answering.answer)
    assert len(own) == len(candidates) == 128
    assert all(0 < secret < ORDER for secret in secrets)
    E = times(e, G)
    assert answering.answer == encode(E)
    for i in (0, 1, 64, 127):
        c = number >> i & 1
        pair = chooser.request[66 * i : 66 * i + 66]
        other = [bytes([2 + each[0] % 2]) + each[1:] for each in candidates[i]]
        *refused, taken = other
        assert [decode(each) for each in refused] == [None] * len(refused)
        halves = [encode(times(own[i], G)), taken]
        assert pair == b"".join(halves[::-1] if c else halves)
        text = b"ppmf/v2/base-seed/" + bytes(range(32)) + u64(7) + sender.encode() + u64(i)
        for slot in (0, 1):
            x = encode(times(e, decode(pair[33 * slot : 33 * slot + 33])))[1:]
            seed = hashlib.sha256(text + u64(slot) + pair + encode(E) + x).digest()[:16]
            assert pairs[i, slot].tobytes() == seed
        assert np.array_equal(seeds[i], pairs[i, c])


@pytest.mark.req("PPMF-OTE-013")
def test_neither_message_of_base_transfers_waits_for_another() -> None:
    program = open_transfers(CSP, bytes(32), 0, 64, Coins.seeded("no wait"))
    effects = [program.send(None) for _ in range(3)]
    kinds = [type(effect.message) for effect in effects if isinstance(effect, Send)]
    assert kinds == [BaseRequest, BaseAnswer]
    assert effects[2] == Receive(RECSYS, BaseRequest)


@pytest.mark.req("PPMF-OTE-001", "PPMF-OTE-004", "PPMF-OTE-005", "PPMF-OTE-008")
@pytest.mark.parametrize("chooser", [CSP, RECSYS])
def test_columns_of_an_epoch(chooser: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two messages, of 130 and 5 transfers, from the seeds that the base transfers carried."""
    drawn: list[tuple[bytes, NDArray[np.uint8]]] = []
    pairs_of = BaseSender.seed_pairs

    def watched(self: BaseSender, request: bytes) -> NDArray[np.uint8]:
        drawn.append((self._context, pairs_of(self, request)))
        return drawn[-1][1]

    monkeypatch.setattr(BaseSender, "seed_pairs", watched)
    name, epoch = bytes(range(32)), 7
    csp, recsys = run_both(
        *(open_transfers(me, name, epoch, 64, Coins.seeded(f"coins/{me}")) for me in (CSP, RECSYS))
    )
    assert int(csp.offset[0]) & 1 == 1
    mine, theirs = (csp, recsys) if chooser == CSP else (recsys, csp)
    sender = theirs.me
    of_sender = transfers_module._context(name, epoch, sender=sender)
    seeds = next(pairs for context, pairs in drawn if context == of_sender)
    offset = int(theirs.offset[0]) | int(theirs.offset[1]) << 64

    def stream(i: int, c: int, first: int, blocks: int) -> int:
        text = b"ppmf/v2/ot-counter/" + name + u64(epoch) + sender.encode() + u64(i)
        counter = int.from_bytes(hashlib.sha256(text).digest()[:16], "big") + first
        encryptor = Cipher(algorithms.AES(seeds[i, c].tobytes()), modes.ECB()).encryptor()
        plain = b"".join(((counter + b) % 2**128).to_bytes(16, "big") for b in range(blocks))
        return int.from_bytes(encryptor.update(plain), "little")

    used = 0
    for count in (130, 5):
        choices = Coins.seeded(f"choices/{count}").bits(count)
        packed = sum(int(bit) << j for j, bit in enumerate(choices))
        columns, chosen = mine.chooser.extend(choices)
        kept = theirs.sender.extend(columns, count)
        blocks = -(-count // 128)
        rows = [(stream(i, 0, used, blocks), stream(i, 1, used, blocks)) for i in range(128)]
        for i, (zero, one) in enumerate(rows):
            u = columns[16 * blocks * i : 16 * blocks * (i + 1)]
            assert int.from_bytes(u, "little") == zero ^ one ^ packed
        for j in range(count):
            key = int(chosen[j, 0]) | int(chosen[j, 1]) << 64
            assert key == sum((zero >> j & 1) << i for i, (zero, _) in enumerate(rows))
            zero_key = int(kept[j, 0]) | int(kept[j, 1]) << 64
            assert zero_key == key ^ int(choices[j]) * offset
        used += blocks


def hash_of(key: bytes) -> Callable[[int, int], int]:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()

    def pi(block: int) -> int:
        return int.from_bytes(encryptor.update(block.to_bytes(16, "little")), "little")

    return lambda x, tweak: pi(pi(x) ^ tweak) ^ pi(x)


@pytest.mark.req("PPMF-BIT-004", "PPMF-BIT-005", "PPMF-BIT-008", "PPMF-HSH-005")
@pytest.mark.parametrize("sender", [0, 1])
def test_corrections_of_bit_times_vector(sender: int) -> None:
    """Vectors of seven are four blocks a key, so 1024 elements a batch; 4100 are two chunks."""
    width, count, length = 2, 4100, 7
    transfers = ideal_transfers("corrections")
    words = ideal_words("corrections", transfers, to_bits(Coins.seeded("v").words(count), width))
    vectors = Coins.seeded("vectors").words((count, length))
    program = times_vectors(
        transfers[sender], words[sender], vectors, Site("moves", (4, 0)), signed=False
    )
    first = program.send(None)
    assert isinstance(first, Send)
    assert isinstance(first.message, TransferPayload)
    payload = first.message.payload
    assert len(payload) == 4096 * length * (8 + 8)
    mine, direction = words[sender], ("to-recsys", "to-csp")[sender]
    offset = int(mine.offset[0]) | int(mine.offset[1]) << 64
    for bit in range(width):
        for element in (0, 1, 1023, 1024, 2047, 4095):
            batch, row = divmod(element, 1024)
            key = transfers[sender].keys.key(f"moves/{direction}", 4, 0, 0, bit, batch)
            H = hash_of(key)
            k0 = (
                int(mine.sender_keys[bit, element, 0])
                | int(mine.sender_keys[bit, element, 1]) << 64
            )
            zero, one = (
                [H(k, row * 4 + j // 2) >> 64 * (j % 2) & 2**64 - 1 for j in range(length)]
                for k in (k0, k0 ^ offset)
            )
            sign = 1 - 2 * int(mine.bits[bit, element])
            at = (bit * 4096 + element) * 8 * length
            for j in range(length):
                correction = zero[j] + sign * int(vectors[element, j]) - one[j]
                assert payload[at + 8 * j : at + 8 * j + 8] == u64(correction % 2**64)


@pytest.mark.req("PPMF-BIT-005")
def test_high_bits_of_a_word_take_fewer_bytes() -> None:
    transfers = ideal_transfers("bytes")
    words = ideal_words("bytes", transfers, np.zeros((20, 1), dtype=np.uint64))
    vectors = np.ones((1, 1), dtype=np.uint64)
    effect = times_vectors(transfers[0], words[0], vectors, Site("x"), signed=True).send(None)
    assert isinstance(effect, Send)
    assert isinstance(effect.message, TransferPayload)
    sizes = [-(-(64 - bit) // 8) for bit in range(20)]
    assert sizes == [8] * 8 + [7] * 8 + [6] * 4
    assert len(effect.message.payload) == sum(sizes)


@pytest.mark.req("PPMF-CNV-005", "PPMF-CNV-006", "PPMF-CNV-007", "PPMF-CNV-010")
def test_corrections_of_the_conversion() -> None:
    """Two bits of code that weigh 1 and 2, the least value -3, 40 bits, 2500 entries, chunk 6."""
    count, lowest, ring = 2500, -3, 40
    csp, recsys = (replace(one, ring_bits=ring) for one in ideal_transfers("conversion"))
    coins = Coins.seeded("conversion")
    mine, theirs = coins.bits((3, count)), coins.bits((3, count))
    sent, back = coins.words((3, count, 2)), coins.words((1, count, 2))
    at_csp, at_recsys = (Conversion(one, RatingCode(lowest, 3)) for one in (csp, recsys))
    chosen = sent ^ theirs[..., None] * csp.offset
    payload, shares = at_csp.corrections_of_csp(6, mine, sent)
    answer, others = at_recsys.corrections_of_recsys(6, theirs, chosen, back, payload.data)
    pads = at_csp.pads_at_csp(6, back[0] ^ mine[0, :, None] * recsys.offset)
    rest = pads + at_csp.rest_at_csp(mine[:1], answer.data)
    assert (len(payload), len(answer)) == (4 * count * 5, count * 5)

    def block(words: NDArray[np.uint64]) -> int:
        return int(words[0]) | int(words[1]) << 64

    def pad(chooser: str, plane: int, element: int, key: int) -> tuple[int, int]:
        hashed = hash_of(csp.keys.key(f"conversion/to-{chooser}", 6, plane, 0))(key, element)
        return hashed % 2**64, hashed >> 64

    def at(data: NDArray[np.uint8], row: int, element: int) -> int:
        return int.from_bytes(data[5 * (row * count + element) :][:5], "little")

    for e in (0, 1, 2047, 2048, 2499):
        bits, bits_ = ([int(bit) for bit in each[:, e]] for each in (mine, theirs))
        zero = [pad("recsys", p, e, block(sent[p, e])) for p in range(3)]
        one = [pad("recsys", p, e, block(sent[p, e] ^ csp.offset)) for p in range(3)]
        share = [bits[p] - zero[p][0] for p in range(3)]
        y = lowest + share[1] + 2 * share[2]
        for p in range(3):
            due = zero[p][0] + 1 - 2 * bits[p] - one[p][0]
            assert at(payload, p, e) == due % 2**ring
        assert at(payload, 3, e) == (zero[0][1] + (1 - 2 * bits[0]) * y - one[0][1]) % 2**ring
        taken = [pad("recsys", p, e, block(chosen[p, e])) for p in range(3)]
        share_ = [taken[p][0] + bits_[p] * at(payload, p, e) for p in range(3)]
        y_ = share_[1] + 2 * share_[2]
        first, second = (
            pad("csp", 0, e, block(key))[0] for key in (back[0, e], back[0, e] ^ recsys.offset)
        )
        assert at(answer, 0, e) == (first + (1 - 2 * bits_[0]) * y_ - second) % 2**ring
        r_ = bits_[0] * y_ - first + taken[0][1] + bits_[0] * at(payload, 3, e)
        picked = (first, second)[bits[0]]
        r = bits[0] * y - zero[0][1] + picked + bits[0] * at(answer, 0, e)
        for found, number in (
            (shares[0, e], share[0]),
            (int(shares[1, e]) + int(rest[e]), r),
            (others[0, e], share_[0]),
            (others[1, e], r_),
        ):
            assert (int(found) - number) % 2**ring == 0
        b = [one ^ other for one, other in zip(bits, bits_, strict=True)]
        assert (share[0] + share_[0] - b[0]) % 2**ring == 0
        assert (r + r_ - b[0] * (lowest + b[1] + 2 * b[2])) % 2**ring == 0


def purposes() -> dict[str, int]:
    """The table of PPMF-HSH-007: how many indices each purpose has, written out in full."""
    text = CHAPTER.read_text(encoding="utf-8")
    table = text[text.index(":id: PPMF-HSH-007") :]
    table = table[: table.index("\n:::")]
    found = {}
    for names, indices in re.findall(r"^\| (`.*?) \| (.*?) \|", table, re.M):
        for name, numbers in zip(re.findall(r"`([^`]+)`", names), indices.split("; "), strict=True):
            for side in ("users", "items") if "*" in name else ("",):
                for way in ("to-recsys", "to-csp") if "→" in name else ("",):
                    found[name.replace("*", side).replace("→", way)] = len(numbers.split(", "))
    return found


@pytest.mark.req("PPMF-HSH-007", "PPMF-BIT-003")
def test_batches_of_runs_have_the_purposes_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of every kind use all of them, nothing else, and no key twice at one server."""
    seen: list[tuple[BatchKeys, str, tuple[int, ...]]] = []
    original = hashing.BatchKeys.cipher

    def watched(self: BatchKeys, purpose: str, *indices: int) -> object:
        seen.append((self, purpose, indices))
        return original(self, purpose, *indices)

    monkeypatch.setattr(hashing.BatchKeys, "cipher", watched)
    for params in (
        Parameters(rank=2, iterations=2, l1=Parameters().ridge),
        Parameters(rank=1, iterations=2, step_rule="count", inner_steps=2),
    ):
        run_toy(ratings_of(2, 2, {(0, 1): 2}), params, ideal_suite())
    assert {purpose: len(indices) for _, purpose, indices in seen} == purposes()
    calls = [(id(keys), purpose, indices) for keys, purpose, indices in seen]
    assert len(calls) == len(set(calls))


@pytest.mark.req("PPMF-AHE-001")
def test_the_suites_are_those_of_the_table() -> None:
    """Their names, the lengths of Paillier moduli, and which of them are for use."""
    text = CHAPTER.read_text(encoding="utf-8")
    text = text[: text.index(":id: PPMF-AHE-001")]
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (\w+), [^|]* \| (\d*) ?\| (\w+)", text, re.M)
    assert len(rows) == 7
    for name, kind, bits, purpose in rows:
        found = cipher_suite(name)
        assert isinstance(found.products, RlweScheme) == (kind == "lattice") == (not bits)
        if isinstance(found.products, PaillierScheme):
            assert found.products.bits == int(bits)
        assert found.secure == (purpose == "use")
        assert name.endswith("-insecure") == (purpose == "tests")
    with pytest.raises(ParametersError) as refused:
        cipher_suite("paillier-512")
    names = str(refused.value).split("choose from ")[1].split(", ")
    assert sorted(names) == sorted(name for name, *_ in rows)
