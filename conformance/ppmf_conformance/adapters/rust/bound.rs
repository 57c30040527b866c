// SPDX-License-Identifier: Apache-2.0

//! Chapter 3, "Bound": whether a parameter set fits a number of rows, and the ring of a run.

use crate::fault::Fault;
use crate::fixed::{lipschitz_shift, step_of, steps, thresholds_at_rest};
use crate::int::{Fraction, Int};
use crate::params::Params;

pub struct Bound {
    pub bound: Fraction,
    /// The least l with floor(bound) < 2^(l - 1).
    pub width: u32,
    /// k of the run (PPMF-PAR-027).
    pub ring: u32,
}

/// Fractional bits with which every dyadic parameter is an integer (PPMF-PAR-005).
const DYADIC_BITS: u32 = 64;

fn dyadic(value: &Fraction) -> Int {
    value.scaled(DYADIC_BITS).expect("PPMF-PAR-005")
}

/// E at the scale of DYADIC_BITS.
fn largest_residual(params: &Params) -> Int {
    let side = Int::power_of_two(params.box_bits);
    let whole = &(&Int::from(params.rank) * &(&side * &side)) + &(&side << 1);
    let offset = dyadic(&params.rating_offset);
    let distance = |end: &Fraction| (&dyadic(end) - &offset).abs();
    &(&whole << DYADIC_BITS) + &distance(&params.rating_min).max(distance(&params.rating_max))
}

/// M 2^(64 + f). The curvatures are gone through by the steps that they give: of all with one step, the largest
/// is at the largest of them. There are at most 2^17 steps, since their numerator is at most 2^32.
fn largest_product(params: &Params, rows: &Int) -> Int {
    let side = Int::power_of_two(params.box_bits);
    let e = largest_residual(params);
    let ridge = &(&dyadic(&params.ridge) * &side) << params.frac_bits;
    let damping = &params.damping << params.guard_bits;
    let numerator = Int::power_of_two(params.step_bits + params.guard_bits);
    let one = Int::from(1);
    // The largest count or sum of squares, and the bits that a curvature has fewer (or, under `count`, more).
    let (largest, shift) = if params.counts {
        (rows.clone(), (i64::from(params.guard_bits) - params.curvature_shift) as u32)
    // PPMF-PAR-011
    } else {
        (largest_squares(params, rows), lipschitz_shift(params))
    };
    let mut most = Int::default();
    let mut curvature = Int::default();
    loop {
        let step = step_of(params, &curvature);
        if step.is_zero() {
            return most;
        }
        let last_curvature = &numerator.div_floor(&step) - &damping;
        let argument =
            if params.counts { &last_curvature >> shift } else { &(&(&last_curvature + &one) << shift) - &one };
        let argument = argument.min(largest.clone());
        let weight = if params.counts {
            &(&argument * &side) << params.frac_bits
        } else {
            let root = (rows * &argument).root();
            let is_exact = &root * &root == rows * &argument;
            let root = if is_exact { root } else { &root + &one };
            root.min(&(rows * &side) << params.frac_bits)
        };
        most = most.max(&step * &(&(&e * &weight) + &ridge));
        if argument == largest {
            return most;
        }
        curvature = if params.counts { &(&argument + &one) << shift } else { &last_curvature + &one };
    }
}

/// N d B^2 2^(2f)
fn largest_squares(params: &Params, rows: &Int) -> Int {
    &(rows * &Int::from(params.rank)) << (2 * params.box_bits + 2 * params.frac_bits)
}

/// Both numbers of rows are from 1 to 2^31 - 1 (PPMF-PAR-015).
pub fn check_rows(users: &Int, items: &Int) -> Result<(), Fault> {
    for (name, number) in [("users", users), ("items", items)] {
        if *number < Int::from(1) || *number >= Int::power_of_two(31) {
            return Err(Fault::parameters(format!(
                "the number of {} must be from 1 to 2^31 - 1 (PPMF-PAR-015)",
                name
            )));
        }
    }
    Ok(())
}

/// The bound and the ring; a set that does not fit is refused (PPMF-PAR-015 to -018 and -027).
pub fn bound(params: &Params, users: &Int, items: &Int) -> Result<Bound, Fault> {
    check_rows(users, items)?;
    let rows = users.max(items);
    let (f, q, b) = (params.frac_bits, params.step_bits, params.box_bits);
    // The bound times 2^(64 + f).
    let inertia = params.inertia.scaled(DYADIC_BITS + 1).expect("PPMF-PAR-005");
    let moved = &(&Int::power_of_two(DYADIC_BITS) + &inertia) << (4 * f + q + b);
    let half = Int::power_of_two(DYADIC_BITS + 3 * f + q - 1);
    let scaled_bound = &(&moved + &half) + &(&largest_product(params, rows) << (3 * f));
    let scale = DYADIC_BITS + f;
    let width = (&scaled_bound >> scale).bit_length() + 1;

    // PPMF-PAR-017, both sides times 2^(2f + q).
    let (tau, theta) = thresholds_at_rest(params);
    let reach = if params.is_binary { tau.max(&(&theta << 1) + &Int::power_of_two(f)) } else { tau };
    let after_shift = -&(&-&scaled_bound >> (scale + 2 * f + q));
    let after_shift = &(&after_shift + &reach) << (2 * f + q);
    let denominator = largest_denominator(params, rows);
    let fits = |ring: u32| {
        scaled_bound < Int::power_of_two(scale + ring - 1)
            && after_shift < Int::power_of_two(ring - 1)
            && denominator < Int::power_of_two(ring)
    };
    let mut rings = if params.ring_bits == 0 { 32..=64 } else { params.ring_bits..=params.ring_bits };
    match rings.find(|ring| fits(*ring)) {
        Some(ring) => Ok(Bound { bound: Fraction::new(&scaled_bound, &Int::power_of_two(scale)), width, ring }),
        None => Err(Fault::parameters(format!(
            "ring_bits is {}, but a run of {} rows has numbers of {} bits (PPMF-PAR-016, -017, -018, -027)",
            params.ring_bits, rows, width
        ))),
    }
}

/// PPMF-PAR-018
fn largest_denominator(params: &Params, rows: &Int) -> Int {
    let (g, s) = (i64::from(params.guard_bits), params.curvature_shift);
    let by_count = |shift: i64| &(rows << (g - shift) as u32) + &(&params.damping << params.guard_bits);
    let factors = if params.counts {
        by_count(s)
    } else {
        let damping = &params.damping << (lipschitz_shift(params) + params.guard_bits);
        &largest_squares(params, rows) + &damping
    };
    if params.bias {
        factors.max(by_count(s.min(0)))
    } else {
        factors
    }
}

/// Whether some count leaves a step of 0 (PPMF-PAR-019). Steps only fall with the count.
pub fn is_idle(params: &Params, users: &Int, items: &Int) -> bool {
    let rows = users.max(items);
    let squares = &(rows * &Int::from(params.rank)) << (2 * params.frac_bits - 2);
    let steps = steps(params, rows, &squares);
    steps.factors.is_zero() || steps.bias.map_or(false, |step| step.is_zero())
}
