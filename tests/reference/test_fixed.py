# SPDX-License-Identifier: Apache-2.0
"""F_fix: worked by hand, compared with a second reading in dense matrices, and at its edges."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from hashlib import shake_256
from math import floor

import pytest
from hypothesis import given

from ppmf_reference import fixed
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings
from tests.support.parameter_sets import version_1
from tests.support.ratings import ratings_of
from tests.support.strategies import Toy, toys

# f = 8, q = 8, g = 2: numbers small enough for paper.
SMALL = version_1(
    rank=1,
    iterations=1,
    frac_bits=8,
    step_bits=8,
    step_guard_bits=2,
    bias=False,
    ridge=Fraction(1),
    l1=Fraction(1, 4),
    damping=1,
)


@pytest.mark.req(
    "PPMF-FIX-022",
    "PPMF-FIX-023",
    "PPMF-FIX-024",
    "PPMF-FIX-025",
    "PPMF-FIX-027",
    "PPMF-FIX-028",
    "PPMF-FIX-030",
    "PPMF-FIX-032",
)
def test_half_step_by_hand_without_bias() -> None:
    # x = 128 (0.5), y = 192 (0.75), x_ij = 3 (1.5 stars above r0).
    # q2 = 192^2 = 36864; curvature = 36864 >> (16 - 2) = 2; H = floor(2^10 / (2 + 4)) = 170.
    # tau = round(170 * 1/4 * 256 / 512) = round(21.25) = 21; theta = round(85) = 85.
    # e = 128 * 192 - 3 * 2^15 = -73728; G = -73728 * 192 + 2^16 * 128 = -5767168.
    # (128 * 2^24 + 170 * 5767168 + 2^23) >> 24 = 3136290816 >> 24 = 186; 186 - 21 = 165.
    done = fixed.half_step([[128]], [([0], [3])], [[192]], SMALL)
    assert done.steps == [
        fixed.Step(count=1, squares=36864, factors=170, bias=None, tau=21, theta=85)
    ]
    assert done.z == [[[186]]]
    assert done.rows == [[165]]


@pytest.mark.req(
    "PPMF-FIX-001",
    "PPMF-FIX-002",
    "PPMF-FIX-024",
    "PPMF-FIX-027",
    "PPMF-FIX-029",
    "PPMF-FIX-030",
    "PPMF-FIX-031",
)
@pytest.mark.parametrize(
    ("sign", "z", "row"), [(1, [171, 160], [150, 160]), (-1, [-170, -160], [-149, -160])]
)
def test_half_step_by_hand_with_bias_and_a_tie_rounded_up(
    sign: int, z: list[int], row: list[int]
) -> None:
    # x = 128, a = 64, y = 192, b = -32, x_ij = 3; factors' H as above; bias H = 2^10 / (4 + 4).
    # e = 128 * 192 + 64 * 256 - 32 * 256 - 98304 = -65536.
    # G = -65536 * 192 + 65536 * 128 = -4194304: Z = 128 + 170 * 4194304 / 2^24 = 170.5, up to 171.
    # Bias: G = -65536 * 256 + 65536 * 64 = -12582912: Z = 64 + 128 * 12582912 / 2^24 = 160.
    # All signs turned: -170.5 goes up to -170.
    params = replace(SMALL, bias=True)
    done = fixed.half_step(
        [[sign * 128, sign * 64]], [([0], [sign * 3])], [[192, sign * -32]], params
    )
    assert done.steps[0].bias == 128
    assert done.z == [[z]]
    assert done.rows == [row]


@pytest.mark.req("PPMF-FIX-023", "PPMF-FIX-024")
def test_count_rule_by_hand() -> None:
    # Three ratings, s = 1, g = 2: curvature = 3 << 1 = 6, H = floor(2^10 / (6 + 4)) = 102.
    # The bias ignores a positive s: 3 << 2 = 12, floor(2^10 / 16) = 64.
    params = replace(SMALL, bias=True, step_rule="count", curvature_shift=1)
    chosen = fixed.step(3, 36864, params)
    assert (chosen.factors, chosen.bias) == (102, 64)
    # A negative s doubles both: 3 << 3 = 24, floor(2^10 / 28) = 36.
    chosen = fixed.step(3, 36864, replace(params, curvature_shift=-1))
    assert (chosen.factors, chosen.bias) == (36, 36)


@pytest.mark.req("PPMF-FIX-034")
@pytest.mark.parametrize(("rating", "z", "word"), [(10, 320, 255), (-10, -320, -256)])
def test_saturation(rating: int, z: int, word: int) -> None:
    # Box [-1, 1 - 2^-8]; H = 1/2; e = -x_ij 2^15; G = e * 128; Z = 10 * 2^15 * 128 * 128 / 2^24.
    params = replace(
        SMALL,
        box_bits=0,
        ridge=Fraction(0),
        l1=Fraction(0),
        step_rule="count",
        step_guard_bits=0,
    )
    done = fixed.half_step([[0]], [([0], [rating])], [[128]], params)
    assert done.steps[0].factors == 128
    assert done.z == [[[z]]]
    assert done.rows == [[word]]


BINARY = replace(
    SMALL,
    regulariser="binary-elastic-net",
    step_bits=16,
    ridge=Fraction(2),
    l1=Fraction(0),
    damping=4,
)


@pytest.mark.req("PPMF-FIX-025", "PPMF-FIX-033")
@pytest.mark.parametrize(("start", "new"), [(128, 64), (130, 193)])
def test_binary_jump_tie_goes_to_the_0_branch(start: int, new: int) -> None:
    # No rating: H = 2^16 / 4 = 2^14, theta = 2^14 * 2 * 2^8 / 2^17 = 64, Z = x - x 2 / 4 = x / 2.
    # The jump is at 128 - 64 = 64: x = 128 is a tie, and stays on the branch of 0: 64.
    # x = 130 gives Z = 65, on the branch of 1: 256 + (65 + 128 - 256) = 193.
    done = fixed.half_step([[start]], [([], [])], [[7]], BINARY)
    assert done.steps[0].theta == 64
    assert done.rows == [[new]]


@pytest.mark.req("PPMF-FIX-004", "PPMF-FIX-020")
def test_a_row_without_ratings_moves_too() -> None:
    # Curvature 0: H = 2^10 / 4 = 256 = one whole step; tau = 32; Z = x - lambda x = 0.
    done = fixed.half_step([[128], [-77]], [([], []), ([], [])], [[192]], SMALL)
    assert [chosen.factors for chosen in done.steps] == [256, 256]
    assert done.rows == [[0], [0]]


@pytest.mark.req("PPMF-FIX-010", "PPMF-FIX-011")
def test_start_is_the_public_bytes_u_then_v_row_major() -> None:
    params = version_1(rank=3, seed="Größe")
    stream = shake_256("ppmf/v1/init/Größe".encode()).digest(15)
    users, items = fixed.start(params, 2, 3)
    entries = [(byte - 128) * 16 for byte in stream]
    assert users == [[*entries[0:3], 0], [*entries[3:6], 0]]
    assert items == [[*entries[6:9], 0], [*entries[9:12], 0], [*entries[12:15], 0]]
    bare, _ = fixed.start(replace(params, bias=False), 2, 3)
    assert bare == [entries[0:3], entries[3:6]]


@pytest.mark.req("PPMF-FIX-010")
def test_the_first_entries_of_the_start() -> None:
    # SHAKE-256("ppmf/v1/init/ppmf") begins 5e 5a 9a 58; each less 0x80.
    users, items = fixed.start(version_1(rank=2, frac_bits=8, bias=False), 1, 1)
    assert (users, items) == ([[-34, -38]], [[26, -40]])


# A second reading of chapter 2: real numbers as Fractions, full matrices and a 0/1 mask.


def dense_half_step(
    x: list[list[Fraction]],
    y: list[list[Fraction]],
    mask: list[list[int]],
    target: list[list[Fraction]],
    p: Parameters,
    before: list[list[Fraction]],
) -> tuple[list[list[Fraction]], list[list[Fraction]]]:
    """The new rows, and the rows before the last inner step."""

    def rounded(value: Fraction) -> Fraction:
        return Fraction(floor(value * 2**p.frac_bits + Fraction(1, 2)), 2**p.frac_bits)

    def floored_step(curvature: Fraction) -> Fraction:
        kept = Fraction(floor(curvature * 2**p.step_guard_bits), 2**p.step_guard_bits)
        return Fraction(floor(2**p.step_bits / (kept + p.damping)), 2**p.step_bits)

    def soft(z: Fraction, t: Fraction) -> Fraction:
        return (1 if z > 0 else -1) * max(abs(z) - t, Fraction(0))

    d, s = p.rank, Fraction(2) ** p.curvature_shift
    low, high = Fraction(-(2**p.box_bits)), 2**p.box_bits - Fraction(1, 2**p.frac_bits)
    new, left = [], []
    for row, last, w, r in zip(x, before, mask, target, strict=True):
        count = sum(w)
        squares = sum(
            (v * v for wj, yj in zip(w, y, strict=True) for v in yj[:d] if wj), Fraction(0)
        )
        step = floored_step((squares if p.step_rule == "lipschitz" else count) / s)
        bias_step = floored_step(count * max(Fraction(1), 1 / s))
        tau, theta = rounded(step * p.l1 / 2), rounded(step * p.ridge / 2)
        for _ in range(p.inner_steps):
            slope = [p.ridge * value for value in row]
            for wj, rj, yj in zip(w, r, y, strict=True):
                predicted = sum((a * b for a, b in zip(row[:d], yj[:d], strict=True)), Fraction(0))
                predicted += row[d] + yj[d] if p.bias else Fraction(0)
                for k in range(len(row)):
                    slope[k] += wj * (predicted - rj) * (yj[k] if k < d else 1)
            moved = []
            for k in range(len(row)):
                ahead = row[k] + p.inertia * (row[k] - last[k])
                z = rounded(ahead - (step if k < d else bias_step) * slope[k])
                if k < d and (p.regulariser == "elastic-net" or z <= Fraction(1, 2) - theta):
                    z = soft(z, tau)
                elif k < d:
                    z = 1 + soft(z + 2 * theta - 1, tau)
                moved.append(min(max(z, low), high))
            last, row = row, moved
        new.append(row)
        left.append(last)
    return new, left


def dense_train(ratings: Ratings, params: Parameters) -> list[list[Fraction]]:
    n, m = ratings.n_users, ratings.n_items
    mask = [[0] * m for _ in range(n)]
    target = [[Fraction(0)] * m for _ in range(n)]
    for i, j, value in zip(ratings.user, ratings.item, ratings.value, strict=True):
        mask[i][j] = 1
        target[i][j] = Fraction(int(value), 2**params.rating_frac_bits)
    unit = 2**params.frac_bits
    u, v = (
        [[Fraction(e, unit) for e in row] for row in side] for side in fixed.start(params, n, m)
    )
    across_mask = [list(column) for column in zip(*mask, strict=True)]
    across_target = [list(column) for column in zip(*target, strict=True)]
    u_before, v_before = u, v
    for _ in range(params.iterations):
        u, u_before = dense_half_step(u, v, mask, target, params, u_before)
        v, v_before = dense_half_step(v, u, across_mask, across_target, params, v_before)
    return v


@pytest.mark.req(
    "PPMF-FIX-020",
    "PPMF-FIX-021",
    "PPMF-FIX-022",
    "PPMF-FIX-023",
    "PPMF-FIX-024",
    "PPMF-FIX-025",
    "PPMF-FIX-026",
    "PPMF-FIX-027",
    "PPMF-FIX-028",
    "PPMF-FIX-029",
    "PPMF-FIX-030",
    "PPMF-FIX-031",
    "PPMF-FIX-032",
    "PPMF-FIX-033",
    "PPMF-FIX-034",
    "PPMF-FIX-035",
    "PPMF-FIX-036",
    "PPMF-FIX-040",
    "PPMF-FIX-041",
)
@given(toys())
def test_a_run_equals_a_second_reading_in_dense_matrices(toy: Toy) -> None:
    ratings, params = toy
    *_, last = fixed.iterate(ratings, params)
    unit = 2**params.frac_bits
    assert [[Fraction(e, unit) for e in row] for row in last.items] == dense_train(ratings, params)


@pytest.mark.req("PPMF-FIX-021", "PPMF-FIX-026", "PPMF-FIX-035", "PPMF-FIX-036")
@given(toys())
def test_k_inner_steps_are_k_half_steps_against_the_same_side(toy: Toy) -> None:
    ratings, params = toy
    users, items = fixed.start(params, ratings.n_users, ratings.n_items)
    once, twice = replace(params, inner_steps=1), replace(params, inner_steps=2)
    first = fixed.half_step(users, ratings.by_user(), items, once)
    second = fixed.half_step(first.rows, ratings.by_user(), items, once, first.previous)
    both = fixed.half_step(users, ratings.by_user(), items, twice)
    assert both.rows == second.rows
    assert both.previous == second.previous == first.rows
    assert both.z == [*first.z, *second.z]


@pytest.mark.req("PPMF-FIX-043")
def test_the_order_of_the_ratings_does_not_matter() -> None:
    ratings = ratings_of(2, 3, {(0, 0): 3, (0, 2): -4, (1, 0): 4})
    turned = Ratings(
        ratings.users, ratings.items, ratings.user[::-1], ratings.item[::-1], ratings.value[::-1]
    )
    params = version_1(rank=2, iterations=2)
    assert fixed.train(turned, params) == fixed.train(ratings, params)


@pytest.mark.req("PPMF-FIX-040", "PPMF-FIX-041")
def test_states_alternate_and_train_publishes_the_last_items() -> None:
    ratings = ratings_of(2, 3, {(0, 0): 3, (0, 2): -4, (1, 0): 4})
    params = version_1(rank=2, iterations=3)
    states = list(fixed.iterate(ratings, params))
    assert [(s.iteration, s.side) for s in states] == [
        (t, side) for t in (1, 2, 3) for side in ("users", "items")
    ]
    seen: list[int] = []
    profiles = fixed.train(ratings, params, on_iteration=seen.append)
    assert seen == [1, 2, 3]
    assert profiles.items == ratings.items
    assert profiles.bias is not None
    rows = [[*f, b] for f, b in zip(profiles.factors.tolist(), profiles.bias.tolist(), strict=True)]
    assert rows == states[-1].items
    # V's step uses the new U: the same half-step from the old U gives something else.
    old, start = fixed.start(params, 2, 3)
    assert fixed.half_step(start, ratings.by_item(), old, params).rows != states[1].items


@pytest.mark.req("PPMF-FIX-041")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("users", "items"), [(1, 1), (1, 4), (4, 1)])
def test_one_user_and_one_item(users: int, items: int, bias: bool) -> None:
    entries = {(i, j): 1 + i - j for i in range(users) for j in range(items)}
    params = version_1(rank=2, iterations=2, bias=bias)
    profiles = fixed.train(ratings_of(users, items, entries), params)
    assert profiles.factors.shape == (items, 2)
    assert (profiles.bias is not None) == bias


@pytest.mark.req("PPMF-FIX-004", "PPMF-FIX-020")
def test_without_ratings_every_entry_shrinks_by_the_ridge() -> None:
    # Every entry shrinks by lambda / c0 = 3/4 in each of T half-steps on its side, rounding alike.
    params = version_1(rank=2, iterations=3)
    _, items = fixed.start(params, 2, 3)
    for _ in range(3):
        items = [[floor(Fraction(e, 4) + Fraction(1, 2)) for e in row] for row in items]
    profiles = fixed.train(ratings_of(2, 3, {}), params)
    assert profiles.factors.tolist() == [row[:2] for row in items]
    assert profiles.bias is not None
    assert profiles.bias.tolist() == [0, 0, 0]


def test_train_refuses_what_could_leave_the_ring() -> None:
    with pytest.raises(ParametersError):
        fixed.train(ratings_of(1, 1, {(0, 0): 1}), version_1(frac_bits=24))


ONE = version_1(rank=1, iterations=2, bias=False, frac_bits=8)


@pytest.mark.req("PPMF-FIX-028", "PPMF-FIX-030")
@pytest.mark.parametrize(("value", "moved"), [(32768, 128), (32767, 127)])
def test_one_unit_of_a_rating_decides_the_rounding_of_z(value: int, moved: int) -> None:
    # f = 8, q = g = 0, c0 = 1, fr = 16: x = 0, y = 255, e = -value; curvature 0, so H = 1.
    # Z = (255 value + 2^15) >> 16, and 255 * 2^15 + 2^15 = 128 * 2^16.
    params = replace(ONE, step_bits=0, step_guard_bits=0, damping=1, rating_frac_bits=16)
    assert fixed.half_step([[0]], [([0], [value])], [[255]], params).z == [[[moved]]]


def test_every_state_of_a_run_holds_both_sides_and_its_half_step() -> None:
    ratings = ratings_of(2, 3, {(0, 0): 2, (1, 2): -3, (1, 0): 1})
    users, items = fixed.start(ONE, 2, 3)
    expected: list[fixed.State] = []
    for iteration in (1, 2):
        on_users = fixed.half_step(users, ratings.by_user(), items, ONE)
        users = on_users.rows
        expected.append(fixed.State(iteration, "users", on_users, users, items))
        on_items = fixed.half_step(items, ratings.by_item(), users, ONE)
        items = on_items.rows
        expected.append(fixed.State(iteration, "items", on_items, users, items))
    assert list(fixed.iterate(ratings, ONE)) == expected
