# SPDX-License-Identifier: Apache-2.0
"""Operations by hand: their messages at sizes that end a byte, a head or a chunk."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from ppmf_secure.primitives.circuits.netlist import Circuit
from ppmf_secure.primitives.encryption.interface import Layout
from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_secure.primitives.transfer_extension import columns_bytes
from ppmf_secure.protocols.bit_products import payload_bytes
from ppmf_secure.protocols.half_step import update_circuit
from ppmf_secure.protocols.operations import (
    ChunkedOperation,
    ConvertBits,
    GiveEncryptedRows,
    MultiplyBits,
    OpenOutput,
    Operation,
    PublicSize,
    RunCircuit,
    TakeUploads,
    alike,
    head,
)
from ppmf_secure.protocols.ratings_product import Orientation
from ppmf_secure.protocols.shared_circuits import EVALUATOR_INPUT
from ppmf_spec import wire
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, Role, Side

CHUNKS = 2 * 4096 + 5
"""A number of elements in three chunks, the last of which is another one."""


def sent(operation: Operation) -> list[tuple[Role, str, tuple[int, ...]]]:
    return [(due.sender, due.kind.name, due.sizes) for due in operation.messages()]


@pytest.mark.req("PPMF-WIR-001")
@pytest.mark.parametrize(
    ("value", "size"),
    [
        *[(0, 1), (23, 1), (24, 2), (255, 2), (256, 3), (65_535, 3), (65_536, 5)],
        *[(2**32 - 1, 5), (2**32, 9), (2**64 - 1, 9)],
    ],
)
def test_heads_grow_where_cbor_says(value: int, size: int) -> None:
    assert head(value) == size
    assert head(alike(value)) == size
    assert alike(value) == 2**64 - 1 or head(alike(value) + 1) > size


@pytest.mark.req("PPMF-RUN-011", "PPMF-ADM-004")
@pytest.mark.parametrize("users", [1, 7, 8, 9, 15, 16, 17])
def test_closing_and_admission_have_a_bit_for_each_user(users: int) -> None:
    operation = TakeUploads("upload", PublicSize([1] * users, 3), RatingCode(0, 4))
    size = -(-users // 8)
    assert sent(operation)[-2:] == [
        (RECSYS, "closing", (size, 120 * users)),
        (CSP, "admission", (size,)),
    ]


@pytest.mark.req("PPMF-RUN-011", "PPMF-ADM-004")
def test_only_users_who_are_present_upload() -> None:
    size, code = PublicSize([1, 22, 333, 4], 3), RatingCode(0, 4)
    operation = TakeUploads("upload", size, code, (1, 2))
    found = sent(operation)
    assert [sizes[0] for _, name, sizes in found if name == "upload"] == [22, 333]
    assert found[-2:] == [(RECSYS, "closing", (1, 240)), (CSP, "admission", (1,))]
    assert sum(operation.counted().values()) == 4


@pytest.mark.req("PPMF-RUN-011")
@pytest.mark.parametrize(("bits", "size"), [(1, 1), (8, 1), (9, 2), (16, 2), (17, 3)])
def test_the_output_has_whole_bytes(bits: int, size: int) -> None:
    assert sent(OpenOutput("output", bits)) == [(CSP, "output-share", (size,))]


def test_users_may_be_called_by_their_numbers() -> None:
    size = PublicSize.numbered(11, 3)
    assert (list(size.id_bytes), size.users, size.items) == ([1] * 9 + [2, 2], 11, 3)


class Groups:
    """A fitted scheme, of which only the lengths of the groups are asked."""

    def __init__(self, count: int, each: int, end: int) -> None:
        self.sizes = count, each, end

    def group_bytes(self, _: Layout) -> list[int]:
        count, each, end = self.sizes
        return [each] * (count - 1) + [end]

    def group_sizes(self, _: Layout) -> tuple[int, int, int]:
        return self.sizes


@pytest.mark.req("PPMF-LNK-017", "PPMF-PRD-003")
@pytest.mark.parametrize("count", [1, 16, 17, 40])
@pytest.mark.parametrize(("each", "end"), [(1 << 20, 5), (300_000, 300_000), (1 << 21, 1 << 21)])
def test_of_encrypted_rows_the_sixteen_longest_messages_are_ahead(
    count: int, each: int, end: int
) -> None:
    uses = slice(0, 1), slice(0, 1)
    orientation = Orientation(Side.USERS, Layout(4, (4, 4), 1, 46), uses)
    operation = GiveEncryptedRows("set-up", Groups(count, each, end), orientation)  # type: ignore[arg-type]
    for sender in (RECSYS, CSP):
        lengths = []
        for due in operation.messages():
            if due.sender is sender:
                packing, first, rows = due.sizes
                longest = replace(due, sizes=(packing, alike(first), rows))
                lengths.append(longest.encoded(2**64 - 1, 2**64 - 1))
        assert operation.ahead(sender) == sum(sorted(lengths)[-16:])


# -- chunks ----------------------------------------------------------------------------------------


def circuit() -> Circuit:
    return update_circuit(Parameters(rank=1), 40, None, 0, 0)


@pytest.mark.req("PPMF-RUN-011")
def test_a_circuit_takes_columns_and_tables_for_each_chunk() -> None:
    found = sent(RunCircuit("updates", circuit(), CHUNKS))
    bits, gates = circuit().inputs[EVALUATOR_INPUT], circuit().and_count
    assert found == [
        one
        for count in (4096, 4096, 5)
        for one in (
            (RECSYS, "transfer-columns", (columns_bytes(bits * count),)),
            (CSP, "garbled-tables", (32 * gates * count,)),
        )
    ]


@pytest.mark.req("PPMF-RUN-011")
def test_products_take_a_payload_each_way_for_each_chunk() -> None:
    found = sent(MultiplyBits("products", CHUNKS, 3, 20, 46))
    assert found == [
        (sender, "transfer-payload", (payload_bytes(count, 3, 20, 46),))
        for count in (4096, 4096, 5)
        for sender in (RECSYS, CSP)
    ]


@pytest.mark.req("PPMF-RUN-011", "PPMF-CNV-004", "PPMF-CNV-007")
def test_columns_of_the_conversion_are_ahead_of_its_corrections() -> None:
    """34 whole chunks and one of five entries, in a ring of six bytes."""
    sizes = [4096] * 34 + [5]
    found = sent(ConvertBits("set-up", sum(sizes), 4, 46))
    columns = [size for by, name, size in found if (by, name) == (RECSYS, "transfer-columns")]
    assert columns == [(2048 * -(-4 * size // 128),) for size in sizes]
    answers = [size for by, name, size in found if (by, name) == (CSP, "transfer-payload")]
    assert answers == [(5 * 6 * size,) for size in sizes]
    of_recsys = [name for by, name, _ in found if by is RECSYS]
    ahead, turns, rest = of_recsys[:32], of_recsys[32:38], of_recsys[38:]
    assert set(ahead) == {"transfer-columns"}
    assert turns == ["transfer-payload", "transfer-columns"] * 3
    assert rest == ["transfer-payload"] * 32


@pytest.mark.parametrize(
    "operation",
    [
        RunCircuit("updates", circuit(), CHUNKS),
        MultiplyBits("products", CHUNKS, 3, 20, 46),
        ConvertBits("set-up", 34 * 4096 + 5, 4, 46),
    ],
    ids=lambda one: type(one).__name__,
)
def test_chunks_are_counted_as_a_walk_through_them_does(operation: ChunkedOperation) -> None:
    assert operation.counted() == Counter(operation.messages())
    for sender in (RECSYS, CSP):
        every = sum(
            due.encoded(2**64 - 1, 2**64 - 1)
            for due in operation.messages()
            if due.sender is sender
        )
        assert 0 < operation.ahead(sender) <= every


def test_all_kinds_are_messages_of_the_wire() -> None:
    operations = [RunCircuit("", circuit(), 1), OpenOutput("", 1)]
    kinds = {due.kind for operation in operations for due in operation.messages()}
    assert kinds == {wire.TransferColumns, wire.GarbledTables, wire.OutputShare}
