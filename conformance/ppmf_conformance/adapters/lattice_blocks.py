# SPDX-License-Identifier: Apache-2.0
"""The operations of lattice suites, stage by stage; ppmf_secure computes them.

The protocol draws secrets, errors, masks and floods from its coins. Here they are given, so the
coins are `ToldCoins`: bytes from which the protocol's own draws make the given numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppmf_conformance.adapters import values
from ppmf_conformance.adapters.building_blocks import words_of
from ppmf_conformance.adapters.line_server import Given, Operation
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout, length
from ppmf_secure.primitives.encryption.lattice.layout import LatticeContext, Packing
from ppmf_secure.primitives.encryption.lattice.owner import RlweOwner
from ppmf_secure.primitives.encryption.lattice.params import Budget, Lattice, chosen
from ppmf_secure.primitives.encryption.lattice.peer import RlwePeer
from ppmf_secure.primitives.encryption.lattice.ring import NegacyclicProduct, combine
from ppmf_secure.primitives.encryption.lattice.rounding import Rounding
from ppmf_secure.primitives.encryption.lattice.sampling import FLOOD_LIMB_BITS, SEED_BYTES
from ppmf_secure.primitives.encryption.lattice.scheme import rlwe_scheme
from ppmf_secure.primitives.encryption.lattice.wire import pack, read_residues
from ppmf_secure.primitives.shares import check_length, words_to_bytes

Integers = NDArray[np.int64]
Words = NDArray[np.uint64]


class ToldCoins(Coins):
    """Coins that give the bytes they were told, in their order, and no others."""

    def __init__(self, parts: Sequence[bytes]) -> None:
        super().__init__(bytes(32))
        self._data = b"".join(parts)
        self._used = 0

    def draw(self, count: int) -> NDArray[np.uint8]:
        """The next bytes, in a new array."""
        part = self._data[self._used : self._used + count]
        assert len(part) == count, "more is drawn than was told"
        self._used += count
        return np.frombuffer(part, dtype=np.uint8).copy()

    _draw = draw

    def used_up(self) -> bool:
        """Whether all bytes were drawn."""
        return self._used == len(self._data)


def ternary_bytes(numbers: Any) -> bytes:
    """What is drawn for numbers of -1, 0 and 1."""
    return (np.array(numbers, dtype=np.int64) + 1).astype(np.uint8).tobytes()


def error_bytes(numbers: Any) -> bytes:
    """What is drawn for errors: as many ones among the first 21 bits of a word, or of its upper
    half, as an error is above or below 0.
    """
    flat = np.array(numbers, dtype=np.int64).reshape(-1).tolist()
    words = [(1 << e) - 1 if e >= 0 else ((1 << -e) - 1) << 32 for e in flat]
    return words_to_bytes(np.array(words, dtype=np.uint64))


def flood_bytes(numbers: Sequence[int], flood_bits: int) -> bytes:
    """What is drawn for floods on [-2^flood_bits, 2^flood_bits), limb by limb."""
    limbs = range(0, flood_bits + 1, FLOOD_LIMB_BITS)
    mask = (1 << FLOOD_LIMB_BITS) - 1
    return b"".join(
        ((number + (1 << flood_bits)) >> at & mask).to_bytes(4, "little")
        for at in limbs
        for number in numbers
    )


@dataclass(frozen=True)
class Setting:
    """The lattice of a case, its ring, and, where a case has one, its matrix."""

    lattice: Lattice
    ring_bits: int
    layout: Layout
    context: LatticeContext

    @classmethod
    def of(cls, given: Given) -> Setting:
        """The setting that `lattice` and `matrix` name; without `matrix` one of a single number."""
        table = given["lattice"]
        suite, ring_bits = rlwe_scheme(table["suite"]).lattice, values.integer(table["ring"])
        some = suite.primes[: values.integer(table["primes"])]
        lattice = replace(suite, primes=some, kept=values.integer(table["kept"]))
        matrix: Mapping[str, str] = given.get("matrix", {})
        rows, columns, outputs, secrets = (
            values.integer(matrix.get(name, default))
            for name, default in (
                ("rows", "1"),
                ("columns", "1"),
                ("outputs", "1"),
                ("secrets", "2"),
            )
        )
        layout = Layout(rows, (columns, columns), outputs, ring_bits)
        # the session's other matrix may be the one that needs all the secrets
        longest = secrets // 2 * lattice.degree
        context = LatticeContext(lattice, [layout, Layout(1, (longest, longest), 1, ring_bits)])
        return cls(lattice, ring_bits, layout, context)

    @property
    def packing(self) -> Packing:
        """How the rows of the matrix lie in ciphertexts."""
        return self.context.packing(self.layout)

    @property
    def rounding(self) -> Rounding:
        """The constants of encoding, rounding and decoding."""
        return self.context.rounding

    def encoded(self, messages: Words) -> list[NDArray[np.float64]]:
        """By prime the residues, not reduced, of the encodings of messages."""
        limbs = self.rounding.message_limbs(messages)
        return [combine(scales, limbs) for scales in self.rounding.encoding]


def table(numbers: Sequence[Any], primes: Sequence[int]) -> list[list[str]]:
    """Integers, an array of them for each prime, as residues in [0, p)."""
    return [
        values.shown((np.asarray(row).astype(np.int64).reshape(-1) % p).tolist())
        for row, p in zip(numbers, primes, strict=True)
    ]


def residues_of(given: Sequence[Sequence[str]]) -> Integers:
    """The residues (primes, n) of a case."""
    return np.array(values.matrix(given), dtype=np.int64).reshape(len(given), -1)


def integers_of(given: Any) -> Any:
    """Integers out of their texts, in lists of any depth."""
    return [integers_of(one) for one in given] if isinstance(given, list) else values.integer(given)


def rows_of(given: Sequence[Sequence[str]]) -> Words:
    """Rows of ring elements."""
    return np.stack([words_of(row) for row in given])


def moduli(given: Given) -> dict[str, Any]:
    """`rlwe.moduli`: the primes of a session, how many are kept, and the budgets."""
    suite, ring_bits = rlwe_scheme(given["suite"]).lattice, values.integer(given["ring"])
    layouts = [
        Layout(rows, (1, 1), outputs, ring_bits)
        for rows, outputs in values.matrix(given["matrices"])
    ]
    lattice = chosen(suite, layouts)
    budgets = [Budget.of(lattice, layout) for layout in layouts]
    return {
        "primes": str(len(lattice.primes)),
        "kept": str(lattice.kept),
        "bounds": [str(budget.noise) for budget in budgets],
        "floods": [str(budget.flood_bits) for budget in budgets],
    }


def expand(given: Given) -> dict[str, Any]:
    """`rlwe.expand`: some coefficients of the polynomial that a seed stands for."""
    setting, places = Setting.of(given), values.integers(given["places"])
    found = setting.context.expand([bytes.fromhex(given["seed"])])[:, 0, places]
    return {"residues": table(list(found), setting.lattice.primes)}


def packed(given: Given) -> dict[str, Any]:
    """`rlwe.pack`: the bytes of residues."""
    primes, residues = Setting.of(given).lattice.primes, residues_of(given["residues"])
    words = [pack(row.astype(np.int32), p) for row, p in zip(residues, primes, strict=True)]
    return {"bytes": b"".join(map(words_to_bytes, words)).hex()}


def unpacked(given: Given) -> dict[str, Any]:
    """`rlwe.unpack`: the residues in bytes, or their refusal."""
    primes, count = Setting.of(given).lattice.primes, values.integer(given["count"])
    found = read_residues([bytes.fromhex(given["bytes"])], count, primes, ["bytes"])
    return {"residues": table(list(found[:, 0]), primes)}


def encode(given: Given) -> dict[str, Any]:
    """`rlwe.encode`: the encodings of messages."""
    setting = Setting.of(given)
    found = setting.encoded(words_of(given["messages"]))
    return {"residues": table(found, setting.lattice.primes)}


def place(given: Given) -> dict[str, Any]:
    """`rlwe.place`: where the entries of a matrix stand."""
    rows, columns = values.integer(given["rows"]), values.integer(given["columns"])
    degree = rlwe_scheme(given["suite"]).lattice.degree
    packing = Packing.of(degree, Layout(rows, (columns, columns), 1))
    found = []
    for row, block, column in values.matrix(given["entries"]):
        (segment,) = (
            one
            for one in packing.segments
            if one.block == block and one.columns.start <= column < one.columns.stop
        )
        at = row % packing.size * packing.band + column - segment.columns.start
        piece = segment.columns.start // degree
        found.append([row // packing.size, piece, at, segment.secret])
    return {"size": str(packing.size), "groups": str(packing.groups), "places": values.shown(found)}


def times(given: Given) -> dict[str, Any]:
    """`rlwe.times`: a polynomial times one of ternary coefficients."""
    primes, product = Setting.of(given).lattice.primes, NegacyclicProduct(len(given["ternary"]))
    one = product.transform(residues_of(given["polynomial"]))
    other = product.transform(np.array(values.integers(given["ternary"]), dtype=np.int64))
    return {"residues": table(list(product.product(one, other)), primes)}


def _owner(setting: Setting, secrets: Any, seed: bytes, errors: Any) -> RlweOwner:
    coins = ToldCoins([ternary_bytes(secrets), seed, error_bytes(errors)])
    found = RlweOwner(setting.context, coins)
    assert coins.used_up()
    return found


def key(given: Given) -> dict[str, Any]:
    """`rlwe.key`: a public key."""
    secrets, errors = integers_of(given["secrets"]), integers_of(given["errors"])
    setting = Setting.of({**given, "matrix": {"secrets": str(len(secrets))}})
    return {"public": _owner(setting, secrets, bytes.fromhex(given["seed"]), errors).public.hex()}


def _owner_of(setting: Setting, given: Given) -> RlweOwner:
    """The owner of a case's secrets; its public key plays no part."""
    secrets = integers_of(given["secrets"])
    return _owner(setting, secrets, bytes(SEED_BYTES), np.zeros_like(secrets))


def encrypt(given: Given) -> dict[str, Any]:
    """`rlwe.encrypt`: the groups of encrypted rows."""
    setting = Setting.of(given)
    owner, packing = _owner_of(setting, given), setting.packing
    seeds, errors = given["seeds"], integers_of(given["errors"])
    told = []
    for groups in packing.batches():
        told += [bytes.fromhex(seed) for seed in seeds[groups]]
        told.append(error_bytes(errors[packing.rows_of(groups)]))
    coins = ToldCoins(told)
    found = list(owner.encrypt_rows(rows_of(given["entries"]), setting.layout, coins))
    assert coins.used_up()
    return {"groups": [group.hex() for group in found]}


def _received(setting: Setting, groups: Sequence[str]) -> Iterator[Integers]:
    """The numbers of c0 (primes, n) of groups, as they came."""
    packing, primes = setting.packing, setting.lattice.primes
    at = 0
    for batch in packing.batches():
        rows = length(packing.rows_of(batch)) // length(batch)
        for _ in range(length(batch)):
            name, data = f"encrypted group {at}", bytes.fromhex(groups[at])
            check_length(data, setting.context.group_bytes(packing, batch), name)
            count = rows * packing.columns
            yield read_residues([data[SEED_BYTES:]], count, primes, [name])[:, 0].astype(np.int64)
            at += 1


def fold(given: Given) -> dict[str, Any]:
    """`rlwe.fold`: the numbers of c0, the peer's own share added."""
    setting = Setting.of(given)
    received = np.concatenate(list(_received(setting, given["groups"])), axis=1)
    own = setting.encoded(rows_of(given["own"]).reshape(-1))
    total = [row + mine.astype(np.int64) for row, mine in zip(received, own, strict=True)]
    return {"residues": table(total, setting.lattice.primes)}


def _uses(given: Given) -> list[slice]:
    return [slice(*values.integers(use)) for use in given["uses"]]


def answered(given: Given) -> dict[str, Any]:
    """`rlwe.answer`: the peer's answer and its shares."""
    setting, uses = Setting.of(given), _uses(given)
    flood_bits = Budget.of(setting.lattice, setting.layout).flood_bits
    told = [ternary_bytes(integers_of(given["u"])), error_bytes(integers_of(given["e2"]))]
    parts = zip(given["masks"], given["e1"], given["floods"], strict=True)
    for masks, errors, floods in parts:
        if masks:
            told.append(words_to_bytes(rows_of(masks)))
            told.append(error_bytes(integers_of(errors)))
            flat = [number for row in integers_of(floods) for number in row]
            told.append(flood_bytes(flat, flood_bits))
    coins = ToldCoins(told)
    peer = RlwePeer(setting.context, bytes.fromhex(given["public"]))
    intake = peer.intake(setting.layout, rows_of(given["own"]))
    intake.add([bytes.fromhex(group) for group in given["groups"]])
    answer, shares = intake.finish().multiply(rows_of(given["x"]), uses, coins)
    assert coins.used_up()
    return {"answer": answer.hex(), "shares": values.shown(share.tolist() for share in shares)}


def rounded(given: Given) -> dict[str, Any]:
    """`rlwe.round`: numbers rounded to the kept primes."""
    setting = Setting.of(given)
    residues = residues_of(given["residues"])
    centred = [
        (row + p // 2) % p - p // 2 for row, p in zip(residues, setting.lattice.primes, strict=True)
    ]
    out = np.empty((setting.lattice.kept, residues.shape[1]), dtype=np.int32)
    setting.rounding.switch(np.stack(centred).astype(np.float64), out)
    return {"residues": table(list(out), setting.lattice.kept_primes)}


def decode(given: Given) -> dict[str, Any]:
    """`rlwe.decode`: the messages that numbers modulo q' stand for."""
    setting = Setting.of(given)
    found = setting.rounding.decode(residues_of(given["residues"]).astype(np.float64))
    return {"messages": values.shown(found.tolist())}


def decrypt(given: Given) -> dict[str, Any]:
    """`rlwe.decrypt`: the owner's shares of a product, from the peer's answer."""
    setting, uses = Setting.of(given), _uses(given)
    owner = _owner_of(setting, given)
    found = owner.decrypt(bytes.fromhex(given["answer"]), setting.layout, uses)
    return {"shares": values.shown(block.tolist() for block in found)}


OPERATIONS: dict[str, Operation] = {
    "rlwe.moduli": moduli,
    "rlwe.expand": expand,
    "rlwe.pack": packed,
    "rlwe.unpack": unpacked,
    "rlwe.encode": encode,
    "rlwe.place": place,
    "rlwe.times": times,
    "rlwe.key": key,
    "rlwe.encrypt": encrypt,
    "rlwe.fold": fold,
    "rlwe.answer": answered,
    "rlwe.round": rounded,
    "rlwe.decode": decode,
    "rlwe.decrypt": decrypt,
}
