# SPDX-License-Identifier: Apache-2.0
"""The leaks that the checks on views must find, each with the patch that makes it.

`docs/seeded_leaks.toml` says what is broken, and which check finds it in whose view; here stands
how the protocol is broken, and in which toy run.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import pytest

from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import Role
from tests.support.broken_protocol import (
    a_constant_between_two_points,
    biased_coins,
    bits_in_the_clear,
    choices_in_the_clear,
    coins_of_an_old_epoch,
    conversion_without_pads,
    corrections_without_pads,
    digest_of_masked_bits,
    flood_used_twice,
    keystreams_begin_again,
    lattice_product_without_fresh_zero,
    mask_of_64_bits,
    mask_used_twice,
    no_flood,
    number_of_another_band,
    one_batch_key_for_all_half_steps,
    one_ephemeral_key_for_all_seals,
    one_mask_for_all_users,
    one_pad_for_two_corrections,
    one_point_for_two_transfers,
    one_randomiser_for_all_answers,
    one_seed_for_all_users,
    one_tweak_for_all_elements,
    one_u_in_two_rows,
    permute_bits_sent,
    points_with_known_secrets,
    product_without_randomiser,
    rows_without_randomness,
    short_mask,
    upload_as_long_as_its_ratings,
    v_opened_early,
    who_rated_most_uploads_first,
)
from tests.support.recorded_views import FINE_LATTICE, PAILLIER, Case

TABLE = Path(__file__).parents[2] / "docs" / "seeded_leaks.toml"

RATINGS = {(0, 0): 4, (0, 2): -5, (1, 2): -5, (3, 1): 1, (5, 0): 2, (9, 1): 3}
OVER_PAILLIER = Case(Parameters(rank=2, iterations=2, ring_bits=64), 10, 3, PAILLIER, RATINGS)
"""In the widest ring a plaintext has the fewest slots, and so a row the most ciphertexts."""
OVER_LATTICE = replace(OVER_PAILLIER, suite=FINE_LATTICE)
FULL_GROUPS = replace(OVER_LATTICE, items=4)
"""Four items in a ciphertext that has room for four."""
WITH_THRESHOLDS = replace(
    OVER_PAILLIER, parameters=Parameters(rank=2, iterations=1, l1=Fraction(3, 4))
)
RESUMED = replace(OVER_PAILLIER, cuts=(3,))

SHAPE = "shape of a simulated view"
FIELD_TWICE = "no masked field repeated"
BLOCK_TWICE = "no block repeated within a message"
STREAM_TWICE = "columns under fresh keystreams"
MASKED = "upload.masked looks uniform (masked)"
COLUMNS = "transfer-columns.columns looks uniform (ot)"
ONE_PAD = "no two corrections of the conversion under one pad"
USERS_SEEDS = "users' seeds: fresh and fair"
ORIGIN = "points derived again from secrets and candidates"
POINT_TWICE = "no point repeated"
PAIR_TWICE = "no difference of points repeated"
ONE_PAD = "no two corrections of the conversion under one pad"
SLOTS = "Paillier slots packing {}: over the whole range"
ERRORS = "lattice errors packing {}: over the whole range"


@dataclass(frozen=True)
class Breach:
    """How a leak is made: a patch of the protocol, and the toy run in which it shows.

    beside: the checks that may fail besides the leak's own, because the patch breaks them too.
    spoils: whether V is another one, because something is sent in the place of what is due.
    """

    apply: Callable[[pytest.MonkeyPatch], None]
    case: Case = OVER_PAILLIER
    beside: tuple[str, ...] = ()
    spoils: bool = False


BREACHES = {
    "one mask for all users": Breach(one_mask_for_all_users, beside=(FIELD_TWICE, MASKED)),
    "a plaintext field": Breach(bits_in_the_clear, beside=(FIELD_TWICE, MASKED)),
    "a sealed seed used again": Breach(one_seed_for_all_users),
    "an ephemeral key used again": Breach(one_ephemeral_key_for_all_seals),
    "a length that depends on a count": Breach(upload_as_long_as_its_ratings),
    "a digest of masked bits": Breach(digest_of_masked_bits, beside=(SHAPE,)),
    "an order that depends on a count": Breach(who_rated_most_uploads_first),
    "a mask used twice": Breach(mask_used_twice, beside=(SLOTS.format("items"),)),
    "a short mask": Breach(short_mask, beside=(SLOTS.format("items"),)),
    "a mask of 64 bits": Breach(mask_of_64_bits, beside=(SLOTS.format("items"),)),
    "an un-rerandomised Paillier product": Breach(product_without_randomiser),
    "a randomiser used again": Breach(one_randomiser_for_all_answers),
    "an unflooded lattice ciphertext": Breach(no_flood, OVER_LATTICE, (ERRORS.format("items"),)),
    "a flood used twice": Breach(flood_used_twice, OVER_LATTICE, (ERRORS.format("items"),)),
    "an un-rerandomised lattice product": Breach(lattice_product_without_fresh_zero, OVER_LATTICE),
    "one u in two rows": Breach(one_u_in_two_rows, OVER_LATTICE),
    "a number of another band": Breach(
        number_of_another_band, FULL_GROUPS, (ERRORS.format("items"),), spoils=True
    ),
    "choices in the clear": Breach(choices_in_the_clear, beside=(BLOCK_TWICE, STREAM_TWICE)),
    "a keystream used again": Breach(keystreams_begin_again, beside=(COLUMNS,)),
    "a point with a known secret": Breach(points_with_known_secrets),
    "one point for two transfers": Breach(one_point_for_two_transfers, beside=(ORIGIN,)),
    "a constant between two points": Breach(a_constant_between_two_points, beside=(ORIGIN,)),
    "encryptions without randomness": Breach(rows_without_randomness),
    "bits without pads": Breach(conversion_without_pads, beside=(ONE_PAD,)),
    "one pad for two corrections": Breach(one_pad_for_two_corrections),
    "corrections without pads": Breach(corrections_without_pads),
    "a repeated tweak": Breach(one_tweak_for_all_elements, WITH_THRESHOLDS),
    "a repeated batch key": Breach(one_batch_key_for_all_half_steps),
    "permute bits sent": Breach(permute_bits_sent),
    "an early opening of V": Breach(v_opened_early, beside=(SHAPE,)),
    "a biased coin": Breach(
        biased_coins, beside=(USERS_SEEDS, SLOTS.format("users"), SLOTS.format("items"))
    ),
    "coins of an old epoch": Breach(coins_of_an_old_epoch, RESUMED, (POINT_TWICE, PAIR_TWICE)),
}
"""By the name of a leak."""


@dataclass(frozen=True)
class Leak:
    """A leak of the table: `check` must fail in the view of `seen_by` when `breach` is applied."""

    name: str
    seen_by: Role
    check: str
    breach: Breach


def seeded_leaks() -> tuple[Leak, ...]:
    """The leaks of the table, in its order."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))["leak"]
    return tuple(
        Leak(row["name"], Role(row["seen_by"]), row["check"], BREACHES[row["name"]])
        for row in table
    )


LEAKS = seeded_leaks()
