# SPDX-License-Identifier: Apache-2.0
"""A walk through a run with public sizes alone: every message, and the work next to it.

It follows `ppmf_secure.parties.training.train` step by step. That the bytes are those of real runs,
to the last one, is what its tests show; the counts of work are what the model's unit costs
multiply, and are the same for both servers:

    starts          runs: processes started, keys made
    setups          set-ups: base transfers done
    opens           sealed seeds opened by CSP
    seals           sealed seeds made by users
    mask_words      ring elements of the uploads
    he_rows         bytes of encrypted rows, what `padding_bytes` says included
    compact_rows    the same bytes, of a matrix that is kept compactly: what that costs besides
    he_tables       the same bytes: what products prepare of them once
    first_products  runs that multiply: what products prepare whatever the size
    he_terms        bytes of an answer times the terms of its sums: the products
    compact_terms   the same, with a matrix that is kept compactly: what that costs besides
    he_answers      bytes of answers, made and decrypted
    mac_words       multiply-adds of ring elements in local products
    pads            ring elements of bit times vector, by bit
    batches         array operations of bit times vector, by bit and chunk
    transfers       extended transfers
    gates           AND gates garbled and evaluated, by element
    gate_calls      array operations of circuits, by gate and chunk
    messages        messages

The phase "memory" counts what a server holds at the same time: starts (1), he_rows, mask_words, and
word_bits, the bits of the model's words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from ppmf_costs import circuits
from ppmf_costs.circuits import Shape
from ppmf_costs.tally import Tally
from ppmf_secure.effects import CSP, RECSYS, USERS
from ppmf_secure.parties.training import SIDES, orientations
from ppmf_secure.parties.users import SEALED_BYTES
from ppmf_secure.primitives.base_transfers import SEED_BYTES, TRANSFERS
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout
from ppmf_secure.primitives.encryption.lattice.layout import kept_compact
from ppmf_secure.primitives.encryption.lattice.scheme import RlweSuite
from ppmf_secure.primitives.sealing import KEY_BYTES
from ppmf_secure.primitives.shares import chunks
from ppmf_secure.primitives.transfer_extension import columns_bytes
from ppmf_secure.protocols.half_step import proximal
from ppmf_secure.protocols.ratings_product import BATCH_BYTES, Orientation
from ppmf_secure.protocols.sub_problem import pairs
from ppmf_secure.session.cipher_suites import SuiteChoice
from ppmf_secure.session.cipher_suites import suite as suite_named
from ppmf_spec import wire
from ppmf_spec.parameters import Parameters

PHASES = ("start", "upload", "set-up", "products", "steps", "updates", "output")
"""What seconds are estimated for; the servers' phase "keys" is part of "start"."""

MEMORY = "memory"

_BOTH = ((RECSYS, CSP), (CSP, RECSYS))


@dataclass(frozen=True, slots=True)
class Size:
    """The public size of a run. Of the users only the lengths of their ids in UTF-8 matter."""

    id_bytes: Sequence[int]
    items: int

    @property
    def users(self) -> int:
        return len(self.id_bytes)

    @classmethod
    def of(cls, user_ids: Sequence[str], items: int) -> Size:
        """The size of a run with these users."""
        return cls([len(user.encode()) for user in user_ids], items)

    @classmethod
    def numbered(cls, users: int, items: int) -> Size:
        """The size of a run whose users are called 1, 2, 3, ..."""
        return cls([len(str(number)) for number in range(1, users + 1)], items)


def plan(params: Parameters, size: Size, suite: SuiteChoice) -> Tally:
    """What a run sends and does in epoch 0.

    Raises ParametersError when a run of this size would not be correct under these parameters or
    this suite.
    """
    return _Walk(params, size, suite).run()


class _Walk:
    def __init__(self, params: Parameters, size: Size, suite: SuiteChoice) -> None:
        self._params = params
        self._size = size
        self._suite = suite
        self._rows = {"users": size.users, "items": size.items}
        self._tally = Tally()
        self._orientations = dict(
            zip(SIDES, orientations(params, size.users, size.items), strict=True)
        )
        self._bias_steps = {
            side: self._steps_shape(side, counts=True, factors=False) for side in SIDES
        }
        self._factor_steps = {
            side: self._steps_shape(side, counts=params.step_rule == "count", factors=True)
            for side in SIDES
        }

    def run(self) -> Tally:
        self._uploads()
        self._set_up()
        for half_step in range(2 * self._params.iterations):
            self._half_step(half_step)
        bits = self._params.word_bits * self._params.row_rank
        self._tally.send("output", CSP, RECSYS, wire.OutputShare, _bytes(bits * self._size.items))
        self._tally.do("products", first_products=1)
        self._tally.do(MEMORY, starts=1, word_bits=bits * (self._size.users + self._size.items))
        return self._tally

    def _uploads(self) -> None:
        tally, size = self._tally, self._size
        tally.send("keys", CSP, USERS, wire.UserKey, KEY_BYTES)
        for length in size.id_bytes:
            fields = (length, 16 * size.items, SEALED_BYTES)
            tally.send("upload", USERS, RECSYS, wire.Upload, *fields)
        sealed = size.users * SEALED_BYTES
        tally.send("upload", RECSYS, CSP, wire.SealedSeeds, sealed)
        tally.do("start", starts=1)
        words = 2 * size.users * size.items
        tally.do("upload", seals=size.users, opens=size.users, mask_words=words)
        tally.do(MEMORY, mask_words=words)

    def _set_up(self) -> None:
        tally, suite = self._tally, self._suite
        modulus = _bytes(suite.transfer_bits)
        seeds_a_ciphertext = (suite.transfer_bits - 1) // (8 * SEED_BYTES)
        answers = -(-TRANSFERS // seeds_a_ciphertext)
        for way in _BOTH:
            name = len(suite.name)
            key = product_key_bytes(suite.name)
            tally.send("set-up", *way, wire.ServerKey, name, key, modulus)
            for packing in SIDES:
                self._encrypted_rows(way, self._orientations[packing])
            tally.send("set-up", *way, wire.BaseRequest, TRANSFERS * 2 * modulus)
            tally.send("set-up", *way, wire.BaseAnswer, answers * 2 * modulus)
        tally.do("set-up", setups=1)
        for side in SIDES:
            if self._params.step_rule == "count":
                self._steps("set-up", side, self._factor_steps[side])
            if self._params.bias:
                self._steps("set-up", side, self._bias_steps[side])

    def _encrypted_rows(self, way: tuple[str, str], orientation: Orientation) -> None:
        layout = orientation.layout
        length = self._suite.products.row_bytes(layout)
        step = max(1, BATCH_BYTES // length)
        for first in range(0, layout.rows, step):
            lengths = (len(orientation.packing), length * min(step, layout.rows - first))
            self._tally.send("set-up", *way, wire.EncryptedRows, *lengths, integers=(first,))
        if way[0] == CSP:  # both do it, at the same time
            capacity = length + padding_bytes(self._suite, orientation)
            size = capacity * layout.rows
            compact = self._compact(layout)
            self._tally.do("set-up", he_rows=size, compact_rows=size if compact else 0)
            self._tally.do("products", he_tables=size)
            self._tally.do(MEMORY, he_rows=size * 3 // 4 if compact else size)

    def _compact(self, layout: Layout) -> bool:
        """Whether a matrix is kept at three bytes a residue instead of four."""
        products = self._suite.products
        return isinstance(products, RlweSuite) and kept_compact(products.lattice, layout)

    def _half_step(self, half_step: int) -> None:
        params = self._params
        updated, fixed = SIDES[half_step % 2], SIDES[1 - half_step % 2]
        self._products(updated, fixed, public=half_step == 0)
        if params.step_rule == "lipschitz":
            self._steps("steps", updated, self._factor_steps[updated])
        for inner in range(params.inner_steps):
            public = half_step < 2 and inner == 0
            last = half_step == 2 * params.iterations - 1 and inner == params.inner_steps - 1
            self._inner_step(updated, public=public, last=last)

    def _products(self, updated: str, fixed: str, *, public: bool) -> None:
        """The columns of the fixed side, and their product with the ratings."""
        params, tally = self._params, self._tally
        layout, uses = self._orientations[updated].layout, self._orientations[updated].uses
        columns = len(pairs(params)) + params.row_rank if params.bias else len(pairs(params))
        words = (columns + params.rank) * layout.rows * self._rows[updated]
        tally.do("products", mac_words=words)
        if public:
            return
        for k in range(params.rank):
            self._times_vectors(
                "products", self._rows[fixed], params.row_rank - k, params.word_bits
            )
        answer = self._suite.products.answer_bytes(layout, uses)
        for way in _BOTH:
            tally.send("products", *way, wire.ProductAnswer, answer)
        terms = answer * layout.rows
        compact_terms = terms if self._compact(layout) else 0
        tally.do("products", he_terms=terms, compact_terms=compact_terms, he_answers=answer)

    def _inner_step(self, side: str, *, public: bool, last: bool) -> None:
        params, rows = self._params, self._rows[side]
        rank, size = params.rank, params.row_rank
        if not public:
            self._times_vectors("updates", size * rows, size, params.word_bits)
        factor_steps = self._factor_steps[side]
        self._times_vectors("updates", rows, rank, factor_steps.widths["step"])
        if params.bias:
            self._times_vectors("updates", rows, 1, self._bias_steps[side].widths["step"])
        plain = circuits.update(params, self._size.users, self._size.items, None)
        if proximal(params) is None:
            self._garbled("updates", size * rows, plain)
        else:
            thresholds = factor_steps.thresholds
            prox = circuits.update(params, self._size.users, self._size.items, thresholds)
            self._garbled("updates", rank * rows, prox)
            if params.bias:
                self._garbled("updates", rows, plain)
        if not last:
            self._shared("updates", size * rows, params.word_bits)
            self._payload("updates", size * rows, 1, params.word_bits, ways=_BOTH[1:])

    def _steps_shape(self, side: str, *, counts: bool, factors: bool) -> Shape:
        terms = self._rows[SIDES[1 - SIDES.index(side)]]
        return circuits.steps(self._params, terms, counts=counts, factors=factors)

    def _steps(self, phase: str, side: str, shape: Shape) -> None:
        self._garbled(phase, self._rows[side], shape)
        self._shared(phase, self._rows[side], shape.widths["step"])

    def _garbled(self, phase: str, elements: int, shape: Shape) -> None:
        """A circuit on that many elements: transfers of the evaluator's bits, tables back."""
        for part in chunks(elements):
            count = part.stop - part.start
            transfers = columns_bytes(shape.share_bits * count)
            self._tally.send(phase, RECSYS, CSP, wire.TransferColumns, transfers)
            tables = 32 * shape.gates * count
            self._tally.send(phase, CSP, RECSYS, wire.GarbledTables, tables)
            self._tally.do(
                phase,
                transfers=shape.share_bits * count,
                gates=shape.gates * count,
                gate_calls=shape.gates,
            )

    def _shared(self, phase: str, elements: int, width: int) -> None:
        """Output labels become XOR-shared words with transfers both ways."""
        transfers = columns_bytes(width * elements)
        self._tally.send(phase, CSP, RECSYS, wire.TransferColumns, transfers)
        self._tally.do(phase, transfers=width * elements)

    def _times_vectors(self, phase: str, elements: int, length: int, width: int) -> None:
        self._payload(phase, elements, length, width, ways=_BOTH)

    def _payload(
        self,
        phase: str,
        elements: int,
        length: int,
        width: int,
        *,
        ways: Sequence[tuple[str, str]],
    ) -> None:
        """Words of `width` bits times vectors; the correction of bit i has 64 - i bits."""
        a_word = sum(_bytes(64 - bit) for bit in range(width))
        for part in chunks(elements):
            count = part.stop - part.start
            for way in ways:
                self._tally.send(phase, *way, wire.TransferPayload, a_word * count * length)
                self._tally.do(phase, pads=width * count * length, batches=width)


@cache
def product_key_bytes(name: str) -> int:
    """Length of a suite's public key for products; every key of a suite is as long."""
    return len(suite_named(name).products.generate(Coins.seeded("ppmf/key-length")).public)


def padding_bytes(suite: SuiteChoice, orientation: Orientation) -> int:
    """What a row costs beyond the bytes it has on the wire, in bytes on the wire.

    A lattice ciphertext has a first half that only a seed stands for on the wire: as long as a full
    row, however few of its columns are in use. Paillier has nothing of the kind.
    """
    if not isinstance(suite.products, RlweSuite):
        return 0
    degree = suite.products.lattice.degree
    columns = sum(orientation.layout.blocks)
    full = -(-columns // degree) * degree
    return suite.products.row_bytes(orientation.layout) * full // columns


def _bytes(bits: int) -> int:
    return (bits + 7) // 8
