// SPDX-License-Identifier: Apache-2.0

//! Chapter 2: F_fix, in unbounded integers. A row is the list of its factors, with its bias last, if there is one.

use crate::digest::shake256;
use crate::int::{Fraction, Int};
use crate::params::Params;

pub type Side = Vec<Vec<Int>>;

/// The counterparts of a row: the number of each, and x of the rating between the two.
pub type Rated = Vec<(usize, Int)>;

/// PPMF-FIX-001
pub fn round_half_up(a: &Int, b: &Int) -> Int {
    (&(a << 1) + b).div_floor(&(b << 1))
}

/// The starting sides of `users` and `items` rows (PPMF-FIX-010 and -011).
pub fn start(params: &Params, users: usize, items: usize) -> (Side, Side) {
    let text = format!("ppmf/v1/init/{}", params.seed);
    let bytes = shake256(text.as_bytes(), (users + items) * params.rank);
    let row = |bytes: &[u8]| {
        let word = |byte: &u8| &Int::from(i32::from(*byte) - 128) << (params.frac_bits - 8);
        let mut row: Vec<Int> = bytes.iter().map(word).collect();
        row.resize(params.row_length(), Int::default());
        row
    };
    let mut rows: Side = bytes.chunks(params.rank).map(row).collect();
    let items = rows.split_off(users);
    (rows, items)
}

pub struct Steps {
    /// That of the factors.
    pub curvature: Int,
    pub factors: Int,
    pub bias: Option<Int>,
    pub tau: Int,
    pub theta: Int,
}

/// c divided by 2^(s - g): the curvature of the factors under `count`, and that of a bias with s at most 0.
fn scaled_count(params: &Params, count: &Int, shift: i64) -> Int {
    count << u32::try_from(i64::from(params.guard_bits) - shift).expect("PPMF-PAR-011")
}

/// The curvature of the factors (PPMF-FIX-023).
fn factors_curvature(params: &Params, count: &Int, squares: &Int) -> Int {
    if params.counts {
        scaled_count(params, count, params.curvature_shift)
    } else {
        squares >> lipschitz_shift(params)
    }
}

/// 2 f - g + s
pub fn lipschitz_shift(params: &Params) -> u32 {
    let shift = 2 * i64::from(params.frac_bits) - i64::from(params.guard_bits) + params.curvature_shift;
    u32::try_from(shift).expect("PPMF-PAR-012")
}

/// The step of one curvature (PPMF-FIX-024).
pub fn step_of(params: &Params, curvature: &Int) -> Int {
    let denominator = curvature + &(&params.damping << params.guard_bits);
    Int::power_of_two(params.step_bits + params.guard_bits).div_floor(&denominator)
}

/// tau and theta of the factors' step (PPMF-FIX-025).
fn thresholds(params: &Params, step: &Int) -> (Int, Int) {
    let threshold = |weight: &Fraction| {
        let numerator = &(step * &weight.numerator) << params.frac_bits;
        round_half_up(&numerator, &(&weight.denominator << (params.step_bits + 1)))
    };
    (threshold(&params.l1), threshold(&params.ridge))
}

/// tau and theta of curvature 0.
pub fn thresholds_at_rest(params: &Params) -> (Int, Int) {
    thresholds(params, &step_of(params, &Int::default()))
}

/// Steps and thresholds of a row with `count` counterparts, whose squares add up to `squares`.
pub fn steps(params: &Params, count: &Int, squares: &Int) -> Steps {
    let curvature = factors_curvature(params, count, squares);
    let factors = step_of(params, &curvature);
    let bias_curvature = scaled_count(params, count, params.curvature_shift.min(0));
    let bias = if params.bias { Some(step_of(params, &bias_curvature)) } else { None };
    let (tau, theta) = thresholds(params, &factors);
    Steps { curvature, factors, bias, tau, theta }
}

/// The step with its only rounding (PPMF-FIX-030); `before` is p of PPMF-FIX-036.
pub fn descend(params: &Params, x: &Int, before: &Int, step: &Int, gradient: &Int) -> Int {
    let scale = 2 * params.frac_bits + params.step_bits;
    let inertia = params.inertia.scaled(scale).expect("PPMF-PAR-025");
    let moved = &(x << scale) + &(&inertia * &(x - before));
    let sum = &(&moved - &(step * gradient)) + &Int::power_of_two(scale - 1);
    &sum >> scale
}

fn soft(z: &Int, threshold: &Int) -> Int {
    let rest = (&z.abs() - threshold).max(Int::default());
    if z.is_negative() {
        -&rest
    } else {
        rest
    }
}

/// A factor's new word (PPMF-FIX-032 to -034).
pub fn factor_word(params: &Params, z: &Int, tau: &Int, theta: &Int) -> Int {
    let one = Int::power_of_two(params.frac_bits);
    let is_near_zero = *z <= &Int::power_of_two(params.frac_bits - 1) - theta;
    if params.is_binary && !is_near_zero {
        saturated(params, &(&one + &soft(&(&(z + &(theta << 1)) - &one), tau)))
    } else {
        saturated(params, &soft(z, tau))
    }
}

/// PPMF-FIX-034; also a bias's new word, to which no prox applies.
pub fn saturated(params: &Params, z: &Int) -> Int {
    let end = Int::power_of_two(params.box_bits + params.frac_bits);
    z.clone().max(-&end).min(&end - &Int::from(1))
}

/// What a half-step passes through, row by row.
pub struct HalfStep {
    pub squares: Vec<Int>,
    pub steps: Vec<Steps>,
    /// By inner step: Z of all coordinates.
    pub z: Vec<Side>,
}

/// G of all coordinates of a row (PPMF-FIX-027 to -029).
fn half_gradients(params: &Params, row: &[Int], other: &Side, rated: &Rated) -> Vec<Int> {
    let (d, f) = (params.rank, params.frac_bits);
    let ridge = params.ridge.scaled(2 * f).expect("PPMF-PAR-010");
    let mut gradients: Vec<Int> = row.iter().map(|x| &ridge * x).collect();
    for (number, rating) in rated {
        let y = &other[*number];
        let mut residual = -&(rating << (2 * f - params.rating_frac_bits));
        for k in 0..d {
            residual = &residual + &(&row[k] * &y[k]);
        }
        if params.bias {
            residual = &residual + &(&(&row[d] + &y[d]) << f);
            gradients[d] = &gradients[d] + &(&residual << f);
        }
        for k in 0..d {
            gradients[k] = &gradients[k] + &(&residual * &y[k]);
        }
    }
    gradients
}

/// Moves every row of a side; `previous` has the coordinates p (PPMF-FIX-020 to -036).
pub fn half_step(params: &Params, rows: &mut Side, previous: &mut Side, other: &Side, rated: &[Rated]) -> HalfStep {
    let square = |number: &usize| {
        other[*number][..params.rank].iter().fold(Int::default(), |sum, factor| &sum + &(factor * factor))
    };
    let squares: Vec<Int> =
        rated.iter().map(|row| row.iter().fold(Int::default(), |sum, (number, _)| &sum + &square(number))).collect();
    let steps: Vec<Steps> =
        rated.iter().zip(&squares).map(|(row, squares)| steps(params, &Int::from(row.len()), squares)).collect();
    let mut all_z = Vec::new();
    for _ in 0..params.inner_steps {
        let mut side_z = Vec::new();
        for (i, row) in rows.iter_mut().enumerate() {
            let gradients = half_gradients(params, row, other, &rated[i]);
            let z: Vec<Int> = (0..row.len())
                .map(|k| {
                    let step =
                        if k < params.rank { &steps[i].factors } else { steps[i].bias.as_ref().expect("a bias") };
                    descend(params, &row[k], &previous[i][k], step, &gradients[k])
                })
                .collect();
            let word = |(k, z): (usize, &Int)| {
                if k < params.rank {
                    factor_word(params, z, &steps[i].tau, &steps[i].theta)
                } else {
                    saturated(params, z)
                }
            };
            let new_row = z.iter().enumerate().map(word).collect();
            previous[i] = std::mem::replace(row, new_row);
            side_z.push(z);
        }
        all_z.push(side_z);
    }
    HalfStep { squares, steps, z: all_z }
}

/// F_fix (PPMF-FIX-040 and -041): the items' side after the last iteration. `seen` is told the number of the
/// iteration, whether the side is the users', and the side, after each half-step.
pub fn train(
    params: &Params,
    users: usize,
    items: usize,
    values: &[(usize, usize, Int)],
    mut seen: impl FnMut(u32, bool, &Side),
) -> Side {
    let mut by_user = vec![Rated::new(); users];
    let mut by_item = vec![Rated::new(); items];
    for (user, item, x) in values {
        by_user[*user].push((*item, x.clone()));
        by_item[*item].push((*user, x.clone()));
    }
    let (mut u, mut v) = start(params, users, items);
    let (mut u_before, mut v_before) = (u.clone(), v.clone());
    for iteration in 1..=params.iterations {
        half_step(params, &mut u, &mut u_before, &v, &by_user);
        seen(iteration, true, &u);
        half_step(params, &mut v, &mut v_before, &u, &by_item);
        seen(iteration, false, &v);
    }
    v
}
