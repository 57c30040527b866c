# SPDX-License-Identifier: Apache-2.0
"""The leaks that the battery must find: what is broken, which check finds it in whose view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import pytest

from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.broken_protocol import (
    biased_coins,
    choices_in_the_clear,
    coins_of_an_old_epoch,
    corrections_without_pads,
    flood_used_twice,
    keystreams_begin_again,
    lattice_product_without_fresh_zero,
    mask_of_64_bits,
    mask_used_twice,
    no_flood,
    one_batch_key_for_all_half_steps,
    one_ephemeral_key_for_all_seals,
    one_mask_for_all_users,
    one_randomiser_for_all_answers,
    one_seed_for_all_users,
    one_tweak_for_all_elements,
    permute_bits_sent,
    product_without_randomiser,
    request_without_randomness,
    rows_in_the_clear,
    short_mask,
    upload_as_long_as_its_ratings,
    v_opened_early,
    who_rated_most_uploads_first,
)
from tests.support.recorded_views import FINE_LATTICE, PAILLIER, Case

RATINGS = {(0, 0): 4, (0, 2): -5, (1, 2): -5, (3, 1): 1, (5, 0): 2, (9, 1): 3}
OVER_PAILLIER = Case(Parameters(rank=2, iterations=2), 10, 3, PAILLIER, RATINGS)
OVER_LATTICE = replace(OVER_PAILLIER, suite=FINE_LATTICE)
WITH_THRESHOLDS = replace(
    OVER_PAILLIER, parameters=Parameters(rank=2, iterations=1, l1=Fraction(3, 4))
)
RESUMED = replace(OVER_PAILLIER, cuts=(3,))

SHAPE = "shape of a simulated view"
OPENING = "V alone is opened, once, at the end"
CIPHERTEXT_TWICE = "no ciphertext repeated"
FIELD_TWICE = "no masked field repeated"
BLOCK_TWICE = "no block repeated within a message"
STREAM_TWICE = "columns under fresh keystreams"
BATCH_TWICE = "no batch key twice"
NEAR = "masked rows far from 0 and from each other"
MASKED = "upload.masked looks uniform (masked)"
COLUMNS = "transfer-columns.columns looks uniform (ot)"
PAYLOAD = "transfer-payload.payload looks uniform (ot)"
BASE_SEEDS = "seeds of base transfers: fresh and fair"
USERS_SEEDS = "users' seeds: fresh and fair"
SLOTS = "Paillier slots packing {}: over the whole range"
ERRORS = "lattice errors packing {}: over the whole range"
TRACE = "answers packing {} carry no trace of X"


@dataclass(frozen=True)
class Leak:
    """One place broken by `apply`: `check` fails in the view of `seen_by`.

    beside: what else may fail there, being broken too.
    """

    name: str
    description: str
    seen_by: Role
    check: str
    case: Case
    apply: Callable[[pytest.MonkeyPatch], None]
    beside: tuple[str, ...] = ()


LEAKS = (
    Leak(
        "one mask for all users",
        "the mask of a row does not depend on the user's seed",
        RECSYS,
        NEAR,
        OVER_PAILLIER,
        one_mask_for_all_users,
        beside=(FIELD_TWICE, MASKED),
    ),
    Leak(
        "a plaintext field",
        "users send their rows without a mask",
        RECSYS,
        NEAR,
        OVER_PAILLIER,
        rows_in_the_clear,
        beside=(FIELD_TWICE, MASKED),
    ),
    Leak(
        "a sealed seed used again",
        "all users seal one seed",
        CSP,
        USERS_SEEDS,
        OVER_PAILLIER,
        one_seed_for_all_users,
    ),
    Leak(
        "an ephemeral key used again",
        "all users seal with one ephemeral key",
        RECSYS,
        CIPHERTEXT_TWICE,
        OVER_PAILLIER,
        one_ephemeral_key_for_all_seals,
    ),
    Leak(
        "a length that depends on a count",
        "an upload is longer by a byte for each rating",
        RECSYS,
        SHAPE,
        OVER_PAILLIER,
        upload_as_long_as_its_ratings,
    ),
    Leak(
        "an order that depends on a count",
        "who rated most uploads first",
        RECSYS,
        SHAPE,
        OVER_PAILLIER,
        who_rated_most_uploads_first,
    ),
    Leak(
        "a mask used twice",
        "two slots of Paillier answers have one mask",
        RECSYS,
        SLOTS.format("users"),
        OVER_PAILLIER,
        mask_used_twice,
        beside=(SLOTS.format("items"),),
    ),
    Leak(
        "a short mask",
        "masks of Paillier answers are two bits short",
        CSP,
        SLOTS.format("users"),
        OVER_PAILLIER,
        short_mask,
        beside=(SLOTS.format("items"),),
    ),
    Leak(
        "a mask of 64 bits",
        "masks of Paillier answers are ring elements: the shares are still uniform",
        CSP,
        SLOTS.format("users"),
        OVER_PAILLIER,
        mask_of_64_bits,
        beside=(SLOTS.format("items"),),
    ),
    Leak(
        "an un-rerandomised Paillier product",
        "answers have no randomiser",
        RECSYS,
        TRACE.format("users"),
        OVER_PAILLIER,
        product_without_randomiser,
    ),
    Leak(
        "a randomiser used again",
        "all answers have one randomiser",
        RECSYS,
        TRACE.format("users"),
        OVER_PAILLIER,
        one_randomiser_for_all_answers,
    ),
    Leak(
        "an unflooded lattice ciphertext",
        "answers have no flood",
        RECSYS,
        ERRORS.format("users"),
        OVER_LATTICE,
        no_flood,
        beside=(ERRORS.format("items"),),
    ),
    Leak(
        "a flood used twice",
        "two numbers of a lattice answer have one flood",
        RECSYS,
        ERRORS.format("users"),
        OVER_LATTICE,
        flood_used_twice,
        beside=(ERRORS.format("items"),),
    ),
    Leak(
        "an un-rerandomised lattice product",
        "no fresh encryption of zero is added to answers",
        CSP,
        TRACE.format("users"),
        OVER_LATTICE,
        lattice_product_without_fresh_zero,
    ),
    Leak(
        "choices in the clear",
        "the two seeds of a base transfer are one, so that columns are not masked",
        CSP,
        COLUMNS,
        OVER_PAILLIER,
        choices_in_the_clear,
        beside=(BLOCK_TWICE, STREAM_TWICE),
    ),
    Leak(
        "a keystream used again",
        "the keystreams of columns begin anew in each message",
        CSP,
        STREAM_TWICE,
        OVER_PAILLIER,
        keystreams_begin_again,
    ),
    Leak(
        "encryptions without randomness",
        "the bits of base requests are encrypted with r = 1",
        RECSYS,
        CIPHERTEXT_TWICE,
        OVER_PAILLIER,
        request_without_randomness,
    ),
    Leak(
        "corrections without pads",
        "corrections of transfers are sent bare",
        RECSYS,
        PAYLOAD,
        OVER_PAILLIER,
        corrections_without_pads,
    ),
    Leak(
        "a repeated tweak",
        "the tweaks of a gate are the same for all elements",
        RECSYS,
        BLOCK_TWICE,
        WITH_THRESHOLDS,
        one_tweak_for_all_elements,
    ),
    Leak(
        "a repeated batch key",
        "batch keys do not depend on the half-step",
        RECSYS,
        BATCH_TWICE,
        OVER_PAILLIER,
        one_batch_key_for_all_half_steps,
    ),
    Leak(
        "permute bits sent",
        "CSP sends the permute bits of new words, which look uniform",
        RECSYS,
        SHAPE,
        OVER_PAILLIER,
        permute_bits_sent,
    ),
    Leak(
        "an early opening of V",
        "CSP sends its share of V after every iteration",
        RECSYS,
        OPENING,
        OVER_PAILLIER,
        v_opened_early,
        beside=(SHAPE,),
    ),
    Leak(
        "a biased coin",
        "the highest bit of a random byte is 1 three times out of four",
        CSP,
        BASE_SEEDS,
        OVER_PAILLIER,
        biased_coins,
        beside=(USERS_SEEDS, SLOTS.format("users"), SLOTS.format("items")),
    ),
    Leak(
        "coins of an old epoch",
        "after an interruption both servers use their coins again",
        RECSYS,
        CIPHERTEXT_TWICE,
        RESUMED,
        coins_of_an_old_epoch,
    ),
)
