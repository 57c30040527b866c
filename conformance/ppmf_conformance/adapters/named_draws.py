# SPDX-License-Identifier: Apache-2.0
"""The random values of a server in a lattice suite, by the names that chapter 4 gives them.

A server of ppmf_secure draws bytes from its coins. `drawn` reads what a server drew in a run as the
protocol reads it, and names each value with the requirement that asks for it; `coins_of` makes
coins of such a list, which give exactly these values to a server that is played again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ppmf_conformance.adapters import lattice_blocks, values
from ppmf_conformance.adapters.lattice_blocks import ToldCoins
from ppmf_secure.primitives.base_transfers import (
    TRANSFERS,
    candidates,
    first_point,
    fresh_secret,
)
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.lattice.layout import AnswerShape, LatticeContext
from ppmf_secure.primitives.encryption.lattice.params import Budget
from ppmf_secure.primitives.encryption.lattice.sampling import (
    FLOOD_LIMB_BITS,
    SEED_BYTES,
    binomial,
    flood,
    ternary,
)
from ppmf_secure.primitives.encryption.lattice.scheme import FittedRlwe
from ppmf_secure.primitives.shares import ring_mask, words_to_bytes
from ppmf_secure.primitives.transfer_extension import fresh_offset
from ppmf_secure.protocols.ratings_product import Orientation, fitted_scheme, orientations
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.session import Session
from ppmf_spec.roles import CSP, Role

Draw = Mapping[str, Any]
"""`name`, `requirement`, `form` and `values`, all numbers as strings; perhaps `bits` and `for`."""


def drawn(me: Role, session: Session, coins: Coins) -> Iterator[Draw]:
    """What a server draws in a run's first epoch, in order; `coins` give what it drew.

    Its session is of a lattice suite and of toy size: an answer is one group of rows.
    """
    scheme = fitted_scheme(session, cipher_suite(session.suite))
    assert isinstance(scheme, FittedRlwe), "a lattice suite"
    context = scheme.context
    yield from _of_the_key(context, coins)
    offset = fresh_offset(coins, odd=me is CSP)
    yield _draw("offset", "PPMF-OTE-001", "bytes", words_to_bytes(offset))
    for number in range(TRANSFERS):
        yield _draw(f"base secret {number}", "PPMF-OTE-010", "secret", _secret(coins))
        tried: list[bytes] = []
        first_point(_noted(candidates(coins), tried))
        yield _draw(f"candidates {number}", "PPMF-OTE-010", "bytes", tried)
    yield _draw("answer secret", "PPMF-OTE-011", "secret", _secret(coins))
    params, sizes = session.parameters, (len(session.users), len(session.items))
    both = orientations(params, *sizes)
    for orientation in both:
        yield from _of_the_rows(context, orientation, coins)
    for half_step in range(1, session.half_steps):
        yield from _of_an_answer(context, both[half_step % 2], half_step, coins)


def _of_the_key(context: LatticeContext, coins: Coins) -> Iterator[Draw]:
    degree = context.lattice.degree
    secrets = ternary(coins, (context.secrets, degree))
    yield _draw("secrets", "PPMF-RLW-004", "ternary", secrets.tolist())
    yield _draw("seed of the key", "PPMF-RLW-004", "bytes", coins.bytes(SEED_BYTES))
    for number in range(context.secrets):
        errors = binomial(coins, (degree,)).astype(int).tolist()
        yield _draw(f"errors of the key {number}", "PPMF-RLW-005", "errors", errors)


def _of_the_rows(context: LatticeContext, orientation: Orientation, coins: Coins) -> Iterator[Draw]:
    packing = context.packing(orientation.layout)
    where = f"rows packing {orientation.packing}"
    for groups in packing.batches():
        seeds = [coins.bytes(SEED_BYTES) for _ in range(groups.start, groups.stop)]
        yield _draw(f"{where}: seeds", "PPMF-RLW-006", "bytes", seeds)
        rows = packing.rows_of(groups)
        errors = binomial(coins, (rows.stop - rows.start, packing.columns)).astype(int).tolist()
        yield _draw(f"{where}: errors", "PPMF-RLW-006", "errors", errors)


def _of_an_answer(
    context: LatticeContext, orientation: Orientation, half_step: int, coins: Coins
) -> Iterator[Draw]:
    layout, degree = orientation.layout, context.lattice.degree
    shape = AnswerShape.of(degree, layout, orientation.uses)
    iteration, side = half_step // 2 + 1, orientation.packing
    where = f"answer for the {side} in iteration {iteration}"
    polynomials = len(shape.rows), degree
    yield _draw(f"{where}: u", "PPMF-RLW-008", "ternary", ternary(coins, polynomials).tolist())
    errors = binomial(coins, polynomials).astype(int).tolist()
    yield _draw(f"{where}: e2", "PPMF-RLW-008", "errors", errors)
    flood_bits = Budget.of(context.lattice, layout).flood_bits
    for part in shape.parts:
        block = f"{where}, {'WR'[part.block]}"
        masks = coins.words(part.shape) & ring_mask(layout.ring_bits)
        yield _draw(f"{block}: masks", "PPMF-RLW-009", "words", masks.tolist())
        errors = binomial(coins, part.shape).astype(int).tolist()
        yield _draw(f"{block}: e1", "PPMF-RLW-008", "errors", errors)
        limbs = flood(coins, flood_bits + 1, masks.size).astype(int).tolist()
        floods = [
            sum(limb << (FLOOD_LIMB_BITS * at) for at, limb in enumerate(one)) - (1 << flood_bits)
            for one in zip(*limbs, strict=True)
        ]
        rows = [floods[at : at + part.width] for at in range(0, len(floods), part.width)]
        yield {**_draw(f"{block}: floods", "PPMF-RLW-009", "floods", rows), "bits": str(flood_bits)}


def coins_of(draws: Iterable[Draw]) -> ToldCoins:
    """Coins that give these values to a server, in their order."""
    return ToldCoins([_bytes_of(draw) for draw in draws])


def _bytes_of(draw: Draw) -> bytes:
    """What a server draws for these values."""
    found = draw["values"]
    match draw["form"]:
        case "bytes":
            return bytes.fromhex("".join(_flat(found)))
        case "secret":
            # a number below the order less one, in 32 bytes, the lowest first
            return (values.integer(found) - 1).to_bytes(32, "little")
        case "ternary":
            return lattice_blocks.ternary_bytes(values.integers(_flat(found)))
        case "errors":
            return lattice_blocks.error_bytes(values.integers(_flat(found)))
        case "words":
            return b"".join(
                number.to_bytes(8, "little") for number in values.integers(_flat(found))
            )
        case "floods":
            bits = values.integer(draw["bits"])
            return lattice_blocks.flood_bytes(values.integers(_flat(found)), bits)
    raise ValueError(f"{draw['form']}: no form of random values")


def _draw(name: str, requirement: str, form: str, found: Any) -> dict[str, Any]:
    shown = values.shown(found)
    return {"name": name, "requirement": requirement, "form": form, "values": shown}


def _secret(coins: Coins) -> int:
    return fresh_secret(coins).private_numbers().private_value


def _noted(given: Iterable[bytes], notes: list[bytes]) -> Iterator[bytes]:
    for one in given:
        notes.append(one)
        yield one


def _flat(found: Any) -> list[str]:
    if not isinstance(found, list):
        return [found]
    return [entry for one in found for entry in _flat(one)]
