# SPDX-License-Identifier: Apache-2.0
"""Garbling and evaluating against plain evaluation, and what keeps the two labels apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import CipherContext
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ppmf_secure.primitives.circuits import half_gates
from ppmf_secure.primitives.circuits.half_gates import BATCH, Evaluator, Garbler
from ppmf_secure.primitives.circuits.netlist import ONE, ZERO, Builder, Circuit
from ppmf_secure.primitives.circuits.training_circuits import reciprocal, update
from ppmf_secure.primitives.circuits.wire_labels import (
    colours,
    permute_bits,
)
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.hashing import MAX_CALLS, BatchKeys, TweakedHash, hash_blocks
from ppmf_secure.primitives.transfer_extension import fresh_offset
from ppmf_spec.parameters import Regulariser
from tests.support.random_circuits import Drawn, circuits

Bits = NDArray[np.uint8]
Words = NDArray[np.uint64]

KEYS = BatchKeys(b"test_garbling", 0)
OFFSET = fresh_offset(Coins.seeded("test_garbling/delta"), odd=True)


def key_of(call: int = 0) -> Callable[[int, int], CipherContext]:
    return lambda gate, batch: KEYS.cipher("gates", call, gate, batch)


def labels(circuit: Circuit, n: int, label: str) -> dict[str, Words]:
    """Random zero labels of the inputs."""
    coins = Coins.seeded(label)
    return {name: coins.words((width, n, 2)) for name, width in circuit.inputs.items()}


def times_offset(bits: Bits) -> Words:
    return bits.astype(np.uint64)[..., np.newaxis] * OFFSET


def activate(zero: Mapping[str, Words], bits: Mapping[str, Bits]) -> dict[str, Words]:
    return {name: zero[name] ^ times_offset(bits[name]) for name in zero}


def random_bits(circuit: Circuit, n: int, label: str) -> dict[str, Bits]:
    coins = Coins.seeded(label)
    return {name: coins.bits((width, n)) for name, width in circuit.inputs.items()}


def and_circuit() -> Circuit:
    b = Builder()
    (x,), (y,) = b.input("x", 1), b.input("y", 1)
    b.output("out", [b.and_(x, y)])
    return b.build()


def check(circuit: Circuit, bits: Mapping[str, Bits], label: str) -> None:
    """Every output wire's active label is its zero label ^ value offset; the colours share it."""
    n = next(iter(bits.values())).shape[1]
    zero = labels(circuit, n, label)
    tables, zero_out = Garbler(circuit, OFFSET).garble(zero, key_of())
    assert tables.shape == (circuit.and_count, n, 2, 2)
    active_out = Evaluator(circuit).evaluate(activate(zero, bits), tables, key_of())
    expected = circuit.evaluate(bits)
    assert zero_out.keys() == active_out.keys() == expected.keys()
    for name, values in expected.items():
        assert np.array_equal(zero_out[name] ^ active_out[name], times_offset(values)), name
        assert np.array_equal(permute_bits(zero_out[name]) ^ colours(active_out[name]), values)


@pytest.mark.req("PPMF-GCB-001", "PPMF-GCB-011")
@given(circuits(), st.integers(0, 2**32))
def test_random_circuits_on_all_assignments(drawn: Drawn, seed: int) -> None:
    check(drawn.circuit, drawn.inputs, f"random/{seed}")


@pytest.mark.parametrize("prox", [None, "elastic-net", "binary-elastic-net"])
@pytest.mark.parametrize("n", [1, 2, 37])
def test_the_update_circuit(prox: Regulariser | None, n: int) -> None:
    circuit = update(
        width=61, drop=40, frac_bits=12, box_bits=1, prox=prox, tau_bits=10, theta_bits=11
    )
    check(circuit, random_bits(circuit, n, f"update/{n}"), "update")


@given(st.integers(0, 2**32), st.integers(1, 12))
@settings(max_examples=15)
def test_the_reciprocal_circuit(seed: int, n: int) -> None:
    circuit = reciprocal(
        width=24,
        drop=6,
        numerator_bits=14,
        minimum=8,
        l1_int=3 << 6,
        ridge_int=5 << 4,
        threshold_shift=11,
        tau=True,
        theta=True,
    )
    check(circuit, random_bits(circuit, n, f"reciprocal/{seed}"), f"labels/{seed}")


@pytest.mark.req("PPMF-GCB-001")
def test_outputs_that_no_gate_drives() -> None:
    b = Builder()
    x, y = b.input("x", 2)
    b.output("out", [x, ONE, b.not_(y), ZERO, x])
    b.output("gate", [b.and_(x, y)])
    circuit = b.build()
    bits = {"x": np.array([[0, 0, 1, 1], [0, 1, 0, 1]], dtype=np.uint8)}
    check(circuit, bits, "outputs")
    zero = labels(circuit, 4, "outputs")
    tables, out = Garbler(circuit, OFFSET).garble(zero, key_of())
    active = Evaluator(circuit).evaluate(zero, tables, key_of())
    assert not active["out"][[1, 3]].any()
    assert not out["out"][3].any()
    assert (out["out"][1] == OFFSET).all()
    out["out"][0] += np.uint64(1)  # a copy, even of an input's label
    assert np.array_equal(zero["x"], labels(circuit, 4, "outputs")["x"])


@pytest.mark.req("PPMF-STP-004")
def test_two_circuits_in_a_row_pass_labels_on() -> None:
    row = reciprocal(
        width=20,
        drop=4,
        numerator_bits=10,
        minimum=4,
        l1_int=7,
        ridge_int=0,
        threshold_shift=5,
        tau=True,
        theta=False,
    )
    element = update(
        width=20,
        drop=8,
        frac_bits=6,
        box_bits=1,
        prox="elastic-net",
        tau_bits=row.widths["tau"],
        theta_bits=0,
    )
    bits = random_bits(row, 9, "row")
    tau = row.evaluate(bits)["tau"]
    zero = labels(row, 9, "row")
    tables, zero_row = Garbler(row, OFFSET).garble(zero, key_of(1))
    active_row = Evaluator(row).evaluate(activate(zero, bits), tables, key_of(1))
    zero["tau"], active = zero_row["tau"], activate(zero, bits)
    active["tau"] = active_row["tau"]
    tables, zero_out = Garbler(element, OFFSET).garble(zero, key_of(2))
    active_out = Evaluator(element).evaluate(active, tables, key_of(2))
    word = element.evaluate(bits | {"tau": tau})["word"]
    assert np.array_equal(permute_bits(zero_out["word"]) ^ colours(active_out["word"]), word)


def test_a_circuit_of_one_wire() -> None:
    b = Builder()
    (x,) = b.input("x", 1)
    b.output("out", [x])
    check(b.build(), {"x": np.array([[0, 1, 1]], dtype=np.uint8)}, "one wire")


@pytest.mark.req("PPMF-GCB-011")
def test_a_colour_is_the_lowest_bit_of_the_first_word() -> None:
    labels = np.array([[[0, 1], [1, 0], [2, 3], [2**64 - 1, 2]]], dtype=np.uint64)
    assert permute_bits(labels).tolist() == colours(labels).tolist() == [[0, 1, 0, 1]]


def test_reused_buffers_do_not_change_results() -> None:
    circuit = update(width=12, drop=4, frac_bits=4, box_bits=1, prox=None, tau_bits=0, theta_bits=0)
    garbler, evaluator = Garbler(circuit, OFFSET), Evaluator(circuit)
    results = []
    for n in (7, 3, 7):
        zero = labels(circuit, n, f"again/{n}")
        before = {name: word.copy() for name, word in zero.items()}
        tables, out = garbler.garble(zero, key_of(n))
        active = evaluator.evaluate(zero, tables, key_of(n))
        assert all(np.array_equal(zero[name], before[name]) for name in zero)
        results.append((tables, out["word"], active["word"]))
    for kept, again in zip(results[0], results[2], strict=True):
        assert kept is not again
        assert np.array_equal(kept, again)


@pytest.mark.req("PPMF-GCB-011")
def test_an_and_gate_is_two_half_gates_by_the_papers_formulas() -> None:
    circuit, n = and_circuit(), BATCH + 2
    zero = labels(circuit, n, "formulas")
    tables, out = Garbler(circuit, OFFSET).garble(zero, key_of())

    def number(words: Words) -> int:
        return int(words[0]) | int(words[1]) << 64

    def hashed(block: int, tweak: int) -> int:
        x = np.array([[block & 2**64 - 1, block >> 64]], dtype=np.uint64)
        return number(hash_blocks(key_of()(0, tweak // 2 // BATCH), x, tweak)[0])

    offset = number(OFFSET)
    for e in (0, 1, 2, BATCH - 1, BATCH, BATCH + 1):
        a, b = number(zero["x"][0, e]), number(zero["y"][0, e])
        T_G = hashed(a, 2 * e) ^ hashed(a ^ offset, 2 * e) ^ (b & 1) * offset
        W_G = hashed(a, 2 * e) ^ (a & 1) * T_G
        T_E = hashed(b, 2 * e + 1) ^ hashed(b ^ offset, 2 * e + 1) ^ a
        W_E = hashed(b, 2 * e + 1) ^ (b & 1) * (T_E ^ a)
        assert number(tables[0, e, 0]) == T_G
        assert number(tables[0, e, 1]) == T_E
        assert number(out["out"][0, e]) == W_G ^ W_E


@pytest.mark.req("PPMF-HSH-008", "PPMF-GCB-011")
def test_no_hash_key_meets_a_tweak_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The garbler hashes both labels of a wire under one tweak, and no other block; at most 2^12
    calls fall on a key; each batch of a gate asks for its key once, in order.
    """
    circuit = update(
        width=9, drop=3, frac_bits=3, box_bits=1, prox="elastic-net", tau_bits=2, theta_bits=0
    )
    elements = 2 * BATCH + 3
    made: list[tuple[Words, int]] = []
    calls: list[int] = []
    asked: list[tuple[int, int]] = []

    class Recorded(TweakedHash):
        def __init__(self, tweaks: Words, per_batch: int) -> None:
            made.append((tweaks, per_batch))
            super().__init__(tweaks, per_batch)

        def __call__(self, ciphers: Sequence[CipherContext]) -> Words:
            calls.extend([asked[-1][0]] * len(ciphers))
            if len(self.blocks) == 4:
                a0, a1, b0, b1 = self.blocks
                assert np.array_equal(a1, a0 ^ OFFSET)
                assert np.array_equal(b1, b0 ^ OFFSET)
            return super().__call__(ciphers)

    def recording(gate: int, batch: int) -> CipherContext:
        asked.append((gate, batch))
        return key_of()(gate, batch)

    monkeypatch.setattr(half_gates, "TweakedHash", Recorded)
    zero = labels(circuit, elements, "tweaks")
    batches = [(gate, batch) for gate in range(circuit.and_count) for batch in range(3)]
    tables, _ = Garbler(circuit, OFFSET).garble(zero, recording)
    assert asked == batches
    assert calls == [gate for gate, _ in batches]
    asked.clear()
    Evaluator(circuit).evaluate(zero, tables, recording)
    assert asked == batches

    (garbled, of_garbler), (evaluated, of_evaluator) = made
    assert of_garbler == of_evaluator == BATCH
    assert garbled[:, :BATCH].size == MAX_CALLS == 2**13
    first, second, third, fourth = garbled
    assert np.array_equal(first, second)
    assert np.array_equal(third, fourth)
    assert len(np.unique(evaluated)) == evaluated.size == 2 * elements
    assert np.array_equal(np.stack([first, third]), evaluated)


@pytest.mark.req("PPMF-GCB-011")
@pytest.mark.parametrize("n", [BATCH - 1, BATCH, BATCH + 1, 3 * BATCH + 5])
def test_elements_of_several_batches(n: int) -> None:
    """Every element is evaluated as it was garbled, and as if its batch had come alone."""
    circuit = and_circuit()
    check(circuit, random_bits(circuit, n, "several"), "several")
    zero = labels(circuit, n, "several")
    tables, _ = Garbler(circuit, OFFSET).garble(zero, key_of())
    fewer = {name: word[:, :BATCH] for name, word in zero.items()}
    first, _ = Garbler(circuit, OFFSET).garble(fewer, key_of())
    assert np.array_equal(tables[:, :BATCH], first)


def test_keys_change_tables_and_labels_but_no_value() -> None:
    circuit, n = and_circuit(), 64
    zero, bits = labels(circuit, n, "keys"), random_bits(circuit, n, "keys")
    first, out = Garbler(circuit, OFFSET).garble(zero, key_of(0))
    second, other = Garbler(circuit, OFFSET).garble(zero, key_of(1))
    assert not (first == second).all(axis=-1).any()
    assert not (out["out"] == other["out"]).all(axis=-1).any()
    active = Evaluator(circuit).evaluate(activate(zero, bits), second, key_of(1))
    values = permute_bits(other["out"]) ^ colours(active["out"])
    assert np.array_equal(values, bits["x"] & bits["y"])


def test_what_the_evaluator_sees_of_an_and_gate_looks_uniform() -> None:
    circuit, n = and_circuit(), 4 * BATCH
    zero = labels(circuit, n, "uniform")
    tables, out = Garbler(circuit, OFFSET).garble(zero, key_of())
    for seen in (tables, out["out"]):
        ones = np.unpackbits(seen.view(np.uint8)).mean()
        assert abs(ones - 0.5) < 4 / np.sqrt(64 * seen.size)  # eight standard deviations
    blocks = tables.reshape(-1, 2)
    assert len(np.unique(blocks, axis=0)) == len(blocks)


@pytest.mark.parametrize(
    "offset",
    [
        pytest.param(np.array([2, 1], dtype=np.uint64), id="even"),
        pytest.param(np.array([1], dtype=np.uint64), id="short"),
    ],
)
def test_an_offset_without_colour_is_refused(offset: Words) -> None:
    with pytest.raises(ValueError, match="offset"):
        Garbler(and_circuit(), offset)


def test_wrong_shapes_are_refused() -> None:
    circuit = and_circuit()
    garbler, evaluator = Garbler(circuit, OFFSET), Evaluator(circuit)
    zero = labels(circuit, 3, "shapes")
    tables, _ = garbler.garble(zero, key_of())
    with pytest.raises(ValueError, match="labels of shapes"):
        garbler.garble({"x": zero["x"]}, key_of())
    with pytest.raises(ValueError, match="labels of shapes"):
        evaluator.evaluate({"x": zero["x"], "y": zero["y"][:, :2]}, tables, key_of())
    with pytest.raises(ValueError, match="tables of shape"):
        evaluator.evaluate(zero, tables[:, :2], key_of())
